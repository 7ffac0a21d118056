"""Limits that the system keeps on a process. A process puts them on itself, before it touches what it does not trust.

Linux keeps all of them. macOS takes the limit of memory and does not keep it, and Windows has none of these: what is
not there is skipped, and `limit_this_process` says what holds. The limits of time that a parent keeps hold everywhere.

``memory`` is a limit of *addresses*, not of memory in use (``RLIMIT_AS``). That suits a process that decodes: it asks
for what it needs. It does not suit one with CUDA, which reserves more addresses than the machine has memory, nor
torch's threads and the memory maps of weights: look at what those use, with
`videoannotator.run.memory.memory_of_tree`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from math import ceil

__all__ = ["limit_cpu_from_now", "limit_this_process"]


def limit_this_process(
    *,
    memory: int | None = None,
    cpu_seconds: float | None = None,
    file_size: int | None = None,
    open_files: int | None = None,
) -> frozenset[str]:
    """Limit this process and all it starts, for good. None leaves a limit as it is; a limit is never raised.

    ``memory``: bytes of addresses; more is a `MemoryError`, or the NULL that C code must check. ``cpu_seconds``: of
    processor time, of all threads, counted from the start of the process, rounded up; more ends it by ``SIGXCPU``.
    ``file_size``: bytes up to which a file may be written; 0 means no file can be; more is an `OSError` (``EFBIG``).
    ``open_files``: how many may be open at a time. It never leaves a core dump.

    Returns the names of the limits that hold now.
    """
    try:
        import resource
    except ImportError:  # Windows
        return frozenset()
    wanted = {
        "memory": (resource.RLIMIT_AS, memory),
        "cpu_seconds": (resource.RLIMIT_CPU, None if cpu_seconds is None else ceil(cpu_seconds)),
        "file_size": (resource.RLIMIT_FSIZE, file_size),
        "open_files": (resource.RLIMIT_NOFILE, open_files),
    }
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = set()
    for name, (kind, value) in wanted.items():
        if value is None or (name == "memory" and sys.platform == "darwin"):
            continue
        ceiling = resource.getrlimit(kind)[1]
        hard = value + 1 if name == "cpu_seconds" else value  # the soft one tells by SIGXCPU, the hard one by SIGKILL
        if ceiling != resource.RLIM_INFINITY:
            hard = min(hard, ceiling)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (min(value, hard), hard))
            held.add(name)
    return frozenset(held)


def limit_cpu_from_now(seconds: float) -> bool:
    """Let this process use ``seconds`` of processor time from now on, and up to two more; it may be called again.

    Returns True where that holds.
    """
    try:
        import resource
    except ImportError:  # Windows
        return False
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = ceil(used.ru_utime + used.ru_stime + seconds) + 1  # whole seconds; the next one may begin at once
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    return True
