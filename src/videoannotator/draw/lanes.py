"""The lanes of a time line: one for everything that was found, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.boxes import BoxTable, box_tables
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.draw.look import Look
from videoannotator.draw.people import People
from videoannotator.draw.style import FACE, FAINT, INK, SHOTS, UNKNOWN, Color, track_color
from videoannotator.draw.voices import Voices

__all__ = ["Block", "Lane", "lanes", "of_persons", "span_lanes", "track_lanes"]

_TRACKS = 6  # lanes for so many tracks of one table, those that are seen longest
_SIGNALS = 4


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


def lanes(result: Result, look: Look | None = None) -> list[Lane]:
    """A lane for every table that has a place on a time line, in the order of the result."""
    look = look if look is not None else Look()
    boxes = {id(found.table): found for found in box_tables(result)}
    people, voices = People(result), Voices.of(result, look)
    drawn: list[Lane] = []
    for name, output, table in result.tables():
        columns = set(table.columns)
        coverage = result[name].coverage
        if not look.takes(name):
            continue
        if id(table) in boxes and of_persons(table):
            continue  # their lanes are those of their tracks
        if id(table) in boxes:
            drawn += _box_lanes(boxes[id(table)], people)
        elif {"time", "region", "energy"} <= columns:
            drawn += _energy_lanes(table, coverage)
        elif {"start", "end"} <= columns:
            drawn += _span_lanes(_span_title(result, name, output), table, coverage, people, voices)
        elif {"time", "name", "value"} <= columns:
            drawn += _signal_lanes(table, coverage)
    return drawn


def of_persons(table: Table[Any]) -> bool:
    """Whether its boxes say themselves whose they are, without a track: where persons are thought to be."""
    return "person" in table.columns and "track" not in table.columns


def span_lanes(result: Result, look: Look) -> list[Lane]:
    """The lanes of what has a beginning and an end: shots, speech, speakers, labels."""
    drawn: list[Lane] = []
    people, voices = People(result), Voices.of(result, look)
    for name, output, table in result.tables():
        if look.takes(name) and {"start", "end"} <= set(table.columns):
            title = _span_title(result, name, output)
            drawn += _span_lanes(title, table, result[name].coverage, people, voices)
    return drawn


def _span_title(result: Result, name: str, output: str) -> str | None:
    """What the lane of an output is called; None for one without rows that stands beside others of its pipeline."""
    tables = result[name].tables
    others = [other for other, table in tables.items() if other != output and {"start", "end"} <= set(table.columns)]
    if others and not len(tables[output]) and not issubclass(tables[output].row_class, Shot):
        return None
    return output.replace("_", " ") if others else _title(name)


def _span_lanes(
    title: str | None, table: Table[Any], coverage: Coverage, people: People, voices: Voices
) -> Iterator[Lane]:
    columns = set(table.columns)
    if issubclass(table.row_class, Shot):
        blocks = [Block(row.start, row.end, SHOTS[n % 2], str(n + 1)) for n, row in enumerate(table)]
        yield Lane("shots", tuple(blocks), covered=coverage.spans, note=_count(len(table)))
    elif columns >= {"speaker", "on_screen", "face", "person"}:
        yield from _seen_speakers(table, coverage, people)
    elif title is None or columns & {"track", "person"} or voices.said_again(table):
        return  # tracks are told by their rows
    elif "speaker" in columns and "text" not in columns:
        for speaker in voices.new_speakers(table):
            mine = [Block(row.start, row.end, voices.color(row)) for row in table if row.speaker == speaker]
            label = title if speaker is None else speaker
            yield Lane(label, tuple(mine), covered=coverage.spans, note=_count(len(mine)))
    elif "label" in columns:
        spans = _likeliest(table)
        blocks = [Block(row.start, row.end, SHOTS[n % 2], str(row.label or "")) for n, row in enumerate(spans)]
        yield Lane(title, tuple(blocks), covered=coverage.spans, note=_count(len(spans)))
    else:
        blocks = [Block(row.start, row.end, voices.color(row), str(getattr(row, "text", "") or "")) for row in table]
        yield Lane(title, tuple(blocks), covered=coverage.spans, note=_count(len(table)))


def _seen_speakers(table: Table[Any], coverage: Coverage, people: People) -> Iterator[Lane]:
    """For each voice, whose face it comes from, in the colours of persons and tracks; grey off screen, pale unknown."""
    for speaker in dict.fromkeys(row.speaker for row in table):
        blocks = []
        for row in table:
            if row.speaker != speaker:
                continue
            person = people.persons.get(row.person)
            if row.face is not None:
                color = track_color(row.face) if person is None else person.color
                text = f"#{row.face}" if person is None else person.title
            else:
                color, text = (FAINT, "off screen") if row.on_screen == "off_screen" else (UNKNOWN, "?")
                text = text if person is None else f"{person.title}, {text}"
            blocks.append(Block(row.start, row.end, color, text))
        label = "speaker seen" if speaker is None else f"{speaker} seen"
        yield Lane(label, tuple(blocks), covered=coverage.spans)


def _likeliest(table: Table[Any]) -> list[Any]:
    """The row of the highest score for each stretch of time; a row without a label or a score counts least."""
    best: dict[tuple[float, float], Any] = {}

    def rank(row: Any) -> tuple[bool, float]:
        score = getattr(row, "score", None)
        return row.label is not None, -1.0 if score is None else float(score)

    for row in table:
        other = best.get((row.start, row.end))
        if other is None or rank(row) > rank(other):
            best[row.start, row.end] = row
    return sorted(best.values(), key=lambda row: row.start)


def _box_lanes(found: BoxTable, people: People) -> Iterator[Lane]:
    """How many boxes at a time, then the persons, or the tracks that are seen longest."""
    coverage = found.coverage
    frames, first, counts = np.unique(found.frames, return_index=True, return_counts=True)
    most = int(counts.max()) if counts.size else 0
    curve = _Steps.of(found, people.result.media).curve(frames, found.times[first], counts / max(most, 1))
    yield Lane(
        "faces" if found.is_face else _title(found.pipeline),
        curve=tuple(curve),
        color=FACE if found.is_face else FAINT,
        covered=coverage.spans,
        note=f"at most {most} at a time" if most else "none",
    )
    yield from track_lanes(found, people, _TRACKS)


def track_lanes(found: BoxTable, people: People, most: int) -> Iterator[Lane]:
    """A slim lane for each person, then for each track that is nobody's: the ``most`` that are seen longest."""
    steps = _Steps.of(found, people.result.media)
    rows: dict[int, list[int]] = {}
    for n, track in enumerate(found.tracks):
        if track is not None:
            rows.setdefault(track, []).append(n)
    groups: dict[tuple[str, Color], list[Block]] = {}
    seen: dict[tuple[str, Color], float] = {}
    for track in sorted(rows):
        for person, part in people.parts(found, track, rows[track]):
            if person is not None:
                key, text = (person.title, person.color), f"#{track}"
            else:
                key, text = (f"#{track}", track_color(track)), ""
            for start, end in steps.runs(found.frames[part], found.times[part]):
                groups.setdefault(key, []).append(Block(start, end, key[1], text))
                seen[key] = seen.get(key, 0.0) + end - start
    named = [person.title for person in people.persons.values()]
    longest = sorted(sorted(groups, key=lambda key: -seen[key])[:most], key=lambda key: list(groups).index(key))
    longest.sort(key=lambda key: named.index(key[0]) if key[0] in named else len(named))
    rest = len(groups) - len(longest)
    for key in longest:
        note = f"{rest} more not shown" if rest and key == longest[-1] else ""
        blocks = tuple(sorted(groups[key], key=lambda block: block.start))
        yield Lane(f"   {key[0]}", blocks, covered=found.coverage.spans, slim=True, note=note)


@attrs.frozen(eq=False)
class _Steps:
    """When the next frame after one was looked at: by the clock, by the rate, or by what is usual between rows.

    ``clock``: seconds of every frame, None where it is not known or not every frame was looked at.
    """

    step: float
    clock: NDArray[np.float64] | None

    @classmethod
    def of(cls, found: BoxTable, media: MediaInfo) -> Self:
        times = np.unique(found.times)
        usual = float(np.median(np.diff(times))) if times.size > 1 else 0.04
        if found.coverage.rate is not None:
            return cls(1 / found.coverage.rate, None)
        if media.video is None or (found.frames.size and found.frames[-1] >= len(media.video.clock)):
            return cls(usual, None)
        return cls(usual, np.append(media.video.clock.times, media.video.clock.end))

    def after(self, frames: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """When the frame after each of ``frames`` was looked at."""
        return times + self.step if self.clock is None else self.clock[frames + 1]

    def breaks(self, times: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
        """Places after which frames were looked at in which there is no row."""
        slack = 0.75 * self.step if self.clock is None else 1e-6
        return np.flatnonzero(times[1:] > ends[:-1] + slack)

    def runs(self, frames: NDArray[np.int64], times: NDArray[np.float64]) -> list[tuple[float, float]]:
        """Rows that follow each other, as spans; each row stands until the next frame."""
        if not times.size:
            return []
        ends = self.after(frames, times)
        breaks = self.breaks(times, ends)
        firsts, lasts = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [times.size - 1]])
        return [(float(times[a]), float(ends[b])) for a, b in zip(firsts, lasts, strict=True)]

    def curve(
        self, frames: NDArray[np.int64], times: NDArray[np.float64], heights: NDArray[np.float64]
    ) -> Iterator[tuple[float, float]]:
        """Heights over time, 0 where nothing was found."""
        ends = self.after(frames, times)
        down = set(self.breaks(times, ends).tolist()) | {times.size - 1}
        for n, (time, height) in enumerate(zip(times.tolist(), heights.tolist(), strict=True)):
            yield time, height
            if n in down:
                yield float(ends[n]), 0.0


def _signal_lanes(table: Table[Any], coverage: Coverage) -> Iterator[Lane]:
    names = np.asarray(table.column("name"))
    for name in list(dict.fromkeys(names.tolist()))[:_SIGNALS]:
        mine = table[names == name]
        values = np.asarray(mine.column("value"), dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        heights = (values - low) / ((high - low) or 1.0)
        curve = tuple(zip(np.asarray(mine.column("time")).tolist(), heights.tolist(), strict=True))
        yield Lane(str(name), curve=curve, color=FAINT, covered=coverage.spans, note=f"{low:.3g} to {high:.3g}")


def _energy_lanes(table: Table[Any], coverage: Coverage) -> Iterator[Lane]:
    """Motion energy of the regions that are nobody's; where it could not be told, nothing."""
    regions = np.asarray(table.column("region"))
    if "track" in table.columns:
        regions = np.where(np.ma.getmaskarray(table.column("track")), regions, "")
    for region in [r for r in dict.fromkeys(regions.tolist()) if r][:_SIGNALS]:
        mine = table[regions == region]
        values = np.nan_to_num(np.ma.filled(np.ma.asarray(mine.column("energy"), dtype=np.float64), np.nan))
        most = float(values.max())
        curve = tuple(zip(mine.column("time").tolist(), (values / (most or 1.0)).tolist(), strict=True))
        yield Lane(f"motion: {region}", curve=curve, color=FAINT, covered=coverage.spans, note=f"at most {most:.3g}")


def _title(pipeline: str) -> str:
    return {"person_tracking": "persons", "voice_activity": "speech"}.get(pipeline, pipeline.replace("_", " "))


def _count(number: int) -> str:
    return str(number) if number else "none"
