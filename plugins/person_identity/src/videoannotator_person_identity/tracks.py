"""Tracks as arrays: who is where when, how fast, and hidden by whom.

A *tracklet* is a stretch of one track that is taken for one person.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Detection, Table

__all__ = ["Tracks", "boxes_of", "overlaps", "tracks_of"]

_ABOUT = 0.5  # s: over so much time before and after a moment place, size and speed are measured
_PAIRS = 2_000_000  # pairs of boxes looked at in one go


@attrs.frozen(eq=False)
class Tracks:
    """Rows of a tracker in order of track and time, as columns of equal length N.

    ``row``: index in the table they come from. ``track``: running number of the track, 0.. in order of first
    appearance (time, then place), so that nothing depends on the tracker's own numbers, which are in ``names``.
    ``box``: float64 (N, 4). ``before``, ``after``: (N, 5), place x, y (px), speed x, y (px/s) and height (px) at this
    row, told from the rows of the last and of the next half second. ``hidden``, ``met``: see `overlaps`.
    ``labels``: of each track. ``step``: usual time between two rows, s.
    """

    row: NDArray[np.intp]
    frame: NDArray[np.int64]
    time: NDArray[np.float64]
    track: NDArray[np.intp]
    box: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    hidden: NDArray[np.float64]
    met: NDArray[np.float64]
    names: tuple[int, ...]
    labels: tuple[str, ...]
    step: float

    def __len__(self) -> int:
        return len(self.row)

    @property
    def bounds(self) -> NDArray[np.intp]:
        """Where each track begins, and N: (tracks + 1,)."""
        return np.searchsorted(self.track, np.arange(len(self.names) + 1))


def tracks_of(detections: Table[Detection]) -> Tracks:
    """The tracked rows of a table."""
    tracked = np.flatnonzero(~np.ma.getmaskarray(detections.track))
    box, time = boxes_of(detections)[tracked], detections.time[tracked]
    given = np.asarray(np.ma.getdata(detections.track))[tracked]
    hidden, met = overlaps(detections.frame[tracked], box)
    first_seen = np.lexsort((box[:, 1], box[:, 0], time))
    names, first = np.unique(given[first_seen], return_index=True)
    number = np.empty(len(names), dtype=np.intp)
    number[np.argsort(first)] = np.arange(len(names))
    track = number[np.searchsorted(names, given)]
    order = np.lexsort((time, track))
    track, time, box = track[order], time[order], box[order]
    before, after = _moving(track, time, box)
    steps = np.diff(time)[np.diff(track) == 0]
    said, starts = detections.label, tracked[order][np.searchsorted(track, np.arange(len(names)))]
    return Tracks(
        row=tracked[order],
        frame=detections.frame[tracked[order]],
        time=time,
        track=track,
        box=box,
        before=before,
        after=after,
        hidden=hidden[order],
        met=met[order],
        names=tuple(int(name) for name in names[np.argsort(first)]),
        labels=tuple(str(said[start]) for start in starts),
        step=float(np.median(steps)) if len(steps) else 0.0,
    )


def boxes_of(table: Table[Any]) -> NDArray[np.float64]:
    """Boxes of a table, float64 (N, 4)."""
    return np.stack([table.column(name) for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float64)


def overlaps(frame: NDArray[np.int64], box: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each box the share of it, 0..1, that one other box of its frame hides, and how close it comes to another.

    Of two boxes that overlap, the one whose lower edge is lower in the picture is taken to stand in front, as it does
    where people stand on the same ground. Close: the overlap as a share of the smaller box.
    """
    hidden, met = np.zeros(len(frame)), np.zeros(len(frame))
    order = np.argsort(frame, kind="stable")
    _, starts = np.unique(frame[order], return_index=True)
    for part in np.split(order, starts[1:]) if len(order) else []:
        hidden[part], met[part] = _in_a_frame(box[part])
    return hidden, met


def _in_a_frame(box: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hidden, met = np.zeros(len(box)), np.zeros(len(box))
    area = np.maximum((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]), 1e-9)
    stride = max(1, _PAIRS // max(1, len(box)))
    for first in range(0, len(box), stride):
        mine = slice(first, first + stride)
        low, high = np.maximum(box[mine, None, :2], box[:, :2]), np.minimum(box[mine, None, 2:], box[:, 2:])
        common = np.maximum(high - low, 0).prod(axis=2)
        common[np.arange(len(common)), np.arange(first, first + len(common))] = 0
        met[mine] = (common / np.minimum(area[mine, None], area)).max(axis=1)
        hidden[mine] = (common * (box[:, 3] > box[mine, None, 3])).max(axis=1) / area[mine]
    return np.minimum(hidden, 1.0), np.minimum(met, 1.0)


def _moving(
    track: NDArray[np.intp], time: NDArray[np.float64], box: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.stack([(box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2, box[:, 3] - box[:, 1]], axis=1)
    # tracks are laid one after the other on one axis, so that a look back never reaches another track
    axis = time + track * (float(np.ptp(time)) + 10 * _ABOUT if len(time) else 0.0)
    low = np.searchsorted(axis, axis - _ABOUT - 1e-9)
    high = np.searchsorted(axis, axis + _ABOUT + 1e-9, side="right")
    here = np.arange(len(time))
    return _lines(time, values, low, here + 1), _lines(time, values, here, high)


def _lines(
    time: NDArray[np.float64], values: NDArray[np.float64], low: NDArray[np.intp], high: NDArray[np.intp]
) -> NDArray[np.float64]:
    """For each row i the straight line (least squares) through rows low[i]..high[i]-1, read at the row's own time."""
    n = (high - low).astype(np.float64)

    def summed(of: NDArray[np.float64]) -> NDArray[np.float64]:
        running = np.concatenate([np.zeros((1, of.shape[1])), np.cumsum(of, axis=0)])
        total: NDArray[np.float64] = running[high] - running[low]
        return total

    centred = time - (time.mean() if len(time) else 0.0)
    ones = centred[:, None]
    t, tt = summed(ones)[:, 0], summed(ones**2)[:, 0]
    v, tv = summed(values), summed(ones * values)
    spread = n * tt - t * t
    told = spread > 1e-6
    slope = np.where(told[:, None], (n[:, None] * tv - t[:, None] * v) / np.where(told, spread, 1.0)[:, None], 0.0)
    place = (v - slope * t[:, None])[:, :2] / n[:, None] + slope[:, :2] * centred[:, None]
    return np.column_stack([place, slope[:, :2], np.maximum(v[:, 2] / n, 1e-3)])
