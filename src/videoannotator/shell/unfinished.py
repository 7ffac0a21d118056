"""Which uploads were begun by this user of this machine: a command that was ended and is typed again goes on there.

One small file for each in the cache folder, named by the server, the path of the file and its content. Where the cache
folder cannot be used, nothing is remembered, and that is said.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from videoannotator.discover.hashing import cache_folder

__all__ = ["begun", "forget", "keep", "print_of"]

_log = logging.getLogger(__name__)
_DAYS = 30
"""A server that keeps unfinished uploads for longer than this is not met."""


def print_of(address: str, file: Path, sha256: str) -> str:
    """What tells an upload from every other: the server, the file's place, and what is in it."""
    return hashlib.sha256("\0".join((address, str(file.resolve()), sha256)).encode()).hexdigest()


def begun(print_: str) -> str | None:
    """The id of the upload, if one is remembered."""
    try:
        return _place(print_).read_text("utf-8").strip() or None
    except (OSError, ValueError):
        return None


def keep(print_: str, upload: str) -> None:
    """Remember it; what was remembered long ago goes."""
    place = _place(print_)
    part = place.with_name(f"{print_}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(f"{upload}\n", "utf-8")
        part.replace(place)
    except OSError as error:
        _log.warning("%s cannot be used, so an upload that is broken off begins anew: %s", place.parent, error.strerror)
        return
    oldest = time.time() - _DAYS * 86400
    for other in place.parent.iterdir():
        with suppress(OSError):  # somebody else's command may have removed it
            if other.stat().st_mtime < oldest:
                other.unlink()


def forget(print_: str) -> None:
    """It is over, or the server does not know it any more."""
    with suppress(OSError):
        _place(print_).unlink()


def _place(print_: str) -> Path:
    return cache_folder() / "uploads" / print_
