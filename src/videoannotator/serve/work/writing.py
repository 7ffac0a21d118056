"""Putting the result of a job on the disk: whole or not at all, and still there after a power cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs

from videoannotator.data.result import Result
from videoannotator.discover.catalog import catalog
from videoannotator.errors import FormatError
from videoannotator.serve.failpoints import failpoint
from videoannotator.serve.work.messages import Task
from videoannotator.serve.work.naming import PART, older_targets, stem_of
from videoannotator.serve.work.retrying import code_of

__all__ = ["Written", "named", "remove_older", "write_result"]


@attrs.frozen
class Written:
    """``files``: by format, names relative to the folder. ``failures``: formats that could not be written, and why."""

    bytes: int
    files: Mapping[str, tuple[str, ...]]
    failures: Mapping[str, str]


def write_result(result: Result, task: Task) -> Written:
    """Write the native result and every format asked for into ``task.target``, which appears when all is on the disk.

    A format that cannot hold this result is told in what comes back, the others are written. Raises `FormatError` or
    OSError when the disk does not take it, `UnknownFormatError` before anything is written.
    """
    target = Path(task.target)
    names = ["native", *(name for name in dict.fromkeys(task.request.formats) if name != "native")]
    for name in names:
        catalog().format(name)
    working = target.with_name(target.name + PART)
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    try:
        files, failures = _exported(named(result, task.name), working, names)
        size = _sync(working)
        failpoint("before-rename")
        if target.exists():  # of a history that was taken back with a backup: the database knows nothing of it
            shutil.rmtree(target)
        working.rename(target)
        _sync_folder(target.parent)
        failpoint("after-rename")
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise
    return Written(size, files, failures)


def remove_older(task: Task) -> None:
    """Remove what attempts before this one have left: killed while they wrote, or before what they wrote counted."""
    folder, target = Path(task.folder), Path(task.target)
    for left in older_targets(folder, target, task.job, task.attempt, stem_of(task.name)):
        shutil.rmtree(left, ignore_errors=True)


def named(result: Result, name: str) -> Result:
    """The result under its owner's name for the video; where the file lies on the server is nobody's business."""
    suffix = Path(name).suffix or Path(result.media.path).suffix
    path = f"{stem_of(name)}{suffix}"
    provenance = attrs.evolve(result.provenance, media_name=path)
    return attrs.evolve(result, media=attrs.evolve(result.media, path=path), provenance=provenance)


def _exported(result: Result, folder: Path, names: list[str]) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    files: dict[str, tuple[str, ...]] = {}
    failures: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        try:
            written = tuple(path.relative_to(folder).as_posix() for path in result.export(folder, [name]))
            if clash := taken.intersection(written):
                raise FormatError(f"{', '.join(clash)} was written by another format, too: ask for one of the two")
        except FormatError as error:
            if name == "native" or code_of(error) == "STORAGE_FULL":
                raise
            failures[name] = str(error)
            continue
        taken.update(written)
        files[name] = written
    return files, failures


def _sync(folder: Path) -> int:
    """Make sure that all of it is on the disk; returns its bytes."""
    total = 0
    for place, _, files in os.walk(folder, topdown=False):
        for file in files:
            path = Path(place) / file
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
                total += os.fstat(stream.fileno()).st_size
        _sync_folder(Path(place))
    return total


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
