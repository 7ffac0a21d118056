"""How much memory a process and all it has started use; and somebody who looks at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from videoannotator.errors import DataError

__all__ = ["MemoryWatch", "memory_of_tree"]


def memory_of_tree(pid: int, above: int = 0) -> int:
    """Bytes of memory that process ``pid`` and all that it has started use; 0 when it is gone.

    What processes share (pictures handed to an isolated pipeline, libraries, what a fork has not written to) is counted
    once, in parts, where the system tells it (Linux: PSS; elsewhere what each has for itself). That takes time for a
    large process, so it is asked only when the plain sum, which counts shared memory again and again, is more than
    ``above``; else that sum is the answer.
    """
    plain = sum(_resident(process) for process in _tree(pid))
    if plain <= above:
        return plain
    return min(plain, sum(_own(process) for process in _tree(pid)))


def _tree(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _own(process: psutil.Process) -> int:
    try:
        told = process.memory_full_info()
        return int(getattr(told, "pss", told.uss))
    except psutil.AccessDenied:  # macOS tells it of one's own processes only, and of some not even then
        return _resident(process)
    except psutil.Error:
        return 0


class MemoryWatch:
    """Looks every ``every`` seconds how much process ``pid`` and all it has started use (`memory_of_tree`).

    When that is more than ``limit`` bytes, ``exceeded`` is set and ``on_exceeded`` is called, once, with the number of
    bytes, in the thread of the watch: it should end the process. A limit of addresses (``RLIMIT_AS``) cannot do this
    for a process with CUDA, which reserves more addresses than there is memory; this counts what is in use.

    ``peak``: the most bytes that were seen. It is a thread; use it as a context, or `start` and `stop` it.
    """

    def __init__(
        self, pid: int, limit: int, *, every: float = 0.5, on_exceeded: Callable[[int], None] | None = None
    ) -> None:
        if limit <= 0 or every <= 0:
            raise DataError(f"MemoryWatch needs a limit and a time above 0, got limit={limit!r}, every={every!r}")
        self.pid = pid
        self.limit = limit
        self.peak = 0
        self.exceeded = False
        self._every = every
        self._on_exceeded = on_exceeded
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"videoannotator:memory:{pid}", daemon=True)

    def look(self) -> int:
        """Look now. Returns the bytes in use."""
        used = memory_of_tree(self.pid, above=self.limit)
        self.peak = max(self.peak, used)
        if used > self.limit and not self.exceeded:
            self.exceeded = True
            if self._on_exceeded is not None:
                self._on_exceeded(used)
        return used

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. More than once is once."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _watch(self) -> None:
        while not self.exceeded and not self._stopped.is_set():
            if not self.look():
                return  # the process is gone
            self._stopped.wait(self._every)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
