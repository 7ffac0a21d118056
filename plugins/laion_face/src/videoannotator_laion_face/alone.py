"""Computing on a processor so that a face has the same bits whoever is computed with it, on any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["Alone", "each"]

T = TypeVar("T")


class Alone:
    """``threads`` threads, in each of which torch computes by itself: its bits depend on how many share the work."""

    def __init__(self, threads: int) -> None:
        # how many torch uses is kept per thread, and besides for threads to come: that is put back at once
        before = torch.get_num_threads()
        started = threading.Barrier(threads)
        self._pool = ThreadPoolExecutor(threads, "videoannotator:alone", torch.set_num_threads, (1,))

        def start(_: int) -> int:
            started.wait()  # so that no thread starts for two
            return int(torch.get_num_threads())  # a thread settles its number when it first asks

        list(self._pool.map(start, range(threads)))
        torch.set_num_threads(before)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def map(self, function: Callable[[slice], T], portions: list[slice]) -> list[T]:
        """What ``function`` gives for each portion, in their order."""
        return list(self._pool.map(function, portions))


def each(alone: Alone | None, function: Callable[[slice], T], count: int, most: int) -> list[T]:
    """``function`` of ``count`` things: one by one where each is computed alone, else ``most`` at a time."""
    size = most if alone is None else 1
    portions = [slice(start, start + size) for start in range(0, count, size)]
    return [function(portion) for portion in portions] if alone is None else alone.map(function, portions)
