"""Which file it is: SHA-256 by content, remembered so that a large file is read for it once."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from videoannotator.discover.models import cache_folder, sha256_of

__all__ = ["media_sha256"]

_log = logging.getLogger(__name__)
_SETTLED = 2.0
"""Seconds a file must have been left alone: within the resolution of a file system's clock it could change unseen."""


def media_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Remembered in the cache folder by path, size, inode and times of change; a file that was changed less than two
    seconds ago is read each time. Where the cache folder cannot be used, nothing is remembered. Raises `OSError`.
    """
    stat = path.stat()
    marks = (str(path.resolve()), stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    if time.time() - max(stat.st_mtime, stat.st_ctime) < _SETTLED:
        return sha256_of(path)
    try:
        with closing(_opened()) as book:
            found = book.execute(
                "SELECT sha256 FROM files WHERE (path, size, inode, mtime, ctime) = (?,?,?,?,?)", marks
            )
            for (known,) in found:
                return str(known)
            digest = sha256_of(path)
            with book:
                book.execute("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?)", (*marks, digest))
            return digest
    except sqlite3.Error as error:
        _log.warning("%s cannot be used, so hashes are not remembered: %s", cache_folder(), error)
        return sha256_of(path)


def _opened() -> sqlite3.Connection:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error
    book = sqlite3.connect(folder / "hashes.sqlite", timeout=10)
    book.execute(
        "CREATE TABLE IF NOT EXISTS files "
        "(path TEXT PRIMARY KEY, size INT, inode INT, mtime INT, ctime INT, sha256 TEXT)"
    )
    return book
