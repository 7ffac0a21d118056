"""The axes of a head, and where it is by the keypoints of its body. Pure geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoannotator.draw.labels import Box

__all__ = ["head_axes", "head_box"]

_HEAD = slice(0, 5)  # COCO: nose, eyes, ears
_SHOULDERS = (5, 6)


def head_axes(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Where the axes of a head point in the picture: to its own left, up, and out of its face; float64 (3, 2).

    x to the right, y down, each axis one long. ``yaw``, ``pitch``, ``roll``: degrees with the signs of `Face`
    (ISO/IEC 19794-5: yaw positive when turned to its own left, pitch when looking down, roll when tilted to its own
    right shoulder), done as roll, then pitch, then yaw.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    axes = (about_y @ about_x @ about_z).T  # a row for each axis: x to its left, y up, z towards the viewer
    return np.stack([axes[:, 0], -axes[:, 1]], axis=1)


def head_box(keypoints: NDArray[np.floating], sure: float) -> Box | None:
    """A square around the head of a body in COCO's 17 keypoints, (17, 3); None where the head's are not seen.

    ``sure``: keypoints of a lower score do not count. A head is about 1.2 times as wide as its ears lie apart; seen
    from the side, where they do not, the shoulders tell its size (about 0.4 of their distance), or what is seen.
    """
    if keypoints.shape != (17, 3):
        return None
    seen = keypoints[_HEAD][keypoints[_HEAD, 2] >= sure, :2].astype(np.float64)
    if not len(seen):
        return None
    apart = float(np.linalg.norm(seen[:, None] - seen[None, :], axis=2).max())
    shoulders = keypoints[list(_SHOULDERS)]
    wide = float(np.linalg.norm(shoulders[0, :2] - shoulders[1, :2])) if (shoulders[:, 2] >= sure).all() else 0.0
    radius = max(0.9 * apart, 0.4 * wide)
    if radius <= 0:
        return None
    x, y = (seen.min(axis=0) + seen.max(axis=0)) / 2
    return float(x - radius), float(y - radius), float(x + radius), float(y + radius)
