"""Where tracks are cut: at cuts of the film, at gaps, and where a tracker went over to somebody else.

The third is told from looks: a track whose looks before and after a moment are rather those of two persons is cut there
(Z. Sun et al., *GTA: Global Tracklet Association for Multi-Object Tracking in Sports*, ACCV workshops 2024, split
tracklets by looks, too).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoannotator_person_identity.likeness import Gauge, Looks, Space, own_space
from videoannotator_person_identity.tracks import Tracks

__all__ = ["LONG_GAP", "cut_rows", "parted"]

LONG_GAP = 0.35  # s: over a longer gap a track is a tracker's guess, to be judged like any other link
_CAUTION = 0.5  # the more places there are to cut at, the more a change must say
_STEPS = 2.5  # and longer than so many steps between frames, for films looked at rarely


def cut_rows(tracks: Tracks, cuts: Sequence[float]) -> NDArray[np.intp]:
    """Rows that begin a tracklet, ascending: first rows of tracks, and rows after a gap or a cut of the film.

    ``cuts``: times of first frames of shots, s.
    """
    if not len(tracks):
        return np.zeros(0, dtype=np.intp)
    gap = np.diff(tracks.time) > max(LONG_GAP, _STEPS * tracks.step)
    shot = np.searchsorted(np.sort(cuts), tracks.time + 1e-9, side="right")
    begins = np.concatenate([[True], (np.diff(tracks.track) != 0) | gap | (np.diff(shot) != 0)])
    return np.flatnonzero(begins)


def parted(
    tracks: Tracks, begins: NDArray[np.intp], looks: Looks, spaces: list[Space], gauge: Gauge
) -> NDArray[np.intp]:
    """``begins`` and the further rows at which tracklets may show somebody else from there on.

    They are only cut here; whether the parts belong together after all is judged with all other links.
    """
    ends = np.append(begins[1:], len(tracks))
    found = begins.tolist()
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        track, time = int(tracks.track[begin]), tracks.time[begin:end]
        mine = np.flatnonzero((looks.group == track) & (looks.time >= time[0] - 1e-9) & (looks.time <= time[-1] + 1e-9))
        mine = mine[np.argsort(looks.time[mine])]
        if len(mine) < 2:
            continue
        vectors = own_space(spaces, track)(looks.vector[mine])
        found += [
            begin + _turn(tracks, begin, *np.searchsorted(time, looks.time[mine][[i, i + 1]]))
            for i in _changes(vectors @ vectors.T, 0, len(mine), gauge)
        ]
    return np.unique(found)


def _turn(tracks: Tracks, begin: int, low: int, high: int) -> int:
    """Of the rows between two looks that at which somebody changes speed most: a tracker that goes over to another
    takes over the other's speed."""
    rows = begin + np.arange(max(1, low), max(2, low + 1, high))
    change = np.linalg.norm(tracks.after[rows, 2:4] - tracks.before[rows - 1, 2:4], axis=1) / tracks.before[rows, 4]
    return int(rows[np.argmax(change)]) - begin


def _changes(likeness: NDArray[np.float64], low: int, high: int, gauge: Gauge) -> list[int]:
    """Looks i such that those up to i and those after it are rather two persons'; then so in both halves."""
    if high - low < 2:
        return []
    part = likeness[low:high, low:high]
    # sums over the rectangle before x after, for every place to cut at, from sums over the whole
    corner = part.cumsum(axis=0).cumsum(axis=1)
    places = np.arange(1, high - low)
    across = corner[places - 1, -1] - corner[places - 1, places - 1]
    fewer = np.minimum(places, high - low - places).astype(np.float64)
    ratio = gauge(across / (places * (high - low - places)), fewer)
    worst = int(np.argmin(ratio))
    if ratio[worst] >= -_CAUTION * np.log(len(places) + 1):
        return []
    cut = low + worst
    return [*_changes(likeness, low, cut + 1, gauge), cut, *_changes(likeness, cut + 1, high, gauge)]
