"""From bytes that arrive to a video that is kept: counted, hashed, on the disk for certain, then looked at.

A file is written as ``uploads/{token}.part``, by nobody's name but ours. It is probed in a process that is limited and
shut in, moved to ``videos/{id}{suffix}``, and only then in the database. Whatever goes wrong, nothing is left of it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.decode.guarding import Guard, probe_guarded
from videoannotator.decode.limits import MediaLimits
from videoannotator.errors import MediaError, MediaLimitError
from videoannotator.serve.errors import ConflictError, MediaRefusedError, StorageFullError, TooLargeError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.videos import NewVideo, Video

__all__ = [
    "Part",
    "admit",
    "described",
    "is_media_name",
    "looked_at",
    "plain_title",
    "room_for",
    "suffix_of",
    "video_path",
    "writing",
]

_SUFFIXES = frozenset(
    ".3g2 .3gp .aac .ac3 .aif .aiff .amr .asf .au .avi .caf .dv .flac .flv .gif .ivf .m2ts .m4a .m4v .mj2 .mjpeg .mkv "
    ".mov .mp3 .mp4 .mpeg .mpg .mts .mxf .nut .oga .ogg .ogv .opus .ts .vob .w64 .wav .webm .wma .wmv".split()
)
"""Endings that are kept: those of formats that are opened. Any other becomes ``.media``."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LONGEST = 255


def plain_title(given: str | None) -> str:
    """What a client calls a file, as data that can be shown: no folders, no control or direction characters."""
    last = (given or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(c if c.isprintable() else "_" for c in last).strip()
    if len(shown) > _LONGEST:
        ending = PurePosixPath(shown).suffix[:20]
        shown = shown[: _LONGEST - len(ending)] + ending
    return "video" if shown in ("", ".", "..") else shown


def suffix_of(name: str) -> str:
    """The ending for a file of ours."""
    suffix = PurePosixPath(name.lower()).suffix
    return suffix if suffix in _SUFFIXES else ".media"


def is_media_name(name: str) -> bool:
    """True for names that end as those of media files do."""
    return suffix_of(name) != ".media"


def video_path(settings: ServerSettings, video: Video) -> Path:
    """Where a video lies."""
    return settings.data_dir / video.path  # an absolute path stays what it is


@contextmanager
def writing() -> Iterator[None]:
    """Make a full disk `StorageFullError`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(
                "there is no room left on the server's disk; nothing of this was kept",
                hint="delete videos and jobs that are not needed, or ask an admin for room",
            ) from error
        raise


def room_for(settings: ServerSettings, size: int) -> None:
    """Raise `TooLargeError` or `StorageFullError` if so many bytes cannot be taken."""
    most = settings.limits.upload_bytes
    if size > most:
        raise TooLargeError(
            f"the file has {size:,} bytes, and {most:,} are allowed", hint="cut it, or compress it more"
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(settings.data_dir).free - size < settings.limits.free_bytes:
        raise StorageFullError(
            "there is not enough room on the server's disk for this file",
            hint="delete videos and jobs that are not needed, or ask an admin for room",
        )


class Part:
    """A file while it is received; whoever makes one calls `discard` in the end.

    ``announced``: bytes that the client promises, None if it does not. Raises what `room_for` raises.
    """

    def __init__(self, settings: ServerSettings, announced: int | None = None) -> None:
        room_for(settings, announced or 0)
        self._most = settings.limits.upload_bytes
        folder = settings.data_dir / "uploads"
        with writing():
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder / f"{secrets.token_hex(16)}.part"
            self._file = self.path.open("xb")
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Add bytes. Raises `TooLargeError` and `StorageFullError`."""
        self.bytes += len(data)
        if self.bytes > self._most:
            raise TooLargeError(
                f"the file has more than the {self._most:,} bytes that are allowed", hint="cut it, or compress it more"
            )
        with writing():
            self._file.write(data)
        self._hash.update(data)

    def finish(self) -> str:
        """Everything is here: put it on the disk for certain. The SHA-256, hexadecimal."""
        with writing():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave nothing of it, unless it was admitted: then it lies elsewhere."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def looked_at(settings: ServerSettings, path: Path, name: str) -> MediaInfo:
    """Probe a file that nobody vouches for. ``name``: what the client calls it: no path of ours is told.

    Raises `MediaRefusedError` with the reason.
    """
    allowed = settings.limits
    limits = MediaLimits(
        duration=allowed.duration, pixels=allowed.pixels, total_pixels=allowed.total_pixels, streams=allowed.streams
    )
    try:
        return probe_guarded(path, limits, Guard(), decode_seconds=0.5)
    except MediaError as error:
        details: dict[str, Any] = {"field": "video", "message": _told(error, name), "code": type(error).__name__}
        if isinstance(error, MediaLimitError):
            details |= {"limit": error.limit, "value": error.value, "allowed": error.allowed}
        raise MediaRefusedError(
            _told(error, name), hint="play it, or convert it, e.g. to MP4 with H.264", details=[details]
        ) from error


def _told(error: MediaError, name: str) -> str:
    """The message of an error, with the client's name for the file."""
    return str(error).replace(error.path, name)


def described(media: MediaInfo) -> dict[str, Any]:
    """What clients are told of a file, as plain values: seconds, pixels as shown, frames, frames per second, Hz."""
    video, audio = media.video, media.audio
    return {
        "container": media.container,
        "duration": media.duration,
        "still": media.still,
        "video": None
        if video is None
        else {
            "codec": video.codec,
            "width": video.width,
            "height": video.height,
            "frames": len(video.clock),
            "rate": float(video.average_rate) if video.average_rate else None,
            "variable_rate": bool(video.clock.variable),
            "rotation": video.rotation,
            "interlaced": video.interlaced,
            "bit_depth": video.bit_depth,
        },
        "audio": None
        if audio is None
        else {
            "codec": audio.codec,
            "sample_rate": audio.sample_rate,
            "channels": audio.channels,
            "start": audio.start,
            "duration": audio.duration,
        },
        "notices": [notice.replace(media.path, "the file") for notice in media.notices],
    }


def admit(
    service: Service,
    owner: str,
    path: Path,
    *,
    name: str,
    size: int,
    sha256: str,
    video_id: str | None = None,
    with_jobs: bool = False,
    upload_id: str | None = None,
) -> Video:
    """Make a complete file a video: probe it, put it in its place, keep the row.

    ``path``: moved, if all goes well, and otherwise the caller's to delete. ``video_id``: chosen by the client.
    ``upload_id``: of the upload it came by. Raises `MediaRefusedError`, `QuotaError`, `StorageFullError`,
    `ConflictError`.
    """
    media = looked_at(service.settings, path, name)
    new = NewVideo(
        owner_id=owner,
        name=name,
        path="",
        stored=True,
        bytes=size,
        sha256=sha256,
        media=described(media),
        duration=media.duration,
        with_jobs=with_jobs,
    )
    if video_id is not None:
        new = attrs.evolve(new, id=video_id)
    new = attrs.evolve(new, path=f"videos/{new.id}{suffix_of(name)}")
    place = service.settings.data_dir / new.path
    with writing():
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.open("xb").close()  # whoever makes the name owns it: a rename would replace somebody's video
        except FileExistsError as error:
            raise ConflictError(f"there is a video {new.id} already", hint="choose another id, or none") from error
        os.replace(path, place)
        _sync(place.parent)
    try:
        with service.database.write() as connection:
            service.quotas.require_bytes(connection, owner, size, besides=upload_id)
            return service.videos.add(new, connection=connection)
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    """Put the names in a folder on the disk for certain."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
