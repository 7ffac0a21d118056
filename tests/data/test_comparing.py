"""Two results side by side: what is changed is found, and nothing else."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.formats.examples import a_result

import videoannotator as va
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Signal
from videoannotator.testing.strategies import tables
from videoannotator.testing.whole_results import results

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def with_table(table: va.Table[Any], output: str = "x") -> Result:
    made = va.PipelineResult("p", {output: table}, Coverage((va.TimeSpan(0, 1),)))
    return attrs.evolve(a_result(), pipelines={"p": made})


@quick
@given(results())
def test_a_result_equals_itself(result: Result) -> None:
    found = va.compare(result, result)
    assert found
    assert not found.made
    assert len(found.tables) == len(list(result.tables()))
    assert str(found).startswith("equal")


@quick
@given(tables(Signal).filter(len), st.data())
def test_a_changed_number_is_found_with_its_size(table: va.Table[Signal], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(table) - 1))
    by = data.draw(st.floats(1e-3, 1e3))
    values = table.value.copy()
    assume(abs(values[row]) < 1e9)
    values[row] += by
    changed = va.Table.of(Signal, time=table.time, name=table.column("name"), value=values)
    (found,) = va.compare(with_table(table), with_table(changed)).tables
    (column,) = found.columns
    assert (column.name, column.rows) == ("value", 1)
    assert column.largest == abs(float(values[row]) - float(table.value[row]))
    assert not found.equal


@quick
@given(tables(Signal).filter(len), st.data())
def test_a_missing_row_is_found(table: va.Table[Signal], data: st.DataObject) -> None:
    row = data.draw(st.integers(0, len(table) - 1))
    shorter = table[np.arange(len(table)) != row]
    (found,) = va.compare(with_table(table), with_table(shorter)).tables
    assert found.rows == (len(table), len(table) - 1)
    assert (found.only_first, found.only_second) == (1, 0)
    (back,) = va.compare(with_table(shorter), with_table(table)).tables
    assert (back.only_first, back.only_second) == (0, 1)


def test_arrays_text_and_what_is_missing() -> None:
    keypoints = np.zeros((2, 17, 3), np.float32)
    one = va.Table.of(
        Detection, frame=[0, 1], time=[0, 0.1], label="person", score=0.5, x1=0, y1=0, x2=1, y2=1, track=[1, None],
        keypoints=keypoints,
    )  # fmt: skip
    moved = keypoints.copy()
    moved[1, 3, 0] = 2.5
    other = va.Table.of(
        Detection, frame=[0, 1], time=[0, 0.1], label=["person", "dog"], score=0.5, x1=0, y1=0, x2=1, y2=1,
        track=[1, 2], keypoints=moved,
    )  # fmt: skip
    found = va.compare(with_table(one), with_table(other))
    assert {(c.name, c.rows, c.largest) for c in found.tables[0].columns} == {
        ("label", 1, None),
        ("track", 1, None),
        ("keypoints", 1, 2.5),
    }
    assert "keypoints differs in 1 row, by at most 2.5" in str(found)
    assert not found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"failures": (Failure("no_audio", "no sound", None, "p"),)}, "failures of p: none, then p: no_audio"),
        ({"coverage": Coverage((va.TimeSpan(0, 0.5),))}, "p has looked at 1.000 s, then 0.500 s"),
    ],
)
def test_coverage_and_failures_count(change: dict[str, Any], says: str) -> None:
    one = with_table(va.Table.empty(Signal))
    other = attrs.evolve(one, pipelines={"p": attrs.evolve(one["p"], **change)})
    found = va.compare(one, other)
    assert not found
    assert says in str(found)


def test_what_it_was_made_with_is_told_and_does_not_count() -> None:
    one = a_result()
    record = attrs.evolve(one.provenance.pipelines[0], device="cuda:0", dtype="float16")
    made = attrs.evolve(one.provenance, pipelines=(record,), libraries={"av": "19"})
    found = va.compare(one, attrs.evolve(one, provenance=made))
    assert found
    assert found.made["person_tracking device"] == ("cpu", "cuda:0")
    assert found.made["person_tracking dtype"] == ("float32", "float16")
    assert found.made["av"] == ("-", "19")


def test_a_pipeline_that_only_one_has() -> None:
    one = with_table(va.Table.empty(Signal))
    nothing = attrs.evolve(one, pipelines={"p": attrs.evolve(one["p"], tables={})})
    found = va.compare(nothing, attrs.evolve(one, pipelines={}))
    assert not found
    assert "p is only in the first" in str(found)


def test_a_table_that_only_one_has() -> None:
    found = va.compare(with_table(va.Table.empty(Signal)), with_table(va.Table.empty(Signal), "y"))
    assert [str(table) for table in found.tables] == ["p.x: only in the first", "p.y: only in the second"]
    assert not found
