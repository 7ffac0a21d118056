"""Results that were computed before, by what was asked: see `videoannotator.run.keys`.

Each entry is a folder ``{key}/`` with the result in the library's own format and a note of what it is::

    results/{key}/entry.json                         pipeline, media, bytes
    results/{key}/result.videoannotator/             written by `videoannotator.formats.native`
    results/{key}.lock                               held by who computes it

An entry appears whole or not at all. When it was used last is the time of its ``entry.json``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
from filelock import FileLock, Timeout

from videoannotator.data.convert import unstructure
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Failure, PipelineRecord, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.discover.models import cache_folder
from videoannotator.errors import CacheError, FormatError
from videoannotator.formats.native import Native

__all__ = ["CacheEntry", "Entry", "ResultCache", "Stored", "cache_key"]

_log = logging.getLogger(__name__)
_LAYOUT = 1
_NOTE = "entry.json"
_STEM = "result"
_POLL = 0.1
LIMIT = 20 * 10**9
"""Bytes that the cache of results may take, unless told otherwise."""


def cache_key(**parts: Any) -> str:
    """SHA-256 of ``parts``, plain data, in one spelling."""
    text = json.dumps({"layout": _LAYOUT, **unstructure(parts)}, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class Stored:
    """What one pipeline gave. ``media_failures``: what was wrong with the file when it was decoded for it."""

    result: PipelineResult
    record: PipelineRecord
    media_failures: tuple[Failure, ...] = ()


@attrs.frozen
class CacheEntry:
    """An entry, for listing. ``size``: bytes. ``used``: when last, UTC."""

    key: str
    pipeline: str
    media: str
    size: int
    used: datetime


class ResultCache:
    """Results by key, in a folder, the least recently used ones dropped when there are too many.

    ``folder``: by default ``results`` in the cache folder (``VIDEOANNOTATOR_CACHE``, or the platform's).
    ``limit``: bytes. Raises `CacheError` when the folder cannot be used.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.folder = folder if folder is not None else cache_folder() / "results"
        self.limit = limit
        there = next(place for place in (self.folder, *self.folder.absolute().parents) if place.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise self._unusable(f"{there} is no folder that may be written into")

    def _unusable(self, reason: object) -> CacheError:
        return CacheError(
            f"the cache folder {self.folder} cannot be used: {reason}; set VIDEOANNOTATOR_CACHE to one that can"
        )

    def lookup(self, key: str) -> Stored | None:
        """What is kept under ``key``, marked as used now; None when there is nothing, or it is damaged."""
        place = self.folder / key
        if not (place / _NOTE).is_file():
            return None
        try:
            result = Native().read(place / f"{_STEM}.videoannotator")
        except FormatError as error:
            _log.warning("an entry of the cache is damaged and computed again: %s", error)
            return None
        os.utime(place / _NOTE)
        (record,) = result.provenance.pipelines
        return Stored(result[record.name], record, result.media_failures)

    def open(self, key: str, check: Callable[[], None]) -> Entry:
        """The entry to fill. While somebody else, here or in another process, fills it, this waits.

        ``check`` is called while waiting and may raise, to give up.
        """
        try:  # here and not before: who only asks for a plan finds nothing new on the disk
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error
        lock = FileLock(self.folder / f"{key}.lock", thread_local=False)
        while True:
            check()
            try:
                lock.acquire(timeout=0)
            except Timeout:
                time.sleep(_POLL)
                continue
            except OSError as error:
                raise self._unusable(error) from error
            return Entry(self, key, lock)

    def entries(self) -> list[CacheEntry]:
        """Everything that is kept, the least recently used first."""
        found = []
        for note in self.folder.glob(f"*/{_NOTE}"):
            try:
                told = json.loads(note.read_text(encoding="utf-8"))
                used = datetime.fromtimestamp(note.stat().st_mtime, UTC)
                found.append(CacheEntry(note.parent.name, told["pipeline"], told["media"], told["size"], used))
            except (OSError, ValueError, KeyError):  # removed meanwhile, or damaged: then it is of no use to anybody
                continue
        return sorted(found, key=lambda entry: entry.used)

    def clear(self, older_than: timedelta = timedelta(0)) -> int:
        """Drop what was not used for so long. Returns the bytes freed."""
        before = datetime.now(UTC) - older_than
        return sum(self._drop(entry) for entry in self.entries() if entry.used <= before)

    def trim(self) -> int:
        """Drop the least recently used entries until the rest keeps to the limit. Returns the bytes freed."""
        entries, freed = self.entries(), 0
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total - freed <= self.limit:
                break
            freed += self._drop(entry)
        return freed

    def _drop(self, entry: CacheEntry) -> int:
        place = self.folder / entry.key
        going = self.folder / f".{entry.key}-{os.getpid()}-{time.monotonic_ns()}"
        try:
            place.rename(going)  # at once, so that nobody reads half of it
        except FileNotFoundError:
            return 0
        shutil.rmtree(going, ignore_errors=True)
        return entry.size


class Entry:
    """The right to fill one entry; held until `close`."""

    def __init__(self, cache: ResultCache, key: str, lock: FileLock) -> None:
        self._cache = cache
        self._key = key
        self._lock = lock

    @property
    def stored(self) -> Stored | None:
        """What somebody filled it with meanwhile."""
        return self._cache.lookup(self._key)

    def finish(self, stored: Stored, media: MediaInfo, provenance: Provenance) -> None:
        """Keep a complete result. ``provenance``: with the one record of ``stored``."""
        name = stored.result.name
        whole = Result(media, {name: stored.result}, provenance, stored.media_failures)
        place = self._cache.folder / self._key
        working = Path(tempfile.mkdtemp(dir=self._cache.folder, prefix=f".{self._key}-"))
        try:
            (written,) = Native().write(whole, working, stem=_STEM)
            size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
            note = {"pipeline": name, "media": provenance.media_name, "size": size}
            (working / _NOTE).write_text(json.dumps(note), encoding="utf-8")
            if place.exists():  # damaged, or it would have been taken
                shutil.rmtree(place)
            working.rename(place)
        except OSError as error:  # a full disk must not cost the result that is in memory
            _log.warning("the result of %s could not be kept in %s: %s", name, self._cache.folder, error)
        finally:
            shutil.rmtree(working, ignore_errors=True)
        self._cache.trim()

    def close(self) -> None:
        """Let others have it."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
