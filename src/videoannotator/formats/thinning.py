"""Rows far enough apart in time to be shown one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.table import Table

__all__ = ["thinned"]

_SLACK = 1e-6  # s: a frame that is due at 0.2 s is shown at 0.199999999


def thinned(table: Table[Any], rate: float | None) -> NDArray[np.intp]:
    """The rows of ``table`` to show, in the order of their times: at most ``rate`` a second for each ``track``.

    The first row of each track stays, and then the next that is ``1 / rate`` seconds later, and so on. Of rows
    without a track those of a whole frame stay or go together. None for ``rate`` keeps all. ``table`` has the columns
    ``time`` and ``track``.
    """
    time = table.column("time")
    order: NDArray[np.intp] = np.argsort(time, kind="stable")
    if rate is None or len(table) == 0:
        return order
    step = 1 / rate - _SLACK
    tracks = np.ma.asarray(table.column("track"))
    unknown, numbers = np.ma.getmaskarray(tracks)[order], np.ma.getdata(tracks)[order]
    whole = _of_whole_frames(order[unknown], time, step)
    tracked, numbers = order[~unknown], numbers[~unknown]
    by_track = np.argsort(numbers, kind="stable")
    tracked, numbers = tracked[by_track], numbers[by_track]
    each = np.split(tracked, np.flatnonzero(numbers[1:] != numbers[:-1]) + 1)
    chosen = np.zeros(len(table), dtype=bool)
    chosen[np.concatenate([whole, *(mine[_spaced(time[mine], step)] for mine in each)])] = True
    return order[chosen[order]]


def _spaced(times: NDArray[np.float64], step: float) -> list[int]:
    """Indices of ascending ``times`` that are at least ``step`` apart, the first among them."""
    kept, index = [], 0
    while index < len(times):
        kept.append(index)
        index = max(index + 1, int(np.searchsorted(times, times[index] + step)))
    return kept


def _of_whole_frames(rows: NDArray[np.intp], time: NDArray[np.float64], step: float) -> NDArray[np.intp]:
    shown = np.unique(time[rows])
    return rows[np.isin(time[rows], shown[_spaced(shown, step)])]
