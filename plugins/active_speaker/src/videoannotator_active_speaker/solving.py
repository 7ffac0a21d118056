"""Which voice is whose, over the whole recording: one integer linear program.

A voice belongs to at most one person. Where persons are not known, a voice may have many tracks of faces, as long as no
two of them are in the picture at once. A person has at most one voice, unless diarization has split it in two, which
costs as much as it is rare, and never two that are heard at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_array

__all__ = ["Links", "certainty", "solved"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@attrs.frozen(eq=False)
class Links:
    """What may be linked.

    ``weight``: (units, voices), log odds of each link by itself; units are persons, or tracks of faces. ``apart``: bool
    (units, units), symmetric: pairs that cannot be one person. ``overlap``: bool (voices, voices), symmetric: pairs
    that are heard at once, and cannot be one person's. ``split``: log odds, at most 0, of a voice with two names; minus
    infinity forbids it.
    """

    weight: Floats
    apart: Bools
    overlap: Bools
    split: float


def solved(links: Links) -> Bools:
    """The links that are likeliest together: bool (units, voices)."""
    chosen = np.zeros(links.weight.shape, dtype=bool)
    units, voices = np.nonzero(links.weight > 0)  # others only cost
    if not len(units):
        return chosen
    owners = np.unique(units)  # each may have more voices than one, at a price
    rows = _rows(links, units, voices, owners)
    count = len(units) + len(owners)
    splitting = np.isfinite(links.split)
    price = -links.split if splitting else 0.0
    cost = np.concatenate([-links.weight[units, voices], np.full(len(owners), price)])
    most = np.concatenate([np.ones(len(units)), np.full(len(owners), float(links.weight.shape[1]) * splitting)])
    place = np.concatenate([np.full(len(columns), n) for n, (columns, _) in enumerate(rows)])
    column = np.concatenate([columns for columns, _ in rows])
    value = np.concatenate([values for _, values in rows])
    table = csr_array((value, (place, column)), shape=(len(rows), count))
    answer = milp(
        cost,
        integrality=np.concatenate([np.ones(len(units)), np.zeros(len(owners))]),
        bounds=(0, most),
        constraints=LinearConstraint(table, -np.inf, 1.0),
    )
    if answer.x is None:
        raise RuntimeError(f"the assignment of voices was not solved: {answer.message}")
    taken = answer.x[: len(units)] > 0.5
    chosen[units[taken], voices[taken]] = True
    return chosen


def _rows(
    links: Links, units: NDArray[np.intp], voices: NDArray[np.intp], owners: NDArray[np.intp]
) -> list[tuple[NDArray[np.intp], Floats]]:
    """Columns and factors of each constraint: their sum is at most 1."""
    rows: list[tuple[NDArray[np.intp], Floats]] = []
    for n, owner in enumerate(owners):
        mine = np.flatnonzero(units == owner)
        rows.append((np.append(mine, len(units) + n), np.append(np.ones(len(mine)), -1.0)))
    for voice in np.unique(voices):
        mine = np.flatnonzero(voices == voice)
        rows += _pairs(mine, links.apart[np.ix_(units[mine], units[mine])])
    for owner in owners:
        mine = np.flatnonzero(units == owner)
        rows += _pairs(mine, links.overlap[np.ix_(voices[mine], voices[mine])])
    return rows


def _pairs(columns: NDArray[np.intp], exclude: Bools) -> list[tuple[NDArray[np.intp], Floats]]:
    first, second = np.nonzero(np.triu(exclude, 1))
    return [(columns[[a, b]], np.ones(2)) for a, b in zip(first, second, strict=True)]


def certainty(links: Links, unit: int, voice: int) -> float:
    """Probability of a link against those that it excludes, and against none: the voice's other faces, the face's other
    voices; all else as it is."""
    rivals = np.concatenate(
        [
            [0.0],
            links.weight[links.apart[unit], voice],
            np.delete(links.weight[unit], voice),
        ]
    )
    own = links.weight[unit, voice]
    top = max(own, rivals.max())
    return float(np.exp(own - top) / (np.exp(own - top) + np.exp(rivals - top).sum()))


def rivals_of(pairs: Sequence[tuple[int, int]], size: int) -> Bools:
    """A symmetric table of pairs."""
    table = np.zeros((size, size), dtype=bool)
    for a, b in pairs:
        table[a, b] = table[b, a] = True
    return table
