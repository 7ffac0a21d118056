"""How the background moved between two pictures, and how the light changed.

Corners of the background (Shi & Tomasi, 1994) are followed from one picture to the other (Lucas & Kanade, 1981, in
pyramids) and back; the motion that most of them share, as a similarity (shift, rotation, zoom), is that of the camera
(RANSAC). All are OpenCV's.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Compensated", "Similarity", "compensate", "measure"]

Gray = NDArray[np.uint8]

_CORNERS = {"maxCorners": 120, "qualityLevel": 0.01, "minDistance": 7, "blockSize": 5}
_FLOW = {"winSize": (15, 15), "maxLevel": 4}
_LEAST_POINTS = 8
"""Fewer points say nothing: a similarity is told by two, and one moving thing has a few corners of its own."""
_LEAST_SHARE = 0.5
"""When fewer of the points agree, no motion is that of the background."""
_RETURN = 0.5
"""px; a point followed there and back must come back as near as this."""
_WITHIN = 1.0
"""px; how near to where the similarity puts it a point must be to agree."""
_CLOSELY = 0.25
"""px; the same for the points that say how far exactly."""
_SPREAD = 5
"""Grey levels, standard deviation within a picture, from which on it tells a gain."""
_STILL = 0.1
"""px; below this, at every corner of the picture, nothing is moved before pictures are compared: it would only blur."""


@attrs.frozen(eq=False)
class Similarity:
    """Where points of the picture before are in this one: ``matrix`` (2, 3) float64, pixels of the pictures given.

    ``points``: how many were followed; ``share``: of them that agree, 0..1.
    """

    matrix: NDArray[np.float64]
    points: int
    share: float

    def shift(self, width: int, height: int) -> tuple[float, float]:
        """How far the centre of the picture moved, right and down, px."""
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        moved = self.matrix[:, :2] @ centre + self.matrix[:, 2] - centre
        return float(moved[0]), float(moved[1])

    @property
    def rotation(self) -> float:
        """Degrees, clockwise as seen."""
        return math.degrees(math.atan2(self.matrix[1, 0], self.matrix[0, 0]))

    @property
    def scale(self) -> float:
        """How much larger things have become; 1 is no change."""
        return math.hypot(self.matrix[0, 0], self.matrix[1, 0])

    def still(self, width: int, height: int) -> bool:
        """True when no corner of the picture moved by more than can be seen."""
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=float)
        moved = corners @ self.matrix[:, :2].T + self.matrix[:, 2] - corners
        return bool(np.hypot(moved[:, 0], moved[:, 1]).max() < _STILL)


def measure(before: Gray, after: Gray, persons: NDArray[np.float64]) -> Similarity | None:
    """How the background moved; None when that cannot be told.

    ``before``, ``after``: uint8 (height, width). ``persons``: float64 (N, 4), boxes in ``before``, which are not
    background. Too few corners, or no motion that half of them share: None.
    """
    mask = np.full(before.shape, 255, dtype=np.uint8)
    for x1, y1, x2, y2 in persons:
        mask[max(0, math.floor(y1)) : max(0, math.ceil(y2)), max(0, math.floor(x1)) : max(0, math.ceil(x2))] = 0
    after = _lit_like(before, after)
    corners = cv2.goodFeaturesToTrack(before, mask=mask, **_CORNERS)
    if corners is None or len(corners) < _LEAST_POINTS:
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **_FLOW)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **_FLOW)
    ways = (back - corners).reshape(-1, 2)
    kept = (found.ravel() == 1) & (found_back.ravel() == 1) & (np.hypot(ways[:, 0], ways[:, 1]) < _RETURN)
    followed = int(kept.sum())
    if followed < _LEAST_POINTS:
        return None
    start, end = corners[kept], there[kept]
    matrix, agree = _similarity(start, end, _WITHIN)
    share = float(agree.mean())
    if matrix is None or share < _LEAST_SHARE or share * followed < _LEAST_POINTS:
        return None
    # points at the edge of things that move are followed a little wrong: they agree, and draw the result with them
    closer, closely = _similarity(start[agree], end[agree], _CLOSELY)
    if closer is not None and closely.mean() >= _LEAST_SHARE:
        matrix = closer
    return Similarity(matrix, followed, share)


def _similarity(start: Any, end: Any, within: float) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    """The similarity that most points share, and which do."""
    matrix, agree = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=within, maxIters=2000, confidence=0.999
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None, np.zeros(len(start), dtype=bool)
    return np.asarray(matrix, dtype=np.float64), np.asarray(agree).ravel() == 1


def _lit_like(before: Gray, after: Gray) -> Gray:
    """``after`` in the light of ``before``, as mean and spread tell it: the flow goes by grey levels alone."""
    mean, spread = (float(value.item()) for value in cv2.meanStdDev(before))
    mean_now, spread_now = (float(value.item()) for value in cv2.meanStdDev(after))
    gain = spread / spread_now if min(spread, spread_now) >= _SPREAD else 1.0
    lit: Gray = cv2.convertScaleAbs(after, alpha=gain, beta=mean - gain * mean_now)
    return lit


@attrs.frozen(eq=False)
class Compensated:
    """What is left of the change between two pictures.

    ``change``: float32 (height, width), grey levels, motion and light taken out. ``moved``: the light left in.
    ``valid``: bool, where both pictures show something; None where they do everywhere. ``light``: mean grey levels
    that the light gave or took.
    """

    change: NDArray[np.float32]
    moved: NDArray[np.float32]
    valid: NDArray[np.bool_] | None
    light: float

    @property
    def mean(self) -> float:
        """Mean change of the grey level with the light left in, 0..255."""
        return float(np.abs(_shown(self.moved, self.valid)).mean())


def _shown(values: NDArray[np.float32], valid: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """The values where ``valid``, everywhere when None: float32 (N,)."""
    return values.reshape(-1) if valid is None else values[valid]


def compensate(before: Gray, after: Gray, motion: Similarity, threshold: float) -> Compensated | None:
    """Move the picture before to where this one shows the same things, and take out the change of the light.

    ``threshold``: grey levels; what differs by less is noise. None when the pictures have nothing in common.
    """
    height, width = after.shape
    base = before.astype(np.float32)
    valid = None
    if not motion.still(width, height):
        size, flags = (width, height), {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
        base = np.clip(cv2.warpAffine(base, motion.matrix, size, **flags), 0, 255)
        inside = cv2.warpAffine(np.full(before.shape, 255, np.uint8), motion.matrix, size, flags=cv2.INTER_LINEAR)
        valid = inside == 255
        if not valid.any():
            return None
    now = after.astype(np.float32)
    moved = now - base
    places = np.arange(base.size) if valid is None else np.flatnonzero(valid)
    some = places[:: max(1, len(places) // 4_000)]
    gain, offset = _light(base.reshape(-1)[some], now.reshape(-1)[some], threshold)
    lit = np.clip(gain * base + offset, 0, 255)
    return Compensated(now - lit, moved, valid, float(_shown(lit - base, valid).mean()))


def _light(base: NDArray[np.float32], now: NDArray[np.float32], threshold: float) -> tuple[float, float]:
    """Gain and offset of the light: a line through the grey levels of what did not move, most of some pixels.

    Begins with the median change and fits twice, each time without what lies off the line: things that moved.
    """
    x, y = base.astype(np.float64), now.astype(np.float64)
    gain, offset = 1.0, _median(y - x)
    # what is clipped says nothing of the light
    usable = (x > 1) & (x < 254) & (y > 1) & (y < 254)
    for _ in range(2):
        off = np.abs(y - gain * x - offset)
        near = usable & (off <= max(threshold, 3 * _median(off)))
        if near.sum() < max(16, len(x) // 4):
            return gain, offset
        base_mean, now_mean = float(x[near].mean()), float(y[near].mean())
        spread = float(x[near].var())
        if spread < 25:  # grey levels squared: a flat picture tells the offset only
            return 1.0, now_mean - base_mean
        gain = float(((x[near] - base_mean) * (y[near] - now_mean)).mean()) / spread
        offset = now_mean - gain * base_mean
    return gain, offset


def _median(values: NDArray[np.float64]) -> float:
    """NumPy's median, without its search for NaN."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1].tolist()
    return float((low + high) / 2)
