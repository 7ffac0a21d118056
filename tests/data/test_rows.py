"""Rows check their values, compare by value, and survive the trip to plain data and back."""

from __future__ import annotations

import json
import pickle
from typing import Annotated, Any, Literal

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.data.columns import columns_of
from videoannotator.data.convert import structure, unstructure
from videoannotator.data.rows import ROWS
from videoannotator.errors import DataError
from videoannotator.testing.strategies import rows


@va.row
class Everything:
    whole: int
    number: Annotated[float, va.Range(gt=-1.5, lt=2.5)]
    small: Annotated[float, va.Dtype("float32"), va.Unit("px")]
    flag: bool
    name: str
    kind: Literal["a", "b"]
    path: Annotated[NDArray[np.float32], va.ArrayOf("float32", (None, 2))]
    histogram: Annotated[NDArray[np.int64], va.ArrayOf("int64", (3,))] | None
    inner: tuple[va.Word, ...] = ()
    maybe_flag: bool | None = None
    maybe_whole: Annotated[int | None, va.Range(ge=0)] = None


@va.row
class Narrow:
    """Bounds that are no float32 numbers."""

    likeness: Annotated[float, va.Dtype("float32"), va.Range(ge=-1.001, le=1.001)]
    share: Annotated[float, va.Dtype("float32"), va.Range(gt=0.1, lt=0.3)]


CLASSES = (*ROWS, Everything, Narrow)


@pytest.mark.parametrize("row_class", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
def test_row_survives_json(row_class: type[Any], data: st.DataObject) -> None:
    row = data.draw(rows(row_class))
    assert structure(row_class, json.loads(json.dumps(unstructure(row)))) == row


@pytest.mark.parametrize("row_class", CLASSES, ids=lambda c: c.__name__)
@given(data=st.data())
def test_equal_rows_hash_alike_and_pickle(row_class: type[Any], data: st.DataObject) -> None:
    row = data.draw(rows(row_class))
    copy = pickle.loads(pickle.dumps(row))
    assert copy == row
    assert hash(copy) == hash(row)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: va.Detection(0, 0.0, "person", 1.5, 0, 0, 1, 1), r"Detection\.score must be in \[0, 1\], got 1\.5"),
        (lambda: va.Detection(-1, 0.0, "person", 0.5, 0, 0, 1, 1), r"Detection\.frame must be in \[0, inf\), got -1"),
        (
            lambda: va.Detection(0, 0.0, "person", 0.5, 9, 0, 1, 1),
            r"Detection\.x1 must be at most \.x2, got x1=9\.0, x2=1\.0",
        ),
        (
            lambda: va.Detection(0, float("nan"), "person", 0.5, 0, 0, 1, 1),
            r"Detection\.time must be finite .* got nan",
        ),
        (lambda: va.Detection(0, 0.0, 7, 0.5, 0, 0, 1, 1), r"Detection\.label must be text, got 7"),
        (lambda: va.Detection(0, None, "person", 0.5, 0, 0, 1, 1), r"Detection\.time is missing"),
        (
            lambda: va.Detection(0, 0.0, "p", 0.5, 0, 0, 1, 1, keypoints=[[1, 2]]),
            r"shape \(any, 3\), got shape \(1, 2\)",
        ),
        (lambda: va.Detection(True, 0.0, "p", 0.5, 0, 0, 1, 1), r"Detection\.frame must be int, got True"),
        (lambda: va.Detection(0, 0.0, "p", 0.5, 0, 0, 1, 1, keypoints="abc"), r"keypoints must be an array"),
        (lambda: va.Face(0, 0.0, 0.5, 0, 0, 1, 1, landmarks=np.zeros((4, 2))), r"shape \(5, 2\), got shape \(4, 2\)"),
        (lambda: va.Shot(1.0, 1.0, 0, 5), r"Shot\.start must be below \.end, got start=1\.0, end=1\.0"),
        (lambda: va.Utterance(0.0, 1.0, "a", words=("a",)), r"Utterance\.words must hold Word rows, got 'a'"),
    ],
)
def test_a_wrong_value_is_refused_and_printed(build: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        build()


def test_extra_and_missing_keys_are_refused() -> None:
    good = {"start": 0.0, "end": 1.0, "speaker": "a"}
    assert structure(va.SpeakerTurn, good) == va.SpeakerTurn(0.0, 1.0, "a")
    with pytest.raises(DataError, match="unknown keys colour"):
        structure(va.SpeakerTurn, {**good, "colour": "red"})
    with pytest.raises(DataError, match="the key 'speaker' is missing"):
        structure(va.SpeakerTurn, {"start": 0.0, "end": 1.0})
    with pytest.raises(DataError, match=r"must be float, got '0'"):
        structure(va.SpeakerTurn, {**good, "start": "0"})


def test_arrays_in_rows_are_read_only() -> None:
    row = va.Detection(0, 0.0, "person", 0.5, 0, 0, 1, 1, keypoints=[[1, 2, 0.5]])
    assert row.keypoints is not None
    with pytest.raises(ValueError, match="read-only"):
        row.keypoints[0, 0] = 3


def test_a_row_of_columns_that_cannot_be_is_refused() -> None:
    @attrs.frozen
    class Odd:
        thing: dict[str, int]

    with pytest.raises(DataError, match=r"Odd\.thing: a column cannot hold"):
        columns_of(Odd)
    with pytest.raises(DataError, match="is no attrs class"):
        columns_of(int)
