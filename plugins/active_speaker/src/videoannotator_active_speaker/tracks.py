"""Where each face is, and when it is in the picture, from the rows of face_analysis. Pure NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Table, TimeSpan
from videoannotator.errors import ConfigError

__all__ = ["FaceTrack", "InPicture", "face_tracks"]

Floats = NDArray[np.float64]

_NEAR = 0.25
"""s, of sightings whose boxes are averaged."""


@attrs.frozen(eq=False)
class FaceTrack:
    """The sightings of one face track, in order of time.

    ``time``: (N,), seconds. ``points``: float64 (N, 5, 2), landmarks in pixels as shown, NaN where there are none.
    ``yaw``: (N,), degrees, NaN where unknown. ``boxes``: float64 (N, 4), pixels as shown. ``visible``: the spans in
    which it is in the picture: from a sighting to another with no cut and no more than ``hold`` seconds between, and
    each sighting as long as its frame is shown.
    """

    track: int
    time: Floats
    points: NDArray[np.float64]
    yaw: Floats
    visible: tuple[TimeSpan, ...]
    boxes: NDArray[np.float64] = attrs.field(factory=lambda: np.empty((0, 4)))

    def sees(self, time: float) -> bool:
        """Whether it is in the picture at that time."""
        return any(time in span for span in self.visible)

    def place(self, time: float) -> tuple[NDArray[np.float64], float] | None:
        """Landmarks (5, 2) and yaw at a time, on straight lines between sightings; None where it is not visible."""
        if not self.sees(time):
            return None
        before, after, share = self._between(time)
        points = (1 - share) * self.points[before] + share * self.points[after]
        return points, float((1 - share) * self.yaw[before] + share * self.yaw[after])

    def box(self, time: float) -> Floats:
        """Its box at a time, x1, y1, x2, y2: between the means of sightings near in time on straight lines."""
        before, after, share = self._between(time)
        return np.asarray((1 - share) * self._steady(before) + share * self._steady(after))

    def _steady(self, place: int) -> Floats:
        near = np.abs(self.time - self.time[place]) <= _NEAR
        return np.asarray(self.boxes[near].mean(axis=0))

    def _between(self, time: float) -> tuple[int, int, float]:
        """The sightings before and after, and how much of the way between them is gone."""
        after = int(np.searchsorted(self.time, time, side="right"))
        before = max(after - 1, 0)
        after = min(after, len(self.time) - 1)
        gap = self.time[after] - self.time[before]
        share = float((time - self.time[before]) / gap) if gap > 0 else 0.0
        return before, after, min(max(share, 0.0), 1.0)


class InPicture:
    """Which of many tracks are in the picture when."""

    def __init__(self, tracks: Mapping[int, FaceTrack]) -> None:
        spans = [(span.start, span.end, number) for number, track in tracks.items() for span in track.visible]
        self._start, self._end, self._track = (np.array([span[n] for span in spans]) for n in range(3))

    @property
    def edges(self) -> list[float]:
        """When one of them comes or goes, in order."""
        return np.unique(np.concatenate([self._start, self._end])).tolist() if len(self._start) else []

    def during(self, start: float, end: float) -> tuple[int, ...]:
        """The tracks that are in the picture all the while, by number."""
        if not len(self._start):
            return ()
        return tuple(sorted(int(n) for n in self._track[(self._start <= start) & (end <= self._end)]))

    def together(self) -> set[tuple[int, int]]:
        """Pairs of tracks, the lower number first, that are in the picture at the same time."""
        pairs = set()
        for n, (start, end) in enumerate(zip(self._start, self._end, strict=True)):
            others = self._track[n + 1 :][(self._start[n + 1 :] < end) & (start < self._end[n + 1 :])]
            mine = int(self._track[n])
            pairs |= {(min(mine, int(o)), max(mine, int(o))) for o in others if int(o) != mine}
        return pairs


def face_tracks(
    faces: Table[Any], *, rate: float | None, times: Floats, end: float, cuts: Sequence[float], hold: float
) -> Mapping[int, FaceTrack]:
    """The tracks of rows of face_analysis, by number.

    ``rate``: at which it looked, None for every frame. ``times``: of all frames of the file; ``end``: of the last one.
    ``cuts``: when shots begin. Raises `ConfigError` for faces that are not followed.
    """
    if not len(faces):
        return {}
    numbers = faces.column("track")
    if np.ma.getmaskarray(numbers).any():
        raise ConfigError(
            "active_speaker goes by tracks of faces, and these have none: set face_analysis.tracking=true"
        )
    track = np.ma.getdata(numbers)
    time = np.asarray(faces.column("time"), dtype=np.float64)
    boxes = np.stack([np.asarray(faces.column(c), dtype=np.float64) for c in ("x1", "y1", "x2", "y2")], axis=1)
    points, yaw = _points(faces), np.ma.filled(np.ma.asarray(faces.column("yaw"), dtype=np.float64), np.nan)
    found = {}
    for number in np.unique(track).tolist():
        mine = np.flatnonzero(track == number)
        mine = mine[np.argsort(time[mine], kind="stable")]
        spans = _visible(time[mine], rate=rate, times=times, end=end, cuts=np.asarray(cuts), hold=hold)
        found[number] = FaceTrack(number, time[mine], points[mine], yaw[mine], spans, boxes[mine])
    return found


def _points(faces: Table[Any]) -> NDArray[np.float64]:
    given = faces.column("landmarks")
    if isinstance(given, np.ndarray) and given.dtype != object and given.ndim == 3:
        return np.asarray(given, dtype=np.float64)
    missing = np.full((5, 2), np.nan)
    return np.stack([missing if one is None else np.asarray(one, dtype=np.float64) for one in given])


def _visible(
    seen: Floats, *, rate: float | None, times: Floats, end: float, cuts: Floats, hold: float
) -> tuple[TimeSpan, ...]:
    """Spans between sightings at ``seen`` that follow each other."""
    shown = np.searchsorted(times, seen, side="right")  # the frame after each
    until = np.append(times, end)[np.minimum(shown, len(times))]
    # pictures looked at follow each other within a step and a frame; after a cut nobody is where they were
    frame = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    longest = max(hold, 0.0 if rate is None else 1 / rate + frame)
    if rate is None:
        longest = max(longest, float(np.diff(times).max(initial=0.0)))
    apart = np.diff(seen) > longest + 1e-6
    apart |= np.searchsorted(cuts, seen[1:] + 1e-6, side="right") > np.searchsorted(
        cuts, seen[:-1] + 1e-6, side="right"
    )
    firsts = np.append(0, np.flatnonzero(apart) + 1)
    lasts = np.append(np.flatnonzero(apart), len(seen) - 1)
    return tuple(
        TimeSpan(seen[a], max(until[b], seen[a])) for a, b in zip(firsts, lasts, strict=True) if until[b] > seen[a]
    )
