"""A person's short absences filled in, also from one track to the next.

Trackers fill gaps inside a track; where a person hidden for a moment gets a new track, only whoever knows that it is
the same person can. Straight lines in time, as is usual (Y. Zhang et al., *ByteTrack*, ECCV 2022, fill up to 20
frames).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoannotator import Table
from videoannotator_person_identity.rows import Filled
from videoannotator_person_identity.tracks import Tracks

__all__ = ["filled"]

_ROUNDING = 1e-6  # s


def filled(
    tracks: Tracks,
    whose: NDArray[np.intp],
    *,
    first: int,
    times: NDArray[np.float64],
    cuts: Sequence[float],
    most: float,
) -> Table[Filled]:
    """Rows for frames between two of a person's that are at most ``most`` seconds apart, in order of frame and person.

    ``whose``: index of the person of each row of ``tracks``. ``first``: the number of person 0. ``times``: when each
    frame of the file is shown, s. ``cuts``: when shots begin, s: nothing is filled in across them. Where the tracker
    looked at every n-th frame only, so many are filled in.
    """
    order = np.lexsort((tracks.frame, whose))
    here, then = order[:-1], order[1:]
    step = _step(tracks, times)
    shot = np.searchsorted(np.sort(np.asarray(cuts, dtype=np.float64)), tracks.time + _ROUNDING, side="right")
    short = (tracks.time[then] - tracks.time[here] <= most + _ROUNDING) & (shot[here] == shot[then])
    gaps = np.flatnonzero((whose[here] == whose[then]) & (tracks.frame[then] - tracks.frame[here] > step) & short)
    parts: list[tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.float64]]] = []
    for i in gaps.tolist():
        a, b = int(here[i]), int(then[i])
        frames = np.arange(tracks.frame[a] + step, tracks.frame[b], step)
        share = (times[frames] - tracks.time[a]) / (tracks.time[b] - tracks.time[a])
        box = tracks.box[a] + share[:, None] * (tracks.box[b] - tracks.box[a])
        box[:, 2:] = np.maximum(box[:, :2], box[:, 2:])  # rounding must not turn an empty box over
        parts.append((frames, np.full(len(frames), whose[a]), box))
    if not parts:
        return Table.empty(Filled)
    frame, person, box = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((person, frame))
    corners = {name: box[order, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))}
    return Table.of(Filled, person=person[order] + first, frame=frame[order], time=times[frame[order]], **corners)


def _step(tracks: Tracks, times: NDArray[np.float64]) -> int:
    """Frames of the file from one that the tracker looked at to the next."""
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return max(1, round(tracks.step / usual)) if usual > 0 else 1
