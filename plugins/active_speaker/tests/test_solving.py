"""The assignment of voices, against all assignments there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator_active_speaker.solving import Links, certainty, solved


def _value(links: Links, chosen: NDArray[np.bool_]) -> float:
    """What an assignment is worth; minus infinity for one that is not allowed."""
    for voice in range(chosen.shape[1]):
        mine = np.flatnonzero(chosen[:, voice])
        if links.apart[np.ix_(mine, mine)].any():
            return -np.inf
    total = 0.0
    for unit in range(chosen.shape[0]):
        mine = np.flatnonzero(chosen[unit])
        if links.overlap[np.ix_(mine, mine)].any():
            return -np.inf
        total += float(links.weight[unit, mine].sum())
        if len(mine) > 1:
            total += (len(mine) - 1) * links.split
    return total


@st.composite
def _links(draw: st.DrawFn) -> Links:
    units, voices = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    if units * voices > 6:
        units = 3

    def pairs(size: int) -> NDArray[np.bool_]:
        table = np.array(draw(st.lists(st.booleans(), min_size=size**2, max_size=size**2))).reshape(size, size)
        table = table | table.T
        np.fill_diagonal(table, val=False)
        return table

    numbers = st.lists(st.integers(-40, 80), min_size=units * voices, max_size=units * voices)
    weight = np.array(draw(numbers), dtype=float).reshape(units, voices) / 10
    split = draw(st.sampled_from([-np.inf, -4.0, -0.5, 0.0]))
    return Links(weight, pairs(units), pairs(voices), split)


@settings(max_examples=80, deadline=None)
@given(_links())
def test_no_assignment_is_better(links: Links) -> None:
    size = links.weight.size
    every = [np.array(bits, dtype=bool).reshape(links.weight.shape) for bits in product([False, True], repeat=size)]
    best = max(_value(links, chosen) for chosen in every)
    assert _value(links, solved(links)) == pytest.approx(best, abs=1e-6)


def test_nobody_and_no_voice() -> None:
    for shape in ((0, 0), (3, 0), (0, 2)):
        nothing = Links(np.zeros(shape), np.zeros((shape[0],) * 2, bool), np.zeros((shape[1],) * 2, bool), -4.0)
        assert solved(nothing).shape == shape


def test_what_one_pair_says_is_told_by_all_together() -> None:
    """The second voice would rather have the first face, which the first voice needs more."""
    links = Links(
        np.array([[6.0, 3.0], [1.0, 2.0]]), np.array([[False, True], [True, False]]), np.zeros((2, 2), bool), -4.0
    )
    assert solved(links).tolist() == [[True, False], [False, True]]
    assert certainty(links, 0, 0) > 0.9
    assert certainty(links, 1, 1) < 0.5  # alone, that voice speaks for the other face


def test_a_voice_with_two_names_is_one_person_s_if_that_is_likely_enough() -> None:
    weight = np.array([[8.0, 7.0]])
    apart, free = np.zeros((1, 1), bool), np.zeros((2, 2), bool)
    assert solved(Links(weight, apart, free, -4.0)).tolist() == [[True, True]]
    assert solved(Links(weight, apart, free, -np.inf)).tolist() == [[True, False]]
    at_once = ~np.eye(2, dtype=bool)
    assert solved(Links(weight, apart, at_once, -4.0)).tolist() == [[True, False]]
