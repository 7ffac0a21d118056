"""A worker by itself: a process that does jobs and answers no requests, on the server's machine or any other.

On PostgreSQL it is called by the queue; on SQLite it looks for work by itself, on the same machine as the server. What
it shares with the server is the database and the data folder (videos, results, the engine's segments).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from videoannotator.serve.service import Service
from videoannotator.serve.work.dispatcher import Dispatcher

__all__ = ["Works", "stopping_with_signals", "worker_of"]


class Works(Protocol):
    """Something that does jobs in the thread that calls ``run``, until ``stop`` is called."""

    def run(self) -> None:
        """Work."""
        ...

    def stop(self) -> None:
        """Take no more jobs, and give back those at work."""
        ...


class _Alone:
    """A dispatcher that looks for work by itself."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def run(self) -> None:
        self._dispatcher.run()

    def stop(self) -> None:
        self._dispatcher.ask_to_stop()


def worker_of(service: Service) -> Works:
    """What does the jobs of this service."""
    if service.database.is_sqlite:
        return _Alone(Dispatcher.of(service))
    from videoannotator.serve.work.procrastinate_queue import QueueWorker

    dispatcher = Dispatcher.of(service, claims=False)
    return QueueWorker(service.database, dispatcher, slots=service.settings.jobs.concurrent)


@contextmanager
def stopping_with_signals(works: Works) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT stop ``works``. In the main thread only."""

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=works.stop, name="videoannotator:stop").start()  # locks may be held where it came

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
