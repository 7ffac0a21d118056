"""``videoannotator cache``: what is kept, and dropping it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from videoannotator.errors import UsageError
from videoannotator.run.cache import ResultCache
from videoannotator.shell.main import Exit

__all__ = ["clear_cache", "list_cache"]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def list_cache() -> int:
    """One line for each result that is kept, also of runs that did not end, the least recently used first."""
    cache = ResultCache()
    entries = cache.entries()
    now = datetime.now(UTC)
    for entry in entries:
        days = max(0.0, (now - entry.used) / timedelta(days=1))
        what = "used" if entry.complete else "unfinished, written"
        sys.stdout.write(f"{entry.pipeline}\t{entry.media}\t{_size(entry.size)}\t{what} {days:.1f} days ago\n")
    total = sum(entry.size for entry in entries)
    sys.stderr.write(f"{len(entries)} results, {_size(total)} of at most {_size(cache.limit)}, in {cache.folder}\n")
    return Exit.WELL


def clear_cache(older_than: float) -> int:
    """Drop results that were not used for ``older_than`` days. Raises `UsageError` for less than none."""
    if not 0 <= older_than < 1e6:
        raise UsageError(f"--older-than {older_than}: give a number of days, 0 or more")
    freed = ResultCache().clear(timedelta(days=older_than))
    sys.stderr.write(f"freed {_size(freed)}\n")
    return Exit.WELL
