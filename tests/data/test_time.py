"""Time is exact: ticks and fractions inside, float64 seconds outside."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import videoannotator as va
from videoannotator.data.convert import structure, unstructure
from videoannotator.errors import DataError

ticks = st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20, unique=True).map(sorted)
bases = st.fractions(min_value=Fraction(1, 10**6), max_value=Fraction(1, 10))
origins = st.fractions(min_value=-1000, max_value=1000, max_denominator=90000)


@given(pts=ticks, base=bases, origin=origins)
def test_times_are_the_exact_fraction_rounded_once(pts: list[int], base: Fraction, origin: Fraction) -> None:
    clock = va.FrameClock(pts, base, origin)
    exact = [float((p - origin) * base) for p in pts]
    assert clock.times.tolist() == exact
    assert [clock.seconds(p) for p in pts] == exact


@given(pts=ticks, base=bases, origin=origins)
def test_a_clock_survives_json(pts: list[int], base: Fraction, origin: Fraction) -> None:
    clock = va.FrameClock(pts, base, origin, duration=3, source="repaired", repair="spread evenly")
    assert structure(va.FrameClock, json.loads(json.dumps(unstructure(clock)))) == clock


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(DataError, match="frame 2 has 3 after 5"):
        va.FrameClock([0, 5, 3], Fraction(1, 25))
    with pytest.raises(DataError, match="frame 1 has 0 after 0"):
        va.FrameClock([0, 0], Fraction(1, 25))
    with pytest.raises(DataError, match="repair must say how"):
        va.FrameClock([0], Fraction(1, 25), source="repaired")


def test_variable_rate_is_more_than_rounding() -> None:
    ntsc = [round(i * 1001 / 30) for i in range(100)]  # 29.97 per second in milliseconds
    assert not va.FrameClock(ntsc, Fraction(1, 1000)).variable
    assert va.FrameClock([0, 40, 80, 200], Fraction(1, 1000)).variable


@pytest.mark.parametrize(("start", "end"), [(2, 1), (-1, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_span_runs_forward(start: float, end: float) -> None:
    with pytest.raises(DataError, match="0 <= start <= end"):
        va.TimeSpan(start, end)


@given(
    spans=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), max_size=8),
    moment=st.floats(0, 110),
    window=st.tuples(st.floats(0, 50), st.floats(0, 60)),
)
def test_coverage_merges_without_gaining_or_losing(
    spans: list[tuple[float, float]], moment: float, window: tuple[float, float]
) -> None:
    given_spans = tuple(va.TimeSpan(s, s + d) for s, d in spans)
    coverage = va.Coverage(given_spans)
    assert (moment in coverage) == any(moment in s for s in given_spans)
    assert all(a.end < b.start for a, b in zip(coverage.spans, coverage.spans[1:], strict=False))
    part = va.TimeSpan(window[0], window[0] + window[1])
    assert (moment in coverage.within(part)) == (moment in coverage and moment in part)
