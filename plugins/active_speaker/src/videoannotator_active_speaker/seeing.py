"""From what was measured of a mouth to its activity, and to what is compared with the sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Table
from videoannotator_active_speaker.evidence import LANDMARKS, PIXELS, Seen

__all__ = ["from_landmarks", "from_pixels", "opening"]

Floats = NDArray[np.float64]

_LIPS = 13, 14  # middle of the upper and of the lower lip, inside
_EYES = 33, 263  # outer corners
_FLOOR = 0.02  # of a change; less is noise
_SLOW = 0.02  # 1/s
_SMOOTH = 0.16  # s
_APART = 0.25  # s, between pictures that are compared


def from_pixels(time: Floats, mouth: Floats, rest: Floats, inside: Floats) -> Seen:
    """Of `mouths.Mouth`, each (N,), in order of time."""
    activity = np.log((mouth + _FLOOR) / (rest + _FLOOR))
    return Seen(time, activity, (_smooth(inside, time), _smooth(activity, time)), PIXELS)


def from_landmarks(rows: Table[Any]) -> Mapping[int, Seen]:
    """Of rows of face_landmarks that have points, by face track."""
    numbers = np.ma.filled(np.ma.asarray(rows.column("track")), -1)
    time = np.asarray(rows.column("time"), dtype=np.float64)
    points = rows.column("points")
    found = {}
    for track in np.unique(numbers[numbers >= 0]).tolist():
        mine = np.flatnonzero(numbers == track)
        mine = mine[np.argsort(time[mine], kind="stable")]
        opened = np.array([np.nan if points[n] is None else opening(np.asarray(points[n])) for n in mine])
        when = time[mine]
        step = np.diff(when, prepend=np.nan)
        with np.errstate(invalid="ignore"):
            speed = np.where(step <= _APART, np.abs(np.diff(opened, prepend=np.nan)) / step, np.nan)
        activity = np.log(speed + _SLOW)
        found[track] = Seen(when, activity, (_smooth(opened, when), _smooth(activity, when)), LANDMARKS)
    return found


def opening(points: NDArray[np.floating[Any]]) -> float:
    """How far the lips are apart, in distances between the outer corners of the eyes; NaN where these are one point.

    ``points``: (478, 2 or 3), numbered as in MediaPipe's Face Mesh. Measured in space, so that a turned head, whose
    eyes come nearer to each other in the picture, does not seem to open its mouth.
    """
    eyes = float(np.linalg.norm(points[_EYES[0]] - points[_EYES[1]]))
    return float(np.linalg.norm(points[_LIPS[0]] - points[_LIPS[1]])) / eyes if eyes > 0 else float("nan")


def _smooth(values: Floats, time: Floats) -> Floats:
    """Means over `_SMOOTH` seconds around each, of those that are known."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    first = np.searchsorted(time, time - _SMOOTH / 2 - 1e-9)
    last = np.searchsorted(time, time + _SMOOTH / 2 + 1e-9)
    number = count[last] - count[first]
    return np.where(number > 0, (total[last] - total[first]) / np.maximum(number, 1), np.nan)
