"""Which file it is: SHA-256 by content, and what else takes long to read from a file, remembered."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path

__all__ = ["cache_folder", "known_sha256", "matches", "remembered", "sha256_of"]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_SETTLED = 2.0
"""Seconds a file must have been left alone: within the resolution of a file system's clock it could change unseen."""
_MOST = 5000
"""Answers of one kind that are kept; the oldest give way."""
_MARKS = "what, path, told_by, size, inode, mtime, ctime"
T = TypeVar("T", str, bytes)


def cache_folder() -> Path:
    """Where this library keeps what it fetched: ``VIDEOANNOTATOR_CACHE``, or the platform's cache folder."""
    chosen = os.environ.get("VIDEOANNOTATOR_CACHE")
    return Path(chosen) if chosen else user_cache_path("videoannotator", appauthor=False)


def sha256_of(path: Path, files: Sequence[str] = ()) -> str:
    """SHA-256 of a file, hexadecimal; of a folder: of its files' relative names and hashes in sorted order.

    ``files``: patterns of those that count in a folder; all without any.
    """
    return _hashed(path, files, _read)


def known_sha256(path: Path, files: Sequence[str] = ()) -> str:
    """`sha256_of`, for which a large file is read once: see `remembered`. Raises `OSError`."""
    return _hashed(path, files, lambda file: remembered("sha256", file, _read))


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file's relative name is one of those that are wanted: ``*`` stands for any letters, ``/`` too."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _hashed(path: Path, files: Sequence[str], of_file: Callable[[Path], str]) -> str:
    if not path.is_dir():
        return of_file(path)
    total = hashlib.sha256()
    for inner in sorted(p for p in path.rglob("*") if p.is_file()):
        name = inner.relative_to(path).as_posix()
        if matches(name, files):
            total.update(f"{name}\0{of_file(inner)}\n".encode())
    return total.hexdigest()


def _read(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def remembered(what: str, path: Path, tell: Callable[[Path], T], by: str = "") -> T:
    """What ``tell`` says of a file.

    ``what``: the kind of answer. ``by``: who gives it; the answer of somebody else does not count.

    Remembered in the cache folder by path, size, inode and times of change; a file that was changed less than two
    seconds ago is read each time. Where the cache folder cannot be used, nothing is remembered. Raises `OSError`, and
    what ``tell`` raises.
    """
    stat = path.stat()
    marks: tuple[str | int, ...] = (
        what,
        str(path.resolve()),
        by,
        stat.st_size,
        stat.st_ino,
        stat.st_mtime_ns,
        stat.st_ctime_ns,
    )
    if time.time() - max(stat.st_mtime, stat.st_ctime) < _SETTLED:
        return tell(path)
    try:
        with closing(_opened()) as book:
            found: list[tuple[T]] = book.execute(
                "SELECT answer FROM told WHERE (what, path, told_by, size, inode, mtime, ctime) = (?,?,?,?,?,?,?)",
                marks,
            ).fetchall()
        if found:
            return found[0][0]
    except sqlite3.Error as error:
        _log.warning("%s cannot be used, so nothing is remembered of files: %s", cache_folder(), error)
        return tell(path)
    answer = tell(path)  # the book is closed meanwhile: nobody waits for it
    try:
        with closing(_opened()) as book, book:
            book.execute("INSERT OR REPLACE INTO told VALUES (?,?,?,?,?,?,?,?)", (*marks, answer))
            last = "SELECT rowid FROM told WHERE what = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?"
            book.execute(f"DELETE FROM told WHERE what = ? AND rowid <= ({last})", (what, what, _MOST))  # noqa: S608 - our own text
    except sqlite3.Error as error:
        _log.warning("%s cannot be used, so nothing is remembered of files: %s", cache_folder(), error)
    return answer


def _opened() -> sqlite3.Connection:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    book = sqlite3.connect(folder / "files.sqlite", timeout=10)
    book.execute(f"CREATE TABLE IF NOT EXISTS told ({_MARKS}, answer, PRIMARY KEY (what, path))")
    return book
