"""``videoannotator draw``: pictures and films of a result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from videoannotator.data.result import Result
from videoannotator.draw import Look, contact_sheet, faces, frame, tracks, video
from videoannotator.errors import UsageError
from videoannotator.formats.exporting import read
from videoannotator.shell.main import Exit
from videoannotator.shell.progress import drawing
from videoannotator.shell.speaking import give, program

__all__ = ["Wanted", "draw_result", "draw_video"]


@attrs.frozen
class Wanted:
    """What is to be written, and how: None is not written. See the options of the command."""

    video: Path | None = None
    sheet: Path | None = None
    tracks: Path | None = None
    faces: Path | None = None
    image: Path | None = None
    at: float | None = None
    start: float | None = None
    end: float | None = None
    height: int | None = None
    sound: bool = True

    def __attrs_post_init__(self) -> None:
        if not any((self.video, self.sheet, self.tracks, self.faces, self.image)):
            raise UsageError(
                "say what to draw: --video OUT.mp4, --sheet OUT.png, --tracks OUT.png, --faces OUT.png, or "
                "--image OUT.png --at SECONDS"
            )
        if (self.image is None) != (self.at is None):
            raise UsageError("--image OUT.png and --at SECONDS go together")


def draw_result(path: Path, media: Path | None, wanted: Wanted, options: Mapping[str, Any]) -> int:
    """Draw what is wanted of the result at ``path``. Returns the exit code.

    Raises `UsageError` when there is no result, `ConfigError` for options that are wrong, and what
    `videoannotator.draw` raises.
    """
    look = Look(**options)
    result = read(_found(path))
    if media is None and path.is_file() and not _is_result(path):
        media = path
    if wanted.sheet is not None:
        contact_sheet(result, wanted.sheet, look=look, media=media)
        give(wanted.sheet)
    if wanted.tracks is not None:
        tracks(result, wanted.tracks, look=look)
        give(wanted.tracks)
    if wanted.faces is not None:
        faces(result, wanted.faces, look=look, media=media)
        give(wanted.faces)
    if wanted.image is not None:
        frame(result, time=wanted.at, path=wanted.image, look=look, media=media, height=wanted.height)
        give(wanted.image)
    if wanted.video is not None:
        more = {"start": wanted.start, "end": wanted.end, "height": wanted.height, "sound": wanted.sound}
        give(draw_video(result, wanted.video, look=look, media=media, **more))
    return Exit.WELL


def draw_video(result: Result, path: Path, **options: Any) -> Path:
    """Write the film, with a bar that shows how far it is. Arguments and errors: `videoannotator.draw.video`."""
    with drawing(path.name) as progress:
        return video(result, path, progress=progress, **options)


def _is_result(path: Path) -> bool:
    """True for what formats write; a film has a suffix that none of them reads."""
    from videoannotator.discover.catalog import catalog

    suffixes = tuple(s.lower() for entry in catalog().formats.values() for s in entry.spec.suffixes)
    return path.name.lower().endswith(suffixes)


def _found(path: Path) -> Path:
    """The result itself, or that of a film: beside it, or in a folder of annotations there or here."""
    if not path.exists():
        raise UsageError(f"no such file: {path}")
    if path.is_dir() or _is_result(path):
        return path
    name = f"{path.stem}.videoannotator"
    places = [path.parent / name, path.parent / "annotations" / name, Path("annotations") / name]
    for place in places:
        if place.is_dir():
            return place
    raise UsageError(
        f"there is no result of {path}: {name} is neither beside it nor in a folder annotations. Make it first: "
        f"{program()} annotate {path}"
    )
