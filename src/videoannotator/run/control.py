"""Stopping and holding a run, and queues whose waiting ends when the run is stopped."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

from videoannotator.errors import CancelledError

__all__ = ["Control", "put", "take"]

WAIT = 0.05
"""Seconds between two looks at whether the run was cancelled."""


class Control:
    """What the owner of a run wants of it, seen by every thread of the run within a batch."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._held_since: float | None = None
        self._held = 0.0

    def cancel(self) -> None:
        """Ask everybody to stop."""
        self._cancelled.set()
        self.go_on()

    def pause(self) -> None:
        """Ask everybody to wait after the batch at hand; models and rows stay where they are."""
        with self._lock:
            if self._held_since is None and not self._cancelled.is_set():
                self._held_since = time.perf_counter()
                self._running.clear()

    def go_on(self) -> None:
        """Take up the work again after `pause`."""
        with self._lock:
            if self._held_since is not None:
                self._held += time.perf_counter() - self._held_since
                self._held_since = None
            self._running.set()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._cancelled.is_set()

    @property
    def held(self) -> float:
        """Seconds spent paused."""
        with self._lock:
            return self._held + (time.perf_counter() - self._held_since if self._held_since is not None else 0.0)

    def check(self) -> None:
        """Waits while the run is paused. Raises `CancelledError` once it is cancelled."""
        self._running.wait()
        if self.cancelled:
            raise CancelledError("the run was cancelled")


def put(channel: queue.Queue[Any], item: Any, control: Control) -> None:
    """Put into a bounded queue, waiting for room. Raises `CancelledError` when the run is cancelled meanwhile."""
    while True:
        control.check()
        try:
            channel.put(item, timeout=WAIT)
        except queue.Full:
            continue
        return


def take(channel: queue.Queue[Any], control: Control) -> Any:
    """Take from a queue, waiting. Raises `CancelledError` when the run is cancelled meanwhile."""
    while True:
        control.check()
        try:
            return channel.get(timeout=WAIT)
        except queue.Empty:
            continue
