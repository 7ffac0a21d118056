"""How a head is turned, from the five landmarks of its face. Pure NumPy.

The landmarks are compared with those of a mean face in three dimensions, seen from far away (scaled orthographic, or
"weak perspective", projection; DeMenthon & Davis, *Model-based object pose in 25 lines of code*, IJCV 15, 1995): no
focal length has to be guessed. The rotation is that of least squared error in the picture.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["MEAN_FACE", "Pose", "angles", "poses", "rotations"]

MEAN_FACE: NDArray[np.float64] = np.array(
    [
        [-3.151146, 2.624618, 3.465638],  # right eye: between its corners, vertices 33 and 133
        [3.151146, 2.624618, 3.465638],  # left eye: 263 and 362
        [0.0, -0.795018, 7.531092],  # tip of the nose: between 1 and 4
        [-2.456206, -4.342621, 4.283884],  # right corner of the mouth: 61
        [2.456206, -4.342621, 4.283884],  # left corner of the mouth: 291
    ]
)
"""The landmarks of a mean face, in centimetres: x to the person's left, y up, z out of the face; float64 (5, 3).

From MediaPipe's canonical face model (``mediapipe/modules/face_geometry/data/canonical_face_model.obj``, Apache-2.0).
"""

_X = MEAN_FACE - MEAN_FACE.mean(axis=0)
_X_SQUARED = float((_X**2).sum())
_STEPS = 200
_SETTLED = 1e-7
_FIT = 0.18
"""Landmarks that lie farther than this from those of the turned mean face (root mean square, in distances between its
eyes) are not those of a face that can be measured. Faces that people would call well placed stay below 0.1."""


@attrs.frozen(eq=False)
class Pose:
    """How the heads of N faces are turned, in degrees; NaN where it cannot be told. See `Face` for the signs.

    ``yaw``, ``pitch``, ``roll``: float64 (N,). ``misfit``: float64 (N,), how far the landmarks lie from those of the
    mean face that is turned so: root mean square, in distances between its eyes as they are from the front.
    """

    yaw: NDArray[np.float64]
    pitch: NDArray[np.float64]
    roll: NDArray[np.float64]
    misfit: NDArray[np.float64]

    @property
    def facing(self) -> NDArray[np.float64]:
        """Cosine of the angle between the nose's direction and the line of sight: 1 from the front; float64 (N,)."""
        return np.cos(np.radians(self.yaw)) * np.cos(np.radians(self.pitch))


def rotations(
    yaw: NDArray[np.floating], pitch: NDArray[np.floating], roll: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The rotation matrices of angles in degrees: float64 (N, 3, 3), roll first, then pitch, then yaw."""
    y, p, r = (np.radians(np.asarray(a, dtype=np.float64)) for a in (yaw, pitch, roll))
    zero, one = np.zeros_like(y), np.ones_like(y)

    def matrices(*entries: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(entries, axis=-1).reshape(-1, 3, 3)

    about_y = matrices(np.cos(y), zero, np.sin(y), zero, one, zero, -np.sin(y), zero, np.cos(y))
    about_x = matrices(one, zero, zero, zero, np.cos(p), -np.sin(p), zero, np.sin(p), np.cos(p))
    about_z = matrices(np.cos(r), -np.sin(r), zero, np.sin(r), np.cos(r), zero, zero, zero, one)
    return about_y @ about_x @ about_z


def angles(
    matrices: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Yaw, pitch, roll of rotation matrices (N, 3, 3), in degrees: yaw and roll in -180..180, pitch in -90..90."""
    yaw = np.arctan2(matrices[:, 0, 2], matrices[:, 2, 2])
    pitch = np.arcsin(np.clip(-matrices[:, 1, 2], -1, 1))
    roll = np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1])
    return np.degrees(yaw), np.degrees(pitch), np.degrees(roll)


def poses(landmarks: NDArray[np.floating]) -> Pose:
    """How heads are turned.

    ``landmarks``: (N, 5, 2), x and y in pixels, in the order of `Face`. NaN where all five lie in one point, where
    they fit no turned face, or only one that is turned away.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 5, 2) * [1, -1]
    points = points - points.mean(axis=1, keepdims=True)
    spread = np.sqrt((points**2).sum(axis=(1, 2)))
    known = spread > 1e-6
    points = points / np.where(known, spread, 1)[:, None, None]
    turned, scale = _fitted(points)
    seen = (_X @ turned[:, :2].transpose(0, 2, 1)) * scale[:, None, None]
    eyes = scale * float(np.linalg.norm(MEAN_FACE[1] - MEAN_FACE[0]))
    error = np.sqrt(((points - seen) ** 2).sum(axis=2).mean(axis=1))
    misfit = np.divide(error, eyes, out=np.full_like(error, np.nan), where=known & (eyes > 1e-9))
    told = known & (misfit <= _FIT) & (turned[:, 2, 2] > 0)
    yaw, pitch, roll = (np.where(told, values, np.nan) for values in angles(turned))
    return Pose(yaw, pitch, roll, misfit)


def _fitted(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotations (N, 3, 3) and scales (N,) with which the mean face is seen closest to ``points``, (N, 5, 2), centred.

    Were the depth of the points known, this would be Kabsch's problem; so it is estimated from the last rotation, and
    both are repeated until they stay (Koschat & Swayne, *A weighted Procrustes criterion*, Psychometrika 56, 1991): the
    error never grows. It begins at the affine solution, which is the answer for landmarks without error.
    """
    affine = points.transpose(0, 2, 1) @ _X @ np.linalg.inv(_X.T @ _X)  # (N, 2, 3)
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    two = left @ right
    rotation = np.concatenate([two, np.cross(two[:, 0], two[:, 1])[:, None]], axis=1)
    scale = sizes.mean(axis=1)
    moving = np.arange(len(points))  # each face until it stays: how long others take changes nothing
    for _ in range(_STEPS):
        depth = scale[moving, None] * (rotation[moving, 2, None] * _X).sum(axis=2)
        last = rotation[moving]
        rotation[moving], scale[moving] = _kabsch(np.concatenate([points[moving], depth[..., None]], axis=2))
        moving = moving[np.abs(rotation[moving] - last).max(axis=(1, 2)) >= _SETTLED]
        if not len(moving):
            break
    return rotation, scale


def _kabsch(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rotations and scales that lay the mean face best onto ``points``, (N, 5, 3), centred (Umeyama 1991)."""
    left, sizes, right = np.linalg.svd(points.transpose(0, 2, 1) @ _X)
    mirrored = np.linalg.det(left) * np.linalg.det(right) < 0
    signs = np.ones((len(points), 3))
    signs[mirrored, 2] = -1
    return (left * signs[:, None]) @ right, (sizes * signs).sum(axis=1) / _X_SQUARED
