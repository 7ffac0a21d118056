"""The time line of the contact sheet: one lane for everything that was found, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.shell.sheet_style import (
    FACE,
    FAINT,
    INK,
    LANE,
    MARGIN,
    PAPER,
    SHOTS,
    SPEECH,
    WIDTH,
    Color,
    font,
    shorten,
    track_color,
)
from videoannotator.shell.sheet_tiles import BoxTable, box_tables

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

__all__ = ["Block", "Lane", "lanes", "timeline"]

LABELS = 230  # pixels left of the lanes
_TRACKS = 6  # lanes for so many tracks of one table, those that are seen longest
_SIGNALS = 4
_ROW, _BETWEEN = 26, 6
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@attrs.frozen
class Block:
    """A coloured stretch of a lane, seconds."""

    start: float
    end: float
    color: Color
    text: str = ""


@attrs.frozen
class Lane:
    """One lane. ``curve``: (time, height 0..1) steps, drawn as an area. ``covered``: None hatches nothing.

    ``note`` is printed small behind the label. ``slim`` lanes are half as high.
    """

    label: str
    blocks: tuple[Block, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    color: Color = INK
    covered: tuple[TimeSpan, ...] | None = None
    note: str = ""
    slim: bool = False

    @property
    def height(self) -> int:
        """Pixels."""
        return _ROW // 2 if self.slim else _ROW


def lanes(result: Result) -> list[Lane]:
    """A lane for every table that has a place on a time line, in the order of the result."""
    boxes = {id(found.table): found for found in box_tables(result)}
    drawn: list[Lane] = []
    for name, _, table in result.tables():
        columns = set(table.columns)
        coverage = result[name].coverage
        if id(table) in boxes:
            drawn += _box_lanes(boxes[id(table)])
        elif {"start", "end"} <= columns:
            drawn += _span_lanes(name, table, columns, coverage)
        elif {"time", "name", "value"} <= columns:
            drawn += _signal_lanes(table, coverage)
    return drawn


def _span_lanes(name: str, table: Table[Any], columns: set[str], coverage: Coverage) -> Iterator[Lane]:
    if issubclass(table.row_class, Shot):
        blocks = [Block(row.start, row.end, SHOTS[n % 2], str(n + 1)) for n, row in enumerate(table)]
        yield Lane("shots", tuple(blocks), covered=coverage.spans, note=_count(len(table)))
    elif "speaker" in columns and "text" not in columns:
        for n, speaker in enumerate(dict.fromkeys(row.speaker for row in table)):
            mine = [Block(row.start, row.end, track_color(n)) for row in table if row.speaker == speaker]
            yield Lane(str(speaker), tuple(mine), covered=coverage.spans, note=_count(len(mine)))
    else:
        blocks = [Block(row.start, row.end, SPEECH, getattr(row, "text", "")) for row in table]
        yield Lane(_title(name), tuple(blocks), covered=coverage.spans, note=_count(len(table)))


def _box_lanes(found: BoxTable) -> Iterator[Lane]:
    """How many boxes at a time, then the tracks that are seen longest."""
    table, coverage = found.table, found.coverage
    times, counts = np.unique(np.asarray(table.column("time")), return_counts=True)
    most = int(counts.max()) if counts.size else 0
    is_face = found.has("landmarks")
    step = _step(times, coverage)
    curve = [(float(t), float(n) / max(most, 1)) for t, n in zip(times, counts, strict=True)]
    label = "faces" if is_face else _title(found.pipeline)
    yield Lane(
        label,
        curve=tuple(_with_gaps(curve, step)),
        color=FACE if is_face else FAINT,
        covered=coverage.spans,
        note=f"at most {most} at a time" if most else "none",
    )
    if not found.has("track"):
        return
    tracks = np.ma.getdata(table.column("track"))[~np.ma.getmaskarray(table.column("track"))]
    ids, seen = np.unique(tracks, return_counts=True)
    longest = sorted(ids[np.argsort(-seen, kind="stable")][:_TRACKS].tolist())
    for track in longest:
        mine = table[np.ma.filled(table.column("track") == track, False)]
        spans = _runs(np.asarray(mine.column("time"), dtype=np.float64), step)
        blocks = tuple(Block(a, b, track_color(track)) for a, b in spans)
        rest = f"{len(ids) - _TRACKS} more tracks not shown" if track == longest[-1] and len(ids) > _TRACKS else ""
        yield Lane(f"   #{track}", blocks, covered=coverage.spans, slim=True, note=rest)


def _step(times: np.typing.NDArray[np.float64], coverage: Coverage) -> float:
    """Seconds from one looked-at frame to the next."""
    if coverage.rate is not None:
        return 1 / coverage.rate
    return float(np.median(np.diff(times))) if times.size > 1 else 0.04


def _runs(times: np.typing.NDArray[np.float64], step: float) -> list[tuple[float, float]]:
    """Times that follow each other closely, as spans; each time stands for one step."""
    if not times.size:
        return []
    breaks = np.flatnonzero(np.diff(times) > 1.75 * step)
    starts, ends = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [times.size - 1]])
    return [(float(times[a]), float(times[b]) + step) for a, b in zip(starts, ends, strict=True)]


def _with_gaps(curve: Sequence[tuple[float, float]], step: float) -> Iterator[tuple[float, float]]:
    """The curve, going down to 0 where nothing was found for longer than one step."""
    for n, (time, value) in enumerate(curve):
        yield time, value
        if n + 1 == len(curve) or curve[n + 1][0] - time > 1.75 * step:
            yield time + step, 0.0


def _signal_lanes(table: Table[Any], coverage: Coverage) -> Iterator[Lane]:
    names = np.asarray(table.column("name"))
    for name in list(dict.fromkeys(names.tolist()))[:_SIGNALS]:
        mine = table[names == name]
        values = np.asarray(mine.column("value"), dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        heights = (values - low) / ((high - low) or 1.0)
        curve = tuple(zip(np.asarray(mine.column("time")).tolist(), heights.tolist(), strict=True))
        yield Lane(str(name), curve=curve, color=FAINT, covered=coverage.spans, note=f"{low:.3g} to {high:.3g}")


def _title(pipeline: str) -> str:
    return {"person_tracking": "persons", "voice_activity": "speech"}.get(pipeline, pipeline.replace("_", " "))


def _count(number: int) -> str:
    return str(number) if number else "none"


def timeline(drawn: Sequence[Lane], span: TimeSpan, marks: Sequence[float] = ()) -> Image.Image:
    """The lanes over a time axis, `WIDTH` pixels wide. ``marks``: times of the tiles above."""
    from PIL import Image, ImageDraw

    axis = 34
    height = sum(lane.height + _BETWEEN for lane in drawn) + axis
    picture = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(picture)
    place = _Place(span)
    y = 0
    for lane in drawn:
        _draw_lane(draw, lane, y, place)
        y += lane.height + _BETWEEN
    _draw_axis(draw, y, place, marks)
    return picture


@attrs.frozen
class _Place:
    """From seconds to pixels."""

    span: TimeSpan

    def x(self, time: float) -> float:
        share = (time - self.span.start) / (self.span.duration or 1.0)
        return MARGIN + LABELS + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN - LABELS)


def _draw_lane(draw: ImageDraw.ImageDraw, lane: Lane, y: int, place: _Place) -> None:
    small, middle = font(13), y + lane.height / 2
    label = shorten(lane.label, font(12 if lane.slim else 15), LABELS - 12)
    draw.text((MARGIN, middle), label, font=font(12 if lane.slim else 15), fill=INK, anchor="lm")
    room = LABELS - 24 - font(15).getlength(label)
    draw.text((MARGIN + LABELS - 12, middle), shorten(lane.note, small, room), font=small, fill=FAINT, anchor="rm")
    left, right, bottom = place.x(place.span.start), place.x(place.span.end), y + lane.height
    if lane.covered is None:
        draw.rectangle((left, y, right, bottom), fill=LANE)
    else:
        _hatch(draw, (left, y, right, bottom))
        for span in lane.covered:
            draw.rectangle((place.x(span.start), y, place.x(span.end), bottom), fill=LANE)
    for block in lane.blocks:
        x1, x2 = place.x(block.start), place.x(block.end)
        draw.rectangle((x1, y, max(x2 - 1, x1 + 1), bottom), fill=block.color)
        text = shorten(block.text, small, x2 - x1 - 8)
        draw.text((x1 + 5, middle), text, font=small, fill=(255, 255, 255), anchor="lm")
    _draw_curve(draw, lane, y, place)


def _hatch(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    """Slanted lines: here nobody looked."""
    x1, y1, x2, y2 = box
    slant = y2 - y1
    for x in np.arange(x1, x2 - slant, 9.0).tolist():
        draw.line((x, y2, x + slant, y1), fill=(205, 206, 203), width=1)


def _draw_curve(draw: ImageDraw.ImageDraw, lane: Lane, y: int, place: _Place) -> None:
    """Steps: a value holds until the next one."""
    ends = [time for time, _ in lane.curve[1:]] + ([place.span.end] if lane.curve else [])
    for (time, value), end in zip(lane.curve, ends, strict=True):
        if value > 0:
            top = y + lane.height - max(1.0, value * (lane.height - 2))
            draw.rectangle((place.x(time), top, max(place.x(end) - 1, place.x(time)), y + lane.height), fill=lane.color)


def _draw_axis(draw: ImageDraw.ImageDraw, y: int, place: _Place, marks: Sequence[float]) -> None:
    span = place.span
    draw.line((place.x(span.start), y, place.x(span.end), y), fill=FAINT, width=1)
    step = next((s for s in _STEPS if span.duration / s <= 16), span.duration / 16)
    for n in range(int(np.ceil(span.start / step)), int(np.floor(span.end / step)) + 1):
        x = place.x(n * step)
        draw.line((x, y, x, y + 6), fill=FAINT, width=1)
        draw.text((x, y + 9), _clock(n * step, step), font=font(13), fill=FAINT, anchor="mt")
    for mark in marks:  # small triangles where the tiles were taken
        x = place.x(mark)
        draw.polygon([(x, y - 1), (x - 5, y + 7), (x + 5, y + 7)], fill=INK)


def _clock(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
