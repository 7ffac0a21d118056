"""``videoannotator annotate`` and ``plan``: files in, results written, a summary said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from videoannotator.data.outcome import Failure
from videoannotator.data.result import Result
from videoannotator.discover.catalog import catalog
from videoannotator.errors import (
    CancelledError,
    ConfigError,
    DeviceError,
    FormatError,
    PlanError,
    PluginError,
    UsageError,
    VideoAnnotatorError,
)
from videoannotator.shell.main import Exit
from videoannotator.shell.progress import watching
from videoannotator.shell.request import Request
from videoannotator.shell.settings import comma_list
from videoannotator.shell.speaking import give, say
from videoannotator.shell.weights import fetch_for

if TYPE_CHECKING:
    from videoannotator.run.annotator import Annotator

__all__ = ["DEFAULT_FORMATS", "annotate_files", "folders", "next_step", "show_plan", "summary"]

DEFAULT_FORMATS = ("native", "coco", "webvtt", "rttm")

_CONCERNS_ALL = (CancelledError, ConfigError, DeviceError, PlanError, PluginError, UsageError)

_NEXT = {
    "model_missing": "See: videoannotator pipelines {pipeline}",
    "decode_error": "Everything else of the file was annotated. Copy the file again, or repair it.",
    "truncated": "Everything up to there was annotated. Copy the file again if its source is longer.",
}


def annotate_files(
    videos: Sequence[Path],
    request: Request,
    out: Path,
    formats: Sequence[str],
    *,
    sheet: bool = False,
    video: bool = False,
) -> int:
    """Annotate each file and write into ``out``. Returns the exit code.

    A file that cannot be annotated is said so and the others go on. Raises what concerns the whole call:
    `UsageError`, `ConfigError`, `UnknownPipelineError`, `UnknownFormatError`, `ModelMissingError`.
    """
    chosen_formats = comma_list(formats) or list(DEFAULT_FORMATS)
    found = catalog()
    for name in chosen_formats:
        found.format(name)
    places = folders(_existing(videos), out)
    choice = request.choose(found)
    worst = Exit.WELL
    tried: set[str] = set()
    with request.annotator(choice) as annotator:
        _make_folder(out)
        for number, (file, folder) in enumerate(places.items(), start=1):
            say(f"{file}" if len(places) == 1 else f"[{number}/{len(places)}] {file}")
            try:
                if choice.fetched:
                    fetch_for(annotator.plan(file, start=request.start, end=request.end), tried)
                done = _annotate(annotator, file, request, folder, chosen_formats, sheet=sheet, video=video)
                worst = max(worst, done)
            except _CONCERNS_ALL:
                raise
            except VideoAnnotatorError as error:
                say(f"  failed: {error}")
                worst = Exit.FAILED
    return worst


def _annotate(
    annotator: Annotator,
    file: Path,
    request: Request,
    folder: Path,
    formats: Sequence[str],
    *,
    sheet: bool,
    video: bool,
) -> Exit:
    with watching(file.name) as progress:
        result = annotator.annotate(file, start=request.start, end=request.end, progress=progress)
    for line in summary(result):
        say(f"  {line}")
    worst = Exit.WELL if result.ok else Exit.FAILED
    _make_folder(folder)
    for name in formats:
        try:
            for path in result.export(folder, formats=[name]):
                give(path)
        except FormatError as error:  # the other formats can still be written
            say(f"  failed: {name}: {error}")
            worst = Exit.FAILED
    if sheet:
        from videoannotator.draw.sheet import contact_sheet

        contact_sheet(result, folder / f"{result.stem}_sheet.png")
        give(folder / f"{result.stem}_sheet.png")
    if video and result.media.video is not None:
        from videoannotator.shell.drawing import draw_video

        give(draw_video(result, folder / f"{result.stem}_drawn.mp4"))
    elif video:
        say("  no video is drawn: this file has no pictures")
    return worst


def _existing(videos: Sequence[Path]) -> list[Path]:
    """The files, each once. Raises `UsageError` naming those that are not there."""
    absent = [video for video in videos if not video.exists()]
    if absent:
        raise UsageError("no such file: " + ", ".join(map(str, absent)))
    for video in videos:
        if video.is_dir():
            raise UsageError(f"{video} is a folder; name the files in it, for example {video / '*.mp4'}")
    once = {os.path.realpath(video): video for video in reversed(videos)}
    kept = [video for video in videos if once[os.path.realpath(video)] is video]
    if len(kept) < len(videos):
        say(f"{len(videos) - len(kept)} of the files are named twice and are annotated once")
    return kept


def folders(videos: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Into which folder each video's results go: ``out``, unless two would overwrite each other.

    Files are named after the video without its suffix. Videos that share that name get a folder each, named after as
    much of their paths as tells them apart; upper and lower case are one, as they are on many disks.
    """
    groups: dict[str, list[Path]] = {}
    for video in videos:
        groups.setdefault(video.stem.casefold(), []).append(video)
    places = dict.fromkeys(videos, out)
    for group in groups.values():
        if len(group) > 1:
            for video, name in zip(group, _telling_names(group), strict=True):
                places[video] = out / name
                say(f"{video}: another file has this name; its results go to {out / name}")
    return places


def _telling_names(group: Sequence[Path]) -> list[str]:
    """``clip.mp4`` and ``clip.avi``, or ``monday_clip.mp4`` and ``tuesday_clip.mp4``; numbers if nothing else helps."""
    parts = [Path(os.path.abspath(video)).parts[1:] for video in group]  # without the root
    for length in range(1, max(map(len, parts)) + 1):
        names = ["_".join(part[-length:]) for part in parts]
        if len({name.casefold() for name in names}) == len(group):
            return names
    return [f"{video.name}-{number}" for number, video in enumerate(group, start=1)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot be made: {error.strerror}") from error


def summary(result: Result) -> Iterator[str]:
    """A line for each table and each failure, with what to do next."""
    span = result.provenance.span.duration
    for name, output, table in result.tables():
        coverage = result[name].coverage
        partly = "" if coverage.duration >= span - 0.1 else f"  (looked at {coverage.duration:.1f} of {span:.1f} s)"
        yield f"{name}.{output}: {len(table)} rows of {table.row_class.__name__}{partly}"
    for notice in result.media.notices:
        yield f"note: {notice}"
    for failure in result.failures:
        yield f"failed: {failure}"
        step = next_step(failure)
        if step:
            yield f"  {step}"


def next_step(failure: Failure) -> str:
    """What to do about a failure, where its message does not say it; else nothing."""
    return _NEXT.get(failure.kind, "").format(pipeline=failure.pipeline or "")


def show_plan(video: Path, request: Request) -> int:
    """Print what would be done with ``video``. Returns the exit code."""
    choice = request.choose(catalog())
    with request.annotator(choice) as annotator:
        give(annotator.plan(_existing([video])[0], start=request.start, end=request.end))
    return Exit.WELL
