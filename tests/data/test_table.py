"""Tables: rows and columns at once, checked, and the same after every round trip."""

from __future__ import annotations

import pickle
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.test_rows import CLASSES, Everything

import videoannotator as va
from videoannotator.errors import DataError
from videoannotator.testing.strategies import rows, tables

every_class = pytest.mark.parametrize("row_class", CLASSES, ids=lambda c: c.__name__)


@attrs.frozen
class Plain:
    """A third party's own class: attrs, nothing of ours."""

    time: float
    name: str
    weight: float | None = None


@every_class
@given(data=st.data())
def test_rows_go_in_and_come_out(row_class: type[Any], data: st.DataObject) -> None:
    made = data.draw(st.lists(rows(row_class), max_size=5))
    table = va.Table.from_rows(row_class, made)
    assert list(table) == made
    assert [table[i] for i in range(len(made))] == made
    assert table.row_class is row_class


@every_class
@given(data=st.data())
def test_arrow_columns_pickle_and_concat_keep_everything(row_class: type[Any], data: st.DataObject) -> None:
    table = data.draw(tables(row_class))
    assert va.Table.from_arrow(row_class, table.to_arrow()) == table
    assert pickle.loads(pickle.dumps(table)) == table
    assert va.Table.concat([table[:2], table[2:]]) == table
    assert va.Table.concat([table, va.Table.empty(row_class)]) == table


@every_class
@given(data=st.data())
def test_columns_make_the_same_table_again(row_class: type[Any], data: st.DataObject) -> None:
    table = data.draw(tables(row_class))
    columns = {name: table.column(name) for name in table.columns}
    assert va.Table.of(row_class, **columns) == table


@given(data=st.data())
def test_selection_is_that_of_a_list(data: st.DataObject) -> None:
    table = data.draw(tables(Everything))
    as_list = list(table)
    cut = data.draw(st.slices(len(as_list)))
    assert list(table[cut]) == as_list[cut]
    mask = data.draw(st.lists(st.booleans(), min_size=len(as_list), max_size=len(as_list)))
    assert list(table[np.array(mask, dtype=bool)]) == [r for r, keep in zip(as_list, mask, strict=True) if keep]
    if as_list:
        indices = data.draw(st.lists(st.integers(-len(as_list), len(as_list) - 1), max_size=4))
        assert list(table[indices]) == [as_list[i] for i in indices]


@given(
    spans=st.lists(st.tuples(st.floats(0, 10), st.floats(0.001, 5))),
    start=st.floats(0, 10),
    length=st.floats(0, 5),
)
def test_during_selects_what_overlaps(spans: list[tuple[float, float]], start: float, length: float) -> None:
    table = va.Table.from_rows(va.SpeechRegion, [va.SpeechRegion(s, s + d) for s, d in spans])
    end = start + length
    assert list(table.during(start, end)) == [r for r in table if r.start < end and r.end > start]


@given(times=st.lists(st.floats(0, 10)), start=st.floats(0, 10), length=st.floats(0, 5))
def test_during_is_half_open_for_moments(times: list[float], start: float, length: float) -> None:
    table = va.Table.of(va.Signal, time=np.array(times, dtype=float), name="x", value=np.zeros(len(times)))
    assert list(table.during(start, start + length).time) == [t for t in times if start <= t < start + length]


def test_a_plain_attrs_class_works_without_registering() -> None:
    table = va.Table.from_rows(Plain, [Plain(0.5, "a", 2.0), Plain(1.5, "b")])
    assert list(table[table.time > 1]) == [Plain(1.5, "b")]
    assert table.to_pandas()["name"].tolist() == ["a", "b"]
    assert va.Table.from_arrow(Plain, table.to_arrow()) == table


def test_numpy_columns_say_what_is_missing() -> None:
    table = va.Table.from_rows(
        va.Detection,
        [
            va.Detection(0, 0.0, "person", 0.5, 0, 0, 1, 1, track=3, keypoints=np.ones((17, 3))),
            va.Detection(1, 0.1, "person", 0.5, 0, 0, 1, 1),
        ],
    )
    assert table.track.tolist() == [3, None]
    assert len(table[table.track == 3]) == 1
    assert table.keypoints[1] is None
    assert table[:1].keypoints.shape == (1, 17, 3)
    assert table.x1.dtype == np.float32
    shots = va.Table.from_rows(va.Shot, [va.Shot(0.0, 1.0, 0, 5), va.Shot(1.0, 2.0, 5, 9, 30.5)])
    np.testing.assert_array_equal(shots.score, [np.nan, 30.5])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"start": [0.0], "end": [1.0], "start_frame": [0]}, "needs the columns end_frame"),
        ({"start": [0.0], "end": [1.0, 2.0], "start_frame": [0], "end_frame": [1]}, "differ in length"),
        ({"begin": [0.0], "end": [1.0], "start_frame": [0], "end_frame": [1]}, "no column 'begin'"),
        ({"strat": [0.0], "end": [1.0], "start_frame": [0], "end_frame": [1]}, r"did you mean 'start'\?"),
        ({"start": [2.0], "end": [1.0], "start_frame": [0], "end_frame": [1]}, r"got start=2\.0, end=1\.0 in row 0"),
        ({"start": ["a"], "end": [1.0], "start_frame": [0], "end_frame": [1]}, r"Shot\.start must be float, got 'a'"),
        ({"start": [0.0], "end": [1.0], "start_frame": [0.5], "end_frame": [1]}, "start_frame must be int, got 0.5"),
        ({"start": np.zeros((1, 2)), "end": [1.0], "start_frame": [0], "end_frame": [1]}, r"got shape \(1, 2\)"),
        ({"start": [-1.0], "end": [1.0], "start_frame": [0], "end_frame": [1]}, r"must be in \[0, inf\), got -1\.0"),
        ({"start": np.array([np.inf]), "end": [1.0], "start_frame": [0], "end_frame": [1]}, "must be finite"),
        ({"start": 0.0, "end": 1.0, "start_frame": 0, "end_frame": 1}, "a single value needs another column"),
    ],
)
def test_columns_are_checked(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        va.Table.of(va.Shot, **columns)


def test_wrong_array_shapes_are_printed() -> None:
    common = {"frame": [0], "time": [0.0], "score": [0.5], "x1": [0], "y1": [0], "x2": [1], "y2": [1]}
    with pytest.raises(
        DataError, match=r"Face\.landmarks must be an array of shape \(rows, 5, 2\), got shape \(1, 10\)"
    ):
        va.Table.of(va.Face, **common, landmarks=np.zeros((1, 10)))
    with pytest.raises(DataError, match=r"got shape \(1, 4, 2\)"):
        va.Table.of(va.Face, **common, landmarks=np.zeros((1, 4, 2)))


def test_selecting_wrongly_is_refused() -> None:
    table = va.Table.of(va.Signal, time=[0.0, 1.0], name="x", value=[1.0, 2.0])
    with pytest.raises(DataError, match="a selection of 3 does not fit a table of 2 rows"):
        table[[True, False, True]]
    with pytest.raises(IndexError):
        table[2]
    with pytest.raises(IndexError):
        table[[0, 5]]
    with pytest.raises(DataError, match="selected by int, slice"):
        table[np.array([0.5, 1.5])]
    with pytest.raises(AttributeError, match="no column 'valu'"):
        _ = table.valu
    with pytest.raises(DataError, match="neither start and end nor time"):
        va.Table.empty(_Bare).during(0, 1)


@attrs.frozen
class _Bare:
    value: float


def test_pandas_and_polars_keep_types_and_missing_values() -> None:
    table = va.Table.from_rows(
        va.Detection,
        [
            va.Detection(0, 0.0, "person", 0.5, 0, 0, 1, 1, track=2**60 + 1, keypoints=np.ones((2, 3))),
            va.Detection(1, 0.1, "person", 0.5, 0, 0, 1, 1),
        ],
    )
    frame = table.to_pandas()
    assert frame["track"].dtype == pd.Int64Dtype()
    assert frame["track"][0] == 2**60 + 1, "an int that a float cannot hold"
    assert frame["track"].isna().tolist() == [False, True]
    assert frame["frame"].dtype == np.int64
    assert frame["keypoints"][0].shape == (2, 3)
    polars = table.to_polars()
    assert polars["track"].to_list() == [2**60 + 1, None]
    assert polars.schema["x1"] == pl.Float32


def test_an_hour_of_tracking_is_ordinary() -> None:
    rows_ = 540_000
    index = np.arange(rows_)
    table = va.Table.of(
        va.Detection,
        frame=index // 5,
        time=(index // 5) / 30,
        label="person",
        score=np.full(rows_, 0.5),
        x1=np.zeros(rows_),
        y1=np.zeros(rows_),
        x2=np.ones(rows_),
        y2=np.ones(rows_),
        track=index % 5,
        keypoints=np.zeros((rows_, 17, 3), dtype=np.float32),
    )
    assert len(table[table.track == 3]) == rows_ // 5
    assert len(table.during(60.0, 61.0)) == 150
    assert table.keypoints.shape == (rows_, 17, 3)
    assert table.to_arrow().nbytes < 200e6, "columns, not objects"


def test_notebook_and_text_views_escape_and_shorten() -> None:
    table = va.Table.of(va.Signal, time=np.arange(30.0), name="<b>", value=np.zeros(30))
    html = table._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "20 more rows" in html
    assert "27 more" in repr(table)
    assert "time (s)" in html


def test_sorting_keeps_ties_and_puts_missing_last() -> None:
    table = va.Table.from_rows(
        va.Shot, [va.Shot(2.0, 3.0, 2, 3), va.Shot(0.0, 1.0, 0, 1, 5.0), va.Shot(1.0, 2.0, 1, 2, 5.0)]
    )
    assert table.sorted_by("score").start.tolist() == [0.0, 1.0, 2.0]
    assert table.sorted_by("start").start.tolist() == [0.0, 1.0, 2.0]


def test_tables_do_not_change() -> None:
    table = va.Table.of(va.Signal, time=[0.0], name="x", value=[1.0])
    with pytest.raises(ValueError, match="read-only"):
        table.value[0] = 5.0
