"""Which tables hold things on frames, and which only tell more of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import videoannotator as va
from videoannotator.data.boxes import BoxTable, box_tables
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Detection, Face, Shot
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.testing.strategies import tables

Pixels = Annotated[float, va.Dtype("float32")]


@va.row
class Mood:
    """What somebody says of faces."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    valence: float


@va.row
class Motion:
    """What somebody measures of places."""

    frame: int
    time: float
    region: str
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    energy: float
    track: int | None = None


def result_of(**given: Table[Any]) -> Result:
    media = MediaInfo("/x/film.mp4", 1, "mp4", 10.0, None, None)
    made = Provenance("film.mp4", "", "2.0", "", TimeSpan(0, 10))
    parts = {name: PipelineResult(name, {"rows": table}, Coverage(made.spans, 2.0)) for name, table in given.items()}
    return Result(media, parts, made)


def faces(count: int = 5) -> Table[Face]:
    return Table.from_rows(Face, [Face(n, n / 2, 0.9, n, n, n + 10.5, n + 20, n) for n in range(count)])


def moods(rows: Table[Face], shift: float = 0.0) -> Table[Mood]:
    columns = {name: rows.column(name) for name in ("frame", "time", "y1", "x2", "y2")}
    return Table.of(Mood, x1=rows.x1 + np.float32(shift), valence=0.5, **columns)


def test_rows_that_tell_more_of_others_are_no_things_of_their_own() -> None:
    found = box_tables(result_of(moods=moods(faces()[1:3]), faces=faces(), shots=Table.empty(Shot)))
    assert [(boxes.pipeline, [other.pipeline for other in boxes.more]) for boxes in found] == [("faces", ["moods"])]
    apart = box_tables(result_of(moods=moods(faces(), 0.25), faces=faces()))
    assert [boxes.pipeline for boxes in apart] == ["moods", "faces"]
    assert all(boxes.is_face for boxes in apart)
    nothing = box_tables(result_of(moods=Table.empty(Mood), faces=faces()))
    assert [boxes.pipeline for boxes in nothing] == ["faces"]


def test_measurements_of_places_are_no_things() -> None:
    motion = Table.of(Motion, frame=[0], time=[0.0], region="whole", x1=0, y1=0, x2=9, y2=9, energy=0.1)
    assert box_tables(result_of(motion=motion)) == ()


def test_two_pipelines_that_found_nothing_are_two() -> None:
    found = box_tables(result_of(faces=Table.empty(Face), persons=Table.empty(Detection)))
    assert [(boxes.pipeline, boxes.is_face) for boxes in found] == [("faces", True), ("persons", False)]
    assert [
        boxes.pipeline for boxes in box_tables(result_of(faces=faces(), persons=Table.empty(Detection)), ["persons"])
    ] == ["persons"]


@settings(deadline=None)
@given(tables(Detection, 12), st.integers(0, 10))
def test_rows_are_found_by_frame_and_by_time(table: Table[Detection], pick: int) -> None:
    boxes = BoxTable("p", "rows", table, Coverage())
    frame = int(table.frame[pick % len(table)]) if len(table) else pick
    assert table[boxes.of_frame(frame)] == table[table.column("frame") == frame]
    assert sorted(boxes.order.tolist()) == list(range(len(table)))
    found = boxes.at(frame, 0.0)
    assert not found.held
    assert len(found.rows) == (table.column("frame") == frame).sum()


@pytest.mark.parametrize(("time", "held"), [(0.2, 0), (0.26, 1), (0.74, 1), (0.76, None), (2.0, None)])
def test_rows_near_stand_for_frames_that_were_not_looked_at(time: float, held: int | None) -> None:
    rows = [Face(n, float(Fraction(n, 20)), 0.9, 0, 0, 9, 9) for n in (0, 10)]
    boxes = BoxTable("p", "rows", Table.from_rows(Face, rows), Coverage((), 2.0))
    found = boxes.at(round(time * 20) + 100, time)
    assert [row.frame // 10 for row in found.rows] == ([] if held is None else [held])
    assert found.held == (held is not None)
