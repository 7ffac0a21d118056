"""Where the files of a job are, and how they are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from videoannotator.serve.request import JobRequest
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.settings import ServerSettings

__all__ = ["PART", "absolute", "job_folder", "older_targets", "relative", "stem_of", "target_of"]

PART = ".part"
"""The end of a folder's name while it is being filled."""
_LONGEST = 100
"""Bytes of a stem: formats add to it, and most file systems end at 255."""


def stem_of(name: str) -> str:
    """How files made from a video begin, from its owner's name for it: a part of a path on any system, never empty."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode())
    plain = re.sub(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]', "_", plain)
    stem = PurePosixPath(plain).stem.strip(" .") if plain else ""
    stem = stem.encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    reserved = re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", stem)
    return f"_{stem}" if reserved else stem or "video"


def job_folder(settings: ServerSettings, job_id: str) -> Path:
    """The folder of a job in the data folder."""
    return settings.data_dir.absolute() / "jobs" / job_id


def target_of(settings: ServerSettings, request: JobRequest, job_id: str, attempt: int, stem: str) -> Path:
    """Where the result of an attempt is to appear. No two attempts share one. Raises `RequestError`."""
    if request.output_directory is None:
        return job_folder(settings, job_id) / _inside(attempt)
    folder = inside_roots(settings, request.output_directory, what="output_directory")
    return folder / _outside(job_id, attempt, stem)


def older_targets(folder: Path, target: Path, job_id: str, attempt: int, stem: str) -> Iterator[Path]:
    """Where attempts before this one may have left a result, or a part of one. They can never be committed any more.

    ``folder``: of the job. ``target``: of this attempt.
    """
    for number in range(1, attempt):
        name = _inside(number) if target.parent == folder else _outside(job_id, number, stem)
        yield target.with_name(name)
        yield target.with_name(name + PART)


def _inside(attempt: int) -> str:
    return f"attempt-{attempt}"


def _outside(job_id: str, attempt: int, stem: str) -> str:
    return f"{stem}-{job_id[:8]}{f'-{attempt}' if attempt > 1 else ''}"


def relative(settings: ServerSettings, path: str) -> str:
    """A path as the database keeps it: relative to the data folder, where it lies in there."""
    data = settings.data_dir.absolute()
    return Path(path).relative_to(data).as_posix() if Path(path).is_relative_to(data) else path


def absolute(settings: ServerSettings, path: str) -> Path:
    """A path from the database."""
    return settings.data_dir.absolute() / path
