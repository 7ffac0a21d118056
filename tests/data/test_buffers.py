"""Arrow arrays made from memory are those that pyarrow makes, without pandas."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from videoannotator.data.buffers import number_array, numbers_of, present_in, text_array

KINDS = ("bool", "int8", "int64", "uint8", "uint16", "float32", "float64")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_numbers_are_those_of_pyarrow(kind: str, data: st.DataObject) -> None:
    values = data.draw(npst.arrays(kind, st.integers(0, 40), elements=npst.from_dtype(np.dtype(kind), allow_nan=False)))
    missing = data.draw(st.none() | npst.arrays(bool, len(values)))
    made = number_array(values, missing)
    made.validate(full=True)
    assert made.equals(pa.array(values, mask=missing))
    first = data.draw(st.integers(0, len(values)))
    part = made.slice(first, data.draw(st.integers(0, len(values))))
    there = present_in(part)
    assert there.tolist() == [value is not None for value in part.to_pylist()]
    assert numbers_of(part)[there].tolist() == part.drop_null().to_pylist()
    assert not numbers_of(part).flags.writeable


def test_numbers_that_do_not_follow_each_other_in_memory() -> None:
    assert number_array(np.arange(10)[::3]).to_pylist() == [0, 3, 6, 9]


@given(values=st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), max_size=20))
def test_texts_are_those_of_pyarrow(values: list[Any]) -> None:
    made = text_array(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.string()))


def test_tables_are_made_and_read_without_pandas() -> None:
    program = """
import sys
import numpy as np
import videoannotator as va
from videoannotator.data.result import PipelineResult
points = np.ones((3, 17, 3), dtype=np.float32)
box = dict(x1=np.zeros(3), y1=np.zeros(3), x2=np.ones(3), y2=np.ones(3), score=[0.5, 0.6, 0.7])
track = np.ma.MaskedArray([1, 2, 3], mask=[False, True, False])
when = dict(frame=[0, 0, 1], time=[0.0, 0.0, 0.1])
rows = va.Table.of(va.Detection, label="person", track=track, keypoints=points, **when, **box)
some = va.Table.concat([rows[rows.score > 0.55], rows[[0]], va.Table.empty(va.Detection)])
assert [r.track for r in some] == [None, 3, 1] and some.keypoints.shape == (3, 17, 3), list(some)
assert va.Table.from_arrow(va.Detection, some.to_arrow()) == some
sys.exit("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "pandas was imported"
