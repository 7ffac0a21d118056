"""Threads for networks on a processor, so that neither threads nor company change a bit.

What a network says of a picture depends, in its last bits, on how many threads share the picture, and on which others
are computed with it. Threads that share one also wait for each other after every layer, and spin while they do. A
plugin whose network runs on the processor therefore lets each picture be computed by itself, in one thread, and
several side by side::

    def setup(self):
        threads = self.context.threads
        self._workers = TorchWorkers("faces", threads) if self.context.device == "cpu" else None

    def process(self, batch):
        answers = in_portions(self._workers, lambda part: self._network(faces[part]), len(faces), self.context.batch)

Nothing here imports torch before a `TorchWorkers` is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, TypeVar

__all__ = ["TorchWorkers", "Workers", "in_portions"]

T = TypeVar("T")
R = TypeVar("R")
_PREFIX = {"model": "videoannotator-model:", "run": "videoannotator:"}


class Workers:
    """``count`` threads, each with work of its own.

    ``name``: what they are called in lists of threads. ``owner``: whether they live as long as a model, or as a run,
    which must `close` them: the contract kit looks for threads that a run has left.
    """

    def __init__(self, name: str, count: int = 1, *, owner: Literal["model", "run"] = "model") -> None:
        self.count = max(1, count)
        self._pool = ThreadPoolExecutor(self.count, _PREFIX[owner] + name, *self._prepared())

    def _prepared(self) -> tuple[Any, ...]:
        """What each thread calls first, and with what."""
        return ()

    def submit(self, work: Callable[[T], R], given: T) -> Future[R]:
        """Do ``work`` in one of them."""
        return self._pool.submit(work, given)

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """``work`` on all parts, side by side; the answers in order. All of it begins at once."""
        return self._pool.map(work, parts)

    def close(self) -> None:
        """End the threads. The last to let go of a model may be one of a model's, and none can wait for itself."""
        self._pool.shutdown(wait=not threading.current_thread().name.startswith(_PREFIX["model"]))


class TorchWorkers(Workers):
    """Threads in which torch computes by itself.

    ``threads``: of the processor, for all of them together. ``most``: so many workers at most; where there are fewer
    than ``threads``, each shares its work with others. ``owner``: see `Workers`. Raises `ImportError` without torch.
    """

    def __init__(
        self, name: str, threads: int = 1, *, most: int | None = None, owner: Literal["model", "run"] = "model"
    ) -> None:
        import torch

        # how many torch uses is kept per thread (OpenMP), and besides for threads to come: that is put back at once
        before = torch.get_num_threads()
        self._torch, self._threads = torch, max(1, threads)
        super().__init__(name, self._threads if most is None else min(self._threads, most), owner=owner)
        started = threading.Barrier(self.count)

        def start(_: int) -> int:
            started.wait()  # so that no thread starts for two
            return int(torch.get_num_threads())  # a thread settles its number when it first asks

        list(self.map(start, range(self.count)))
        torch.set_num_threads(before)

    def _prepared(self) -> tuple[Any, ...]:
        return self._torch.set_num_threads, (max(1, self._threads // self.count),)


def in_portions(workers: Workers | None, work: Callable[[slice], R], count: int, most: int) -> list[R]:
    """``work`` on ``count`` things, given as slices: one by one by ``workers``, else here, ``most`` at a time."""
    size = max(1, most) if workers is None else 1
    portions = [slice(start, start + size) for start in range(0, count, size)]
    return list(map(work, portions) if workers is None else workers.map(work, portions))
