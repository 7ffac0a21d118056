"""The pictures of the contact sheet: which frames are shown, and what is drawn on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Frames
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.shell.sheet_style import FACE, Color, font, track_color

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

__all__ = ["BoxTable", "box_tables", "choose_frames", "tiles"]

_BOX = {"frame", "time", "x1", "y1", "x2", "y2"}
_SHARPER = 2  # tiles are drawn this much larger and scaled down: Pillow's lines have no smooth edges

# pairs of COCO's 17 keypoints that are joined by a line: head, arms, trunk, legs
_LIMBS = (
    *((0, 1), (0, 2), (1, 3), (2, 4)),
    *((5, 7), (7, 9), (6, 8), (8, 10), (5, 6)),
    *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
_SURE = 0.3  # keypoints that the model believes in less are not drawn


@attrs.frozen
class BoxTable:
    """Boxes on frames, of whatever row class. ``coverage`` tells at which rate frames were looked at."""

    pipeline: str
    table: Table[Any]
    coverage: Coverage

    def has(self, column: str) -> bool:
        """True when the rows have that field."""
        return column in self.table.columns

    def at(self, frame: int, time: float) -> Table[Any]:
        """The rows of a frame, or, if it was not looked at, of the nearest one that may stand for it."""
        frames, times = np.asarray(self.table.column("frame")), np.asarray(self.table.column("time"))
        here: NDArray[np.bool_] = frames == frame
        if not here.any() and times.size and self.coverage.rate is not None:
            nearest = int(np.argmin(np.abs(times - time)))
            if abs(times[nearest] - time) <= 0.5 / self.coverage.rate + 1e-6:
                here = frames == frames[nearest]
        return self.table[here]


def box_tables(result: Result) -> tuple[BoxTable, ...]:
    """Every table of the result whose rows are boxes on frames."""
    return tuple(
        BoxTable(name, table, result[name].coverage) for name, _, table in result.tables() if set(table.columns) >= _BOX
    )


def choose_frames(result: Result, count: int) -> list[int]:
    """Indices of at most ``count`` frames, in order: every shot has one if there are not too many.

    Longer shots get more. Inside its stretch of time a tile shows the frame nearest to the middle on which
    something was found, or, where nothing was, the middle.
    """
    video = result.media.video
    if video is None or not len(video.clock):
        return []
    times = video.clock.times
    span = result.provenance.span
    found = [np.asarray(boxes.table.column("frame"), dtype=np.int64) for boxes in box_tables(result)]
    rows = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    chosen = set()
    for stretch in _stretches(_shots(result), span, count):
        inside = np.flatnonzero((times >= stretch.start) & (times < stretch.end))
        if not inside.size:
            continue
        candidates = rows[np.isin(rows, inside)]
        candidates = candidates if candidates.size else inside
        middle = (stretch.start + stretch.end) / 2
        chosen.add(int(candidates[np.argmin(np.abs(times[candidates] - middle))]))
    return sorted(chosen) or [int(np.argmin(np.abs(times - span.start)))]


def _shots(result: Result) -> list[TimeSpan]:
    for _, _, table in result.tables():
        if issubclass(table.row_class, Shot) and len(table):
            return [TimeSpan(shot.start, shot.end) for shot in table]
    return []


def _stretches(shots: Sequence[TimeSpan], span: TimeSpan, count: int) -> list[TimeSpan]:
    """``span`` in at most ``count`` pieces that do not cross a cut, or in ``count`` equal ones."""
    if not shots or len(shots) > count:
        shots = [span]
    pieces = [1] * len(shots)
    while sum(pieces) < count:  # the next tile goes where the tiles stand for most time
        pieces[int(np.argmax([shot.duration / n for shot, n in zip(shots, pieces, strict=True)]))] += 1
    stretches = []
    for shot, n in zip(shots, pieces, strict=True):
        edges = np.linspace(shot.start, shot.end, n + 1).tolist()
        stretches += [TimeSpan(a, b) for a, b in pairwise(edges)]
    return stretches


def tiles(result: Result, chosen: Sequence[int], width: int) -> Iterator[tuple[float, Image.Image]]:
    """The chosen frames, ``width`` pixels wide, with what was found drawn on them: (time, picture)."""
    from PIL import Image

    video = result.media.video
    if video is None:
        return
    boxes = box_tables(result)
    size = (width * _SHARPER, max(1, round(width * _SHARPER * video.height / video.width)))
    for number, time, pixels in _pictures(result, chosen, size):
        picture = Image.fromarray(pixels)
        for found in boxes:
            _draw_boxes(picture, found, number, time, size[0] / video.width)
        _stamp(picture, f"{time:.2f} s")
        yield time, picture.resize((size[0] // _SHARPER, size[1] // _SHARPER), Image.Resampling.LANCZOS)


def _pictures(
    result: Result, chosen: Sequence[int], size: tuple[int, int]
) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    from videoannotator.decode.passes import DecodePass

    wanted = set(chosen)
    clock = result.media.video.clock if result.media.video is not None else None
    if clock is None or not wanted:
        return
    times = clock.times
    last = min(float(times[max(wanted)]) + 1e-3, result.media.duration)
    span = TimeSpan(float(times[min(wanted)]), max(last, float(times[min(wanted)])))
    with DecodePass(result.media, frames=[Frames(width=size[0], height=size[1])], span=span) as decoding:
        for picture in decoding:
            if picture.frame in wanted:  # only these are converted and scaled
                yield picture.frame, picture.time, picture.pixels(0)


def _draw_boxes(picture: Image.Image, found: BoxTable, frame: int, time: float, scale: float) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    is_face = found.has("landmarks")
    for row in found.at(frame, time):
        track = getattr(row, "track", None)
        color = FACE if is_face else track_color(track)
        box = (row.x1 * scale, row.y1 * scale, row.x2 * scale, row.y2 * scale)
        draw.rectangle(box, outline=color, width=2 * _SHARPER)
        if is_face and row.landmarks is not None:
            for x, y in (row.landmarks * scale).tolist():
                _dot(draw, x, y, 2 * _SHARPER, color)
        if found.has("keypoints") and row.keypoints is not None:
            _skeleton(draw, row.keypoints, scale, color)
        name = "face" if is_face else getattr(row, "label", found.pipeline)
        number = f" #{track}" if track is not None else ""
        score = f" {row.score:.2f}" if getattr(row, "score", None) is not None else ""
        _tag(draw, f"{name}{number}{score}", box, color, below=is_face)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: Color) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=(0, 0, 0))


def _skeleton(draw: ImageDraw.ImageDraw, keypoints: NDArray[np.float32], scale: float, color: Color) -> None:
    points = keypoints.tolist()
    if len(points) == 17:
        for a, b in _LIMBS:
            if points[a][2] >= _SURE and points[b][2] >= _SURE:
                line = [(points[n][0] * scale, points[n][1] * scale) for n in (a, b)]
                draw.line(line, fill=color, width=_SHARPER)
    for x, y, score in points:
        if score >= _SURE:
            _dot(draw, x * scale, y * scale, 1.3 * _SHARPER, color)


def _tag(
    draw: ImageDraw.ImageDraw, text: str, box: tuple[float, float, float, float], color: Color, *, below: bool
) -> None:
    letters = font(11 * _SHARPER)
    wide, high = letters.getlength(text) + 4 * _SHARPER, 14 * _SHARPER
    limit_x, limit_y = draw.im.size if draw.im is not None else (0, 0)
    x = min(max(box[0], 0), max(limit_x - wide, 0))
    y = box[3] if below else box[1] - high
    y = min(max(y, 0), max(limit_y - high, 0))
    draw.rectangle((x, y, x + wide, y + high), fill=color)
    ink = (0, 0, 0) if sum(color) > 380 else (255, 255, 255)
    draw.text((x + 2 * _SHARPER, y + high / 2), text, font=letters, fill=ink, anchor="lm")


def _stamp(picture: Image.Image, text: str) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture, "RGBA")
    letters = font(12 * _SHARPER)
    wide, high = letters.getlength(text) + 10 * _SHARPER, 18 * _SHARPER
    width, height = picture.size
    draw.rectangle((width - wide, height - high, width, height), fill=(0, 0, 0, 170))
    draw.text((width - wide / 2, height - high / 2), text, font=letters, fill=(255, 255, 255), anchor="mm")
