"""Recordings that come in a ZIP file: unpacked within limits, under names of ours.

A ZIP file may hold names that lead out of the folder, links, a hundred thousand files, or a few bytes that become
petabytes. So its directory is looked at first; every name is made here, and the original is handed back as data; what
is really written is counted, whatever the directory says.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO
from uuid import uuid4

import attrs

from videoannotator.errors import DataError, MediaLimitError, RefusedMediaError, UnreadableMediaError

__all__ = ["Unpacked", "ZipLimits", "unpack_zip"]

_CHUNK = 1 << 20
_SLACK = 1 << 20
"""Bytes below which no ratio is looked at: an empty table of a megabyte compresses a thousand times, without harm."""

_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Of the others LZMA takes as much memory as the file says, up to 4 GB."""

_ENTRY = 2048
"""Bytes in the directory for each file; names are shorter."""

_LOCAL = 30
"""Bytes before the name of a file, where its content is."""

_NOISE = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._)")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}$")


@attrs.frozen(kw_only=True)
class ZipLimits:
    """What a ZIP file may become at most. Each is a number more than 0, else `DataError`.

    ``entries``: files and folders in it. ``total``: bytes of all files together; ``size``: of one. ``ratio``: bytes of
    a file for each byte of it in the ZIP file; video does not compress, tables do a few times.
    """

    entries: int = 10_000
    total: int = 200 << 30
    size: int = 20 << 30
    ratio: float = 100.0

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if not value > 0:
                raise DataError(f"ZipLimits.{name} is a number more than 0, got {value!r}")


@attrs.frozen
class Unpacked:
    """A file that came out of a ZIP file. ``path``: where it is now, under a name of ours, with the suffix it had.

    ``name``: what it was called in there, with folders; it is data, never a path. ``size``: bytes.
    """

    path: Path
    name: str
    size: int


def unpack_zip(
    file: str | PathLike[str],
    folder: str | PathLike[str],
    limits: ZipLimits | None = None,
    *,
    wanted: Callable[[str], bool] | None = None,
) -> Iterator[Unpacked]:
    """Unpack ``file`` into ``folder``, which is there, one file after the other, and tell of each when it is whole.

    ``wanted``: asked with each name; the others are not unpacked. Folders, empty names and what macOS and Windows add
    by themselves (``__MACOSX``, ``Thumbs.db``) are passed over. Nothing is read into memory whole.

    When it raises, or is not read to its end, the file at hand is removed; those told of stay, and are the caller's.

    Raises `UnreadableMediaError` for what is no ZIP file, or damaged; `RefusedMediaError` for links and devices in it,
    names that lead out of it, files that share their bytes, encryption, and unknown compression; `MediaLimitError`
    with the field of `ZipLimits`.
    """
    kept = limits or ZipLimits()
    name = os.fspath(file)
    written = 0
    with ExitStack() as stack:
        with _named(name):
            packed = stack.enter_context(_Bounded(name, kept.entries))
            archive = stack.enter_context(zipfile.ZipFile(packed))
            entries = _checked(name, archive, kept)
        for entry in entries:
            if wanted is not None and not wanted(entry.filename):
                continue
            path = Path(folder) / f"{uuid4().hex}{_suffix(entry.filename)}"
            with _named(name):
                size = _unpack(name, archive, entry, path, kept, written)
            written += size
            yield Unpacked(path, entry.filename, size)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """What zipfile raises for a file that is broken, as an error of ours. Errors of the disk stay what they are."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, NotImplementedError, struct.error) as error:
        message = f"this is no ZIP file that can be read ({error}). Was the copy interrupted?"
        raise UnreadableMediaError(message, path=path) from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        message = f"this is no ZIP file that can be read ({error}). Was it made by a usual program?"
        raise UnreadableMediaError(message, path=path) from error


class _Bounded(io.BufferedReader):
    """The file, of which nobody reads much at once: zipfile reads its directory in one piece, as large as it says."""

    def __init__(self, path: str, entries: int) -> None:
        try:
            super().__init__(io.FileIO(path))
        except OSError as error:
            raise UnreadableMediaError(f"this file cannot be read: {error.strerror}.", path=path) from error
        self._path = path
        self._entries = entries
        self._length = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As of a file. Raises `MediaLimitError` for more than the directory may have."""
        left = max(0, self._length - self.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > (1 << 20) + self._entries * _ENTRY:
            says = f"its directory has {wanted:,} bytes, as for about {wanted // 64:,} files"
            _above(self._path, "entries", wanted // 64, self._entries, says)
        return super().read(size)


def _suffix(name: str) -> str:
    found = _SUFFIX.search(name.lower())
    return found.group() if found else ""


def _checked(path: str, archive: zipfile.ZipFile, limits: ZipLimits) -> list[zipfile.ZipInfo]:
    """The files in it, after all that its directory tells was found to be harmless."""
    entries = archive.infolist()
    if len(entries) > limits.entries:
        _above(path, "entries", len(entries), limits.entries, f"it holds {len(entries):,} files")
    files = [entry for entry in entries if entry.filename and not entry.is_dir() and not _NOISE.search(entry.filename)]
    for entry in files:
        _check_kind(path, entry)
        _check_size(path, entry.filename, entry.file_size, entry.compress_size, limits)
    total = sum(entry.file_size for entry in files)
    if total > limits.total:
        _above(path, "total", total, limits.total, f"its files have {total:,} bytes together")
    _check_overlap(path, entries)
    return files


def _check_kind(path: str, entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise RefusedMediaError(f"{name!r} in it is a link or a device, not a file. Pack the file itself.", path=path)
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise RefusedMediaError(f"the name {name!r} in it leads to another folder. Pack it again.", path=path)
    if entry.flag_bits & _ENCRYPTED:
        raise RefusedMediaError(f"{name!r} in it is encrypted. Pack it without a password.", path=path)
    if entry.compress_type not in _METHODS:
        raise RefusedMediaError(
            f"{name!r} in it is compressed by a method that is not known ({entry.compress_type}). Pack it as usual.",
            path=path,
        )


def _check_size(path: str, name: str, size: int, packed: int, limits: ZipLimits) -> None:
    if size > limits.size:
        _above(path, "size", size, limits.size, f"{name!r} in it has {size:,} bytes")
    if size > _SLACK and size > packed * limits.ratio:
        ratio = size / max(1, packed)
        _above(path, "ratio", ratio, limits.ratio, f"{name!r} in it becomes {ratio:,.0f} times as large")


def _check_overlap(path: str, entries: list[zipfile.ZipInfo]) -> None:
    """No byte may belong to two files: that is how 10 MB become 281 TB (https://www.bamsoftware.com/hacks/zipbomb/)."""
    end = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise RefusedMediaError(f"{entry.filename!r} in it shares its bytes with another file.", path=path)
        end = entry.header_offset + _LOCAL + entry.compress_size


def _unpack(
    archive_path: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, limits: ZipLimits, before: int
) -> int:
    """Write one file. Counts what comes, whatever the directory says. Returns its bytes."""
    whole = False
    try:
        with archive.open(entry) as packed, open(path, "xb") as output:
            size = _copy(archive_path, entry, packed, output, limits, before)
        whole = True
    finally:
        if not whole:
            with suppress(OSError):
                path.unlink()
    return size


def _copy(
    archive_path: str, entry: zipfile.ZipInfo, packed: IO[bytes], output: IO[bytes], limits: ZipLimits, before: int
) -> int:
    size = 0
    while chunk := packed.read(_CHUNK):
        size += len(chunk)
        _check_size(archive_path, entry.filename, size, entry.compress_size, limits)
        if before + size > limits.total:
            _above(
                archive_path, "total", before + size, limits.total, f"its files have more than {limits.total:,} bytes"
            )
        output.write(chunk)
    return size


def _above(path: str, limit: str, value: float, allowed: float, says: str) -> None:
    raise MediaLimitError(f"{says}, and {allowed:,} are allowed.", path=path, limit=limit, value=value, allowed=allowed)
