"""From points and matrices to what is measured of a face. Pure NumPy.

Points are numbered as in MediaPipe's Face Mesh: 468 of the face, then 5 of the right and 5 of the left iris, the
middle first. Right and left are the person's own.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["LEFT", "POINTS", "RIGHT", "Eye", "Square", "best", "eyes_of", "pose_of", "square"]

POINTS = 478


@attrs.frozen
class Eye:
    """The numbers of an eye's points: ``outer`` and ``inner`` corner, two pairs of ``upper`` and ``lower`` lid, iris.

    The six of the lids are those of Soukupová & Čech (2016) as they are commonly taken from Face Mesh.
    """

    outer: int
    inner: int
    upper: tuple[int, int]
    lower: tuple[int, int]
    iris: int


RIGHT = Eye(outer=33, inner=133, upper=(160, 158), lower=(144, 153), iris=468)
LEFT = Eye(outer=263, inner=362, upper=(387, 385), lower=(373, 380), iris=473)


@attrs.frozen
class Square:
    """A square part of a picture, in whole pixels; it may reach out of the picture."""

    x: int
    y: int
    side: int

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of ``picture``, (H, W, 3): (side, side, 3), contiguous, black where there is no picture."""
        height, width = picture.shape[:2]
        part = np.zeros((self.side, self.side, 3), dtype=np.uint8)
        top, bottom = (int(np.clip(y, 0, height)) for y in (self.y, self.y + self.side))
        left, right = (int(np.clip(x, 0, width)) for x in (self.x, self.x + self.side))
        part[top - self.y : bottom - self.y, left - self.x : right - self.x] = picture[top:bottom, left:right]
        return part


def square(box: NDArray[np.floating], margin: float) -> Square:
    """The square around a box (x1, y1, x2, y2), wider by ``margin`` of its longer side on each side; 2 px at least."""
    side = max(2, round(float(max(box[2] - box[0], box[3] - box[1])) * (1 + 2 * margin)))
    x, y = (round(float(box[axis] + box[axis + 2] - side) / 2) for axis in (0, 1))
    return Square(x, y, side)


def best(candidates: list[NDArray[np.float32]], box: NDArray[np.floating]) -> int | None:
    """Which of several faces is the one in ``box``: the one whose extent overlaps it most (intersection over union).

    ``candidates``: (478, 3) each. None when of no one the middle lies in the box: then it was not found.
    """
    chosen, most = None, -1.0
    for number, points in enumerate(candidates):
        low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        middle = (low + high) / 2
        if not ((middle >= box[:2]) & (middle <= box[2:])).all():
            continue
        common = np.prod(np.maximum(0, np.minimum(high, box[2:]) - np.maximum(low, box[:2])))
        union = np.prod(high - low) + np.prod(box[2:] - box[:2]) - common
        overlap = float(common / union) if union > 0 else 0.0
        if overlap > most:
            chosen, most = number, overlap
    return chosen


def pose_of(matrix: NDArray[np.floating]) -> tuple[float, float, float] | None:
    """Yaw, pitch, roll in degrees of a facial transformation matrix of MediaPipe, (4, 4).

    It turns the canonical face (x to the right of the picture, y up, z to the viewer), by a rotation and one scale.
    Signs and order are those of `Face` (ISO/IEC 19794-5): yaw is positive when the head is turned to its own left,
    pitch when it looks down, roll when it is tilted to its own right; roll is done first, then pitch, then yaw.
    Yaw and roll lie in -180..180, pitch in -90..90. None for a matrix that turns nothing (a face without extent).
    """
    part = np.asarray(matrix, dtype=np.float64)[:3, :3]
    scale = np.cbrt(np.linalg.det(part)) if np.isfinite(part).all() else 0.0
    if scale <= 1e-9:
        return None
    turn = part / scale
    yaw = np.arctan2(turn[0, 2], turn[2, 2])
    pitch = np.arcsin(np.clip(-turn[1, 2], -1, 1))
    roll = np.arctan2(turn[1, 0], turn[1, 1])
    degrees = np.degrees([yaw, pitch, roll])
    return float(degrees[0]), float(degrees[1]), float(degrees[2])


def eyes_of(points: NDArray[np.floating]) -> dict[str, float | None]:
    """How far each eye is open and where its iris is: by column of `FaceLandmarks`, see there.

    ``points``: (478, 2 or more), x and y in pixels. None where the corners of an eye lie in one point. No iris where it
    would lie outside of its eye, as it is put for an eye that is turned away.
    """
    found: dict[str, float | None] = {}
    for side, eye in (("right", RIGHT), ("left", LEFT)):
        openness, position = _eye(np.asarray(points, dtype=np.float64)[:, :2], eye, mirrored=eye is LEFT)
        found[f"{side}_eye_open"] = openness
        found[f"{side}_iris_x"], found[f"{side}_iris_y"] = position
    return found


def _eye(
    xy: NDArray[np.float64], eye: Eye, *, mirrored: bool
) -> tuple[float | None, tuple[float, float] | tuple[None, None]]:
    corners = xy[[eye.outer, eye.inner]]
    across = corners[1] - corners[0]  # of the right eye, to the right of the picture
    if mirrored:
        across = -across
    width = float(np.hypot(*across))
    if width < 1e-6:
        return None, (None, None)
    lids = np.linalg.norm(xy[list(eye.upper)] - xy[list(eye.lower)], axis=1).sum()
    along = across / width
    below = np.array([-along[1], along[0]])  # a quarter turn: from right to down, in pictures
    offset = (xy[eye.iris] - corners.mean(axis=0)) / (width / 2)
    x, y = float(offset @ along), float(offset @ below)
    return float(lids / (2 * width)), (x, y) if max(abs(x), abs(y)) <= 1 else (None, None)
