"""Which face is which from picture to picture.

Tracking by detection: the faces of a picture are matched to the tracks, all at once and with the least sum of
distances (SORT: Bewley et al. 2016, https://arxiv.org/abs/1602.00763). What is matched are the corners of the box and
the five landmarks, moved on as the face moved last. Faces are mostly looked for a few times a second, when boxes of
one face need not overlap any more; so it is not their overlap that counts but how far they are from each other, in
sizes of the face, and the farther they may be the longer it was not seen (as with the growing boxes of C-BIoU: Yang
et al. 2023, https://arxiv.org/abs/2211.14317). All is in seconds, so another rate changes little.

Where the whole picture changes every track ends: behind a cut another person may sit in the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from videoannotator.data.rows import Gap, Track

__all__ = ["Follower", "change", "thumbnail"]

_NEAR = 0.4  # sizes of the face that its points may lie off at once
_SPEED = 3.0  # sizes per second by which that grows
_FAR = 1.5  # sizes, at most
_GROWN = 2.0  # times its size that a face may be when it is seen next, or one part of it
_MEMORY = 0.2  # seconds within which a face stops that is seen no more
_SIDE = 32  # pixels on the longer side of a thumbnail
_SSIM = (0.03 * 255) ** 2


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey picture so small that only what happens to all of it can be seen: uint8 (h, w).

    ``pixels``: uint8 (H, W, 3), red first.
    """
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def change(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How little two thumbnails have in common: 0 for the same, about 1 for two that have nothing in common.

    One less the contrast and structure term of SSIM (Wang et al., *Image quality assessment: from error visibility to
    structural similarity*, IEEE TIP 13, 2004) with its constant, over the whole picture at once: where both have the
    same contrast, about one less their correlation. More light on all of it is no change; two flat pictures are alike.
    """
    a, b = (picture - picture.mean() for picture in (one.astype(np.float64), other.astype(np.float64)))
    return float(1 - (2 * (a * b).mean() + _SSIM) / ((a**2).mean() + (b**2).mean() + _SSIM))


@attrs.define(eq=False)
class _Followed:
    """A track so far. ``points``: float64 (7, 2), corners and landmarks where it was seen last; ``speed``: px/s."""

    number: int
    start: float
    start_frame: int
    end: float
    end_frame: int
    look: int
    points: NDArray[np.float64]
    speed: NDArray[np.float64] = attrs.field(factory=lambda: np.zeros(2))
    frames: int = 1
    scores: float = 0.0
    gaps: list[tuple[float, float]] = attrs.field(factory=list)

    @property
    def size(self) -> float:
        return _size(self.points)

    def where(self, time: float) -> NDArray[np.float64]:
        """Where the points should be at ``time``: they go on for a moment as they went last."""
        return np.asarray(self.points + self.speed * _MEMORY * (1 - np.exp(-(time - self.end) / _MEMORY)))

    def seen(self, frame: int, time: float, look: int, points: NDArray[np.float64], score: float) -> None:
        """It is in the picture that is looked at."""
        if look > self.look + 1:
            self.gaps.append((self.end, time))
        if time > self.end:
            moved = (points.mean(axis=0) - self.points.mean(axis=0)) / (time - self.end)
            self.speed = (self.speed + moved) / 2
        self.end, self.end_frame, self.look, self.points = time, frame, look, points
        self.frames += 1
        self.scores += score

    def row(self) -> Track:
        """What is known of it as a whole."""
        return Track(
            track=self.number,
            label="face",
            start=self.start,
            end=self.end,
            start_frame=self.start_frame,
            end_frame=self.end_frame,
            frames=self.frames,
            gaps=tuple(Gap(start, end) for start, end in self.gaps),
            score=min(1.0, self.scores / self.frames),
        )


def _size(points: NDArray[np.float64]) -> float:
    """The side of a square with the area of the box."""
    return float(max(np.sqrt(np.prod(points[1] - points[0])), 1.0))


class Follower:
    """Gives faces the numbers of their tracks, from 1 on, never the same twice.

    ``lost_after``: seconds for which a track is kept that is not seen. ``cut``: `change` from one picture looked at to
    the next from which on all tracks end; None: never.
    """

    def __init__(self, lost_after: float, cut: float | None) -> None:
        self._lost_after, self._cut = lost_after, cut
        self._last = 0
        self._begin()

    def _begin(self) -> None:
        self._tracks: list[_Followed] = []
        self._look = 0
        self._thumbnail: NDArray[np.uint8] | None = None

    def forget(self) -> None:
        """What comes next does not follow what was seen. Numbers that were given are not given again."""
        self._begin()

    def state(self) -> Any:
        """What it remembers: plain values and arrays that later calls do not change."""
        return (
            self._last,
            self._look,
            self._thumbnail,
            [attrs.evolve(track, gaps=list(track.gaps)) for track in self._tracks],
        )

    def restore(self, state: Any) -> None:
        """Take that back."""
        self._last, self._look, self._thumbnail, tracks = state
        self._tracks = [attrs.evolve(track, gaps=list(track.gaps)) for track in tracks]

    def rest(self) -> list[Track]:
        """The tracks that are still open: the stretch of time is over."""
        left, self._tracks = self._tracks, []
        return [track.row() for track in left]

    def update(
        self,
        frame: int,
        time: float,
        boxes: NDArray[np.floating],
        landmarks: NDArray[np.floating],
        scores: Sequence[float],
        thumbnail: NDArray[np.uint8] | None,
    ) -> tuple[list[int], list[Track]]:
        """The numbers of the faces in the next picture looked at, and the tracks that ended before it.

        ``boxes``: (N, 4). ``landmarks``: (N, 5, 2). ``thumbnail``: of the picture, where `cut` is set.
        """
        ended = self._expired(time, thumbnail)
        self._look += 1
        points = np.concatenate([np.reshape(boxes, (-1, 2, 2)), landmarks], axis=1).astype(np.float64)
        numbers = [0] * len(points)
        for index, place in self._matched(time, points):
            track = self._tracks[place]
            track.seen(frame, time, self._look, points[index], float(scores[index]))
            numbers[index] = track.number
        for index in range(len(points)):
            if not numbers[index]:
                numbers[index] = self._opened(frame, time, points[index], float(scores[index]))
        return numbers, ended

    def _expired(self, time: float, thumbnail: NDArray[np.uint8] | None) -> list[Track]:
        cut = False
        if self._cut is not None and thumbnail is not None:
            cut = self._thumbnail is not None and change(self._thumbnail, thumbnail) >= self._cut
            self._thumbnail = thumbnail
        gone = [track for track in self._tracks if cut or time - track.end > self._lost_after]
        if gone:
            numbers = {track.number for track in gone}
            self._tracks = [track for track in self._tracks if track.number not in numbers]
        return [track.row() for track in gone]

    def _opened(self, frame: int, time: float, points: NDArray[np.float64], score: float) -> int:
        self._last += 1
        self._tracks.append(_Followed(self._last, time, frame, time, frame, self._look, points, scores=score))
        return self._last

    def _matched(self, time: float, points: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Pairs of a face and the place of a track."""
        if not self._tracks or not len(points):
            return []
        there = np.stack([track.where(time) for track in self._tracks])
        sizes = np.array([track.size for track in self._tracks])
        own = np.array([_size(each) for each in points])
        reach = np.minimum(_NEAR + _SPEED * np.array([time - track.end for track in self._tracks]), _FAR)
        # the middles of two sets of points are never farther apart than the points are in the mean
        close = cKDTree(points.mean(axis=1)).query_ball_point(
            there.mean(axis=1), reach * (sizes + own.max()) / 2, return_sorted=True
        )
        tracks = np.repeat(np.arange(len(there)), [len(faces) for faces in close])
        faces = np.concatenate([np.asarray(some, dtype=np.intp) for some in close])
        away = np.linalg.norm(there[tracks] - points[faces], axis=2).mean(axis=1)
        cost = away / ((own[faces] + sizes[tracks]) / 2 * reach[tracks])
        near = (cost < 1) & (np.abs(np.log(own[faces] / sizes[tracks])) < np.log(_GROWN))
        return _assigned(faces[near], tracks[near], cost[near], len(points), len(there))


def _assigned(
    faces: NDArray[np.intp], tracks: NDArray[np.intp], cost: NDArray[np.float64], n_faces: int, n_tracks: int
) -> list[tuple[int, int]]:
    """Pairs with the least sum of costs, where a face or a track that stays alone costs 1/2.

    Groups of faces and tracks that have nothing to do with each other are solved apart: a crowd stays cheap.
    """
    graph = coo_matrix((np.ones(len(cost)), (faces, n_faces + tracks)), shape=(n_faces + n_tracks,) * 2)
    group = connected_components(graph, directed=False)[1][faces]
    order = np.argsort(group, kind="stable")
    pairs = []
    for here in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []:
        rows, row = np.unique(faces[here], return_inverse=True)
        columns, column = np.unique(tracks[here], return_inverse=True)
        dense = np.ones((len(rows), len(columns)))
        dense[row, column] = cost[here]
        for i, j in zip(*linear_sum_assignment(dense), strict=True):
            if dense[i, j] < 1:
                pairs.append((int(rows[i]), int(columns[j])))
    return sorted(pairs)
