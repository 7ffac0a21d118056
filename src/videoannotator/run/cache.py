"""Results that were computed before, by what was asked: see `videoannotator.run.keys`.

Each entry is a folder ``{key}/`` with the result in the library's own format and a note of what it is::

    results/{key}/entry.json                         pipeline, media, bytes
    results/{key}/result.videoannotator/             written by `videoannotator.formats.native`
    results/{key}.parts/                             what a run that goes on, or has ended early, has of it so far
    results/{key}.lock                               held by who computes it

An entry appears whole or not at all. When it was used last is the time of its ``entry.json``. Parts are written and
taken up by who holds the lock (see `videoannotator.run.segments`), and removed when the entry is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
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
from videoannotator.run.segments import Chain

__all__ = ["CacheEntry", "Entry", "ResultCache", "Stored", "cache_key"]

_log = logging.getLogger(__name__)
_LAYOUT = 1
_NOTE = "entry.json"
_STEM = "result"
_PARTS = ".parts"
_POLL = 0.1
_STALE = timedelta(days=1)
"""A folder somebody began to fill, or to remove, so long ago is left over from one who was killed."""
LIMIT = 20 * 10**9
"""Bytes that the cache of results may take, unless told otherwise."""


def cache_key(**parts: Any) -> str:
    """SHA-256 of ``parts``, plain data, in one spelling."""
    text = json.dumps({**unstructure(parts), "layout": _LAYOUT}, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class Stored:
    """What one pipeline gave. ``media_failures``: what was wrong with the file when it was decoded for it."""

    result: PipelineResult
    record: PipelineRecord
    media_failures: tuple[Failure, ...] = ()


@attrs.frozen
class CacheEntry:
    """An entry, for listing. ``size``: bytes. ``used``: when last, UTC.

    ``complete``: False for what a run that goes on, or has ended early, has of it so far.
    """

    key: str
    pipeline: str
    media: str
    size: int
    used: datetime
    complete: bool = True


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

    def has(self, key: str) -> bool:
        """True when something is kept under ``key``. It is not read, so it may be damaged."""
        return (self.folder / key / _NOTE).is_file()

    def lookup(self, key: str, rows: Iterable[type[Any]] = ()) -> Stored | None:
        """What is kept under ``key``, marked as used now; None when there is nothing, or it is damaged.

        ``rows``: the classes that are expected, so that nobody has to look for them among all plugins.
        """
        place = self.folder / key
        if not self.has(key):
            return None
        try:
            result = Native(rows=rows).read(place / f"{_STEM}.videoannotator")
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
        self._check_owner()
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

    def _check_owner(self) -> None:
        """What a pipeline remembers is kept pickled: nobody else may put such a file there."""
        if os.name != "posix":
            return  # there, folders of a user are that user's
        told = self.folder.stat()
        if told.st_uid != os.geteuid() or told.st_mode & 0o022:
            raise self._unusable("others may write into it; take that right from them (chmod go-w), if it is yours")

    def entries(self) -> list[CacheEntry]:
        """Everything that is kept, also of runs that did not end, the least recently used first."""
        found = []
        for note in self.folder.glob(f"*/{_NOTE}"):
            try:
                told = json.loads(note.read_text(encoding="utf-8"))
                key, complete = note.parent.name.removesuffix(_PARTS), not note.parent.name.endswith(_PARTS)
                changed = note.stat().st_mtime if complete else note.parent.stat().st_mtime
                size = told["size"] if complete else _size(note.parent)
                used = datetime.fromtimestamp(changed, UTC)
                found.append(CacheEntry(key, told["pipeline"], told["media"], size, used, complete))
            except (OSError, ValueError, KeyError):  # removed meanwhile, or damaged: then it is of no use to anybody
                continue
        return sorted(found, key=lambda entry: entry.used)

    def clear(self, older_than: timedelta = timedelta(0)) -> int:
        """Drop what was not used for so long, except what is being computed. Returns the bytes freed."""
        before = datetime.now(UTC) - older_than
        return self._sweep() + sum(self._drop(entry) for entry in self.entries() if entry.used <= before)

    def trim(self) -> int:
        """Drop the least recently used entries until the rest keeps to the limit. Returns the bytes freed."""
        entries, freed = self.entries(), self._sweep()
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= self.limit:
                break
            dropped = self._drop(entry)
            total -= dropped
            freed += dropped
        return freed

    def _drop(self, entry: CacheEntry) -> int:
        lock = FileLock(self.folder / f"{entry.key}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return 0  # it is being computed
        except OSError as error:
            raise self._unusable(error) from error
        try:
            place = self.folder / (entry.key if entry.complete else f"{entry.key}{_PARTS}")
            going = self.folder / f".{entry.key}-{os.getpid()}-{time.monotonic_ns()}"
            place.rename(going)  # at once, so that nobody reads half of it
            shutil.rmtree(going, ignore_errors=True)
        except FileNotFoundError:
            return 0
        finally:
            lock.release()
        return entry.size

    def _sweep(self) -> int:
        """Remove what those who were killed have left half made. Returns the bytes freed."""
        before, freed = time.time() - _STALE.total_seconds(), 0
        for left in self.folder.glob(".*-*"):
            with suppress(OSError):
                if left.stat().st_mtime < before:
                    size = _size(left)
                    shutil.rmtree(left)
                    freed += size
        return freed


def _size(folder: Path) -> int:
    """Bytes of the files in it."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):  # removed meanwhile
            total += file.stat().st_size if file.is_file() else 0
    return total


class Entry:
    """The right to fill one entry; held until `close`."""

    def __init__(self, cache: ResultCache, key: str, lock: FileLock) -> None:
        self._cache = cache
        self._key = key
        self._lock = lock

    def chain(self, pipeline: str, media: str, gives: Mapping[str, str] | None) -> Chain:
        """What an earlier run, that did not end, has left of it; more can be put there.

        ``pipeline``, ``media``: names, for listing. ``gives``: as in `Chain`.
        """
        note = json.dumps({"pipeline": pipeline, "media": media})
        return Chain(self._parts, gives, {_NOTE: note})

    @property
    def _parts(self) -> Path:
        return self._cache.folder / f"{self._key}{_PARTS}"

    def finish(self, stored: Stored, media: MediaInfo, provenance: Provenance) -> None:
        """Keep a complete result. ``provenance``: with the one record of ``stored``."""
        name = stored.result.name
        whole = Result(media, {name: stored.result}, provenance, stored.media_failures)
        place = self._cache.folder / self._key
        working = Path(tempfile.mkdtemp(dir=self._cache.folder, prefix=f".{self._key}-"))
        try:
            (written,) = Native(quick=True).write(whole, working, stem=_STEM)
            note = {"pipeline": name, "media": provenance.media_name, "size": _size(written)}
            (working / _NOTE).write_text(json.dumps(note), encoding="utf-8")
            if place.exists():  # damaged, or it would have been taken
                shutil.rmtree(place)
            working.rename(place)
            shutil.rmtree(self._parts, ignore_errors=True)
        except (OSError, FormatError) as error:  # a full disk must not cost the result that is in memory
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
