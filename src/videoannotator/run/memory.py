"""How much memory a process and all it has started use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

__all__ = ["memory_of_tree"]


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
