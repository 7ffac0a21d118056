"""Sampling on the time axis."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.data.needs import Frames
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.decode.sampling import frames_in, sampled

clocks = st.builds(
    lambda pts, base, origin: FrameClock(sorted(pts), base, min(origin, Fraction(min(pts)))),
    st.lists(st.integers(0, 20_000), min_size=1, max_size=80, unique=True),
    st.sampled_from([Fraction(1, 1000), Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 25)]),
    st.fractions(min_value=0, max_value=100, max_denominator=7),
)
rates = st.sampled_from([0.5, 1.0, 2.5, 5.0, 10.0, 12.5, 24.0, 29.97, 30.0, 1000.0])


@given(clocks, rates)
def test_sample_k_is_the_first_frame_at_or_after_k_over_rate(clock: FrameClock, rate: float) -> None:
    exact = [(int(p) - clock.origin) * clock.time_base * Fraction(str(rate)) for p in clock.pts]  # in grid steps
    expected, k = set(), 0
    while k <= exact[-1]:
        index = next(i for i, t in enumerate(exact) if t >= k)
        expected.add(index)
        k = int(exact[index]) + 1  # the next grid time after this frame
    assert set(np.flatnonzero(sampled(clock, Frames(rate=rate))).tolist()) == expected


@given(clocks)
def test_no_rate_and_a_high_rate_give_every_frame(clock: FrameClock) -> None:
    assert sampled(clock, Frames()).all()
    assert sampled(clock, Frames(rate=1e6)).all()


def test_exact_grid_times_are_met() -> None:
    clock = FrameClock(range(100), Fraction(1, 25))
    assert np.flatnonzero(sampled(clock, Frames(rate=5.0))).tolist() == list(range(0, 100, 5))
    assert np.flatnonzero(sampled(clock, Frames(rate=0.1))).tolist() == [0]


@given(clocks, st.floats(0, 20), st.floats(0, 20))
def test_spans_are_half_open_and_do_not_move_the_grid(clock: FrameClock, a: float, b: float) -> None:
    span = TimeSpan(min(a, b), max(a, b))
    inside = frames_in(clock, span)
    assert list(inside) == [i for i, t in enumerate(clock.times) if t in span]


@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_adjoining_spans_give_what_the_whole_gives(rate: float) -> None:
    clock = FrameClock([0, 7, 30, 31, 32, 77, 100, 140, 190], Fraction(1, 50))
    takes = sampled(clock, Frames(rate=rate))
    parts = [frames_in(clock, TimeSpan(s, s + 0.5)) for s in np.arange(0, 5, 0.5)]
    assert [i for part in parts for i in part if takes[i]] == np.flatnonzero(takes).tolist()
