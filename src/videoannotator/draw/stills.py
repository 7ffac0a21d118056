"""Single pictures: one frame, and a chart of who is seen when."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from videoannotator.data.boxes import box_tables
from videoannotator.data.media import VideoInfo
from videoannotator.data.result import Result
from videoannotator.draw.lanes import Lane, of_persons, span_lanes, track_lanes
from videoannotator.draw.look import Look
from videoannotator.draw.people import People
from videoannotator.draw.saving import save
from videoannotator.draw.scene import Scene
from videoannotator.draw.source import located, pictures, video_of
from videoannotator.draw.style import FAINT, INK, MARGIN, PAPER, WIDTH, font, pillow, shorten
from videoannotator.draw.timeline import Chart
from videoannotator.errors import ConfigError, MediaError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["frame", "size_for", "tracks"]


def size_for(video: VideoInfo, height: int | None) -> tuple[int, int]:
    """Width and height of drawn pictures: as shown, or ``height`` pixels high. Raises `ConfigError` below 2."""
    if height is None:
        return video.width, video.height
    if height < 2:
        raise ConfigError(f"height must be at least 2 pixels, got {height!r}")
    return max(1, round(video.width * height / video.height)), height


def frame(
    result: Result,
    *,
    time: float | None = None,
    frame: int | None = None,
    path: str | PathLike[str] | None = None,
    look: Look | None = None,
    media: str | PathLike[str] | None = None,
    height: int | None = None,
) -> Image.Image:
    """One frame with what was found on it, as an RGB picture.

    ``time``: seconds; the frame that is shown then. ``frame``: its index instead. ``path``: also save it there.
    ``height``: pixels; the size as shown when None. ``look``, ``media``: as for `contact_sheet`.

    Raises `NoVideoError` where there are no pictures, `ConfigError` when both or neither of ``time`` and ``frame`` are
    given or the film has no such frame, `MediaError` when the frame cannot be decoded, and what `contact_sheet` raises.
    """
    pillow()
    result = located(result, media)
    video = video_of(result)
    times = video.clock.times
    if (time is None) == (frame is None):
        raise ConfigError("say which frame to draw: time=SECONDS or frame=INDEX, one of them")
    if time is not None:
        if not 0 <= time < max(video.clock.end, result.media.duration):
            raise ConfigError(f"time={time!r} is not in this film, which lasts {result.media.duration:.3f} s")
        frame = max(0, int(np.searchsorted(times, time + 1e-9, side="right")) - 1)
    if frame is None or not 0 <= frame < len(times):
        raise ConfigError(f"frame={frame!r} is not in this film, which has frames 0 to {len(times) - 1}")
    scene = Scene(result, look if look is not None else Look())
    for number, seconds, pixels in pictures(result, [frame], size_for(video, height)):
        return save(scene.paint(pixels, number, seconds), path)
    raise MediaError(f"frame {frame} could not be decoded", path=result.media.path)


def tracks(
    result: Result,
    path: str | PathLike[str] | None = None,
    *,
    look: Look | None = None,
    most: int = 60,
) -> Image.Image:
    """Who is seen when: a lane for each person or track of every pipeline, with its gaps, and the shots above.

    Needs no media file. ``path``: also save it there. ``look``: whose rows (``pipelines``). ``most``: lanes for so many
    tracks of one pipeline, those that are seen longest. An RGB picture, 1600 pixels wide; grey is what was looked at,
    hatched what was not.
    """
    pillow()
    from PIL import Image, ImageDraw

    look = look if look is not None else Look()
    people = People(result)
    drawn: list[Lane] = span_lanes(result, look)
    for boxes in box_tables(result, look.pipelines):
        if of_persons(boxes.table):
            continue  # their lanes are those of their tracks
        title = "faces" if boxes.is_face else boxes.pipeline.replace("_", " ")
        mine = list(track_lanes(boxes, people, most))
        count = len({track for track in boxes.tracks if track is not None})
        note = f"{count} track{'s' if count != 1 else ''}, {len(boxes.table)} rows"
        drawn.append(Lane(title, covered=boxes.coverage.spans, note=note, slim=True))
        drawn += mine
    span = result.provenance.span
    chart = Chart(span)
    picture = Image.new("RGB", (WIDTH, chart.total(drawn) + 34 + 2 * MARGIN + 30), PAPER)
    draw = ImageDraw.Draw(picture)
    letters = font(20, result.provenance.media_name)
    name = shorten(result.provenance.media_name, letters, WIDTH // 2)
    draw.text((MARGIN, MARGIN // 2), name, font=letters, fill=INK, anchor="lt")
    facts = f"{span.start:.2f} to {span.end:.2f} s"
    draw.text((WIDTH - MARGIN, MARGIN // 2 + 4), facts, font=font(14), fill=FAINT, anchor="rt")
    chart.draw_axis(draw, chart.draw_lanes(draw, drawn, MARGIN + 30))
    return save(picture, path)
