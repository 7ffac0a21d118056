"""Faces cut out of a picture: laid onto a template by their five landmarks, or as a square around their box.

Networks that look at faces were trained on one of the two; which, with which template and margin, is theirs to say.
Pictures are uint8 (H, W, 3), in whichever order of colours; what is cut out has the same. Pixel centres have whole
coordinates, as in OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TEMPLATE", "TEMPLATE_SIZE", "aligned", "clipped", "cut", "similarities", "squares", "warped"]

TEMPLATE: NDArray[np.float32] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Where ArcFace and SFace want right eye, left eye, nose tip, right and left corner of the mouth: float32 (5, 2), in a
picture of `TEMPLATE_SIZE` pixels square (``arcface_dst`` of insightface, ``alignCrop`` of OpenCV)."""

TEMPLATE_SIZE = 112

_EPSILON = 1e-12


def similarities(points: NDArray[np.floating], template: NDArray[np.floating]) -> NDArray[np.float64]:
    """The similarity transforms (rotation, one scale, shift; no mirroring) that lay points best onto a template.

    ``points``: (N, K, 2). ``template``: (K, 2). Gives float64 (N, 2, 3), for ``x' = M @ (x, y, 1)``: those of least
    squared error (Umeyama, *Least-squares estimation of transformation parameters between two point patterns*,
    IEEE PAMI 13(4), 1991). NaN where all points of a face are the same, which no transform lays anywhere.
    """
    source = np.asarray(points, dtype=np.float64).reshape(-1, len(template), 2)
    target = np.asarray(template, dtype=np.float64)
    from_mean, to_mean = source.mean(axis=1, keepdims=True), target.mean(axis=0)
    a, b = source - from_mean, target - to_mean
    # as complex numbers, in two dimensions, the best rotation and scale is one division
    spread = (a**2).sum(axis=(1, 2))
    spread[spread < _EPSILON] = np.nan
    real = (a * b).sum(axis=(1, 2)) / spread
    imaginary = (a[..., 0] * b[:, 1] - a[..., 1] * b[:, 0]).sum(axis=1) / spread
    turn = np.stack([np.stack([real, -imaginary], axis=1), np.stack([imaginary, real], axis=1)], axis=1)
    shift = to_mean - (turn @ from_mean.transpose(0, 2, 1))[..., 0]
    return np.concatenate([turn, shift[..., None]], axis=2)


def warped(
    picture: NDArray[np.uint8], transforms: NDArray[np.floating], size: int = TEMPLATE_SIZE
) -> NDArray[np.uint8]:
    """What the transforms make of a picture: uint8 (N, size, size, 3), bilinear; black where there is no picture.

    ``transforms``: (N, 2, 3), from `similarities`, all finite.
    """
    out = np.empty((len(transforms), size, size, *picture.shape[2:]), dtype=np.uint8)
    for number, transform in enumerate(transforms):
        cv2.warpAffine(picture, transform, (size, size), dst=out[number], flags=cv2.INTER_LINEAR)
    return out


def aligned(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    *,
    size: int = TEMPLATE_SIZE,
    template: NDArray[np.floating] = TEMPLATE,
) -> NDArray[np.uint8]:
    """Faces laid onto a template by their landmarks: uint8 (N, size, size, 3).

    ``landmarks``: (N, 5, 2), in pixels of ``picture``, in the order of `Face`. ``template``: (5, 2), where they shall
    lie, in pixels of `TEMPLATE_SIZE`; it grows with ``size``. With the defaults, what
    ``cv2.FaceRecognizerSF.alignCrop`` gives, but for its rounding.
    """
    return warped(picture, similarities(landmarks, np.asarray(template) * (size / TEMPLATE_SIZE)), size)


def squares(boxes: NDArray[np.floating], margin: float = 0.0) -> NDArray[np.float32]:
    """Boxes made square around their centres: float32 (N, 4), x1, y1, x2, y2; they may reach out of the picture.

    ``boxes``: (N, 4). ``margin``: what is added on each side, as a share of the longer side.
    """
    given = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    centre = (given[:, :2] + given[:, 2:]) / 2
    half = (given[:, 2:] - given[:, :2]).max(axis=1, keepdims=True) * np.float32(0.5 + margin)
    return np.concatenate([centre - half, centre + half], axis=1)


def clipped(boxes: NDArray[np.floating], width: int, height: int) -> NDArray[np.float32]:
    """Boxes cut off at the borders of a picture: float32 (N, 4). A box wholly outside has no area afterwards."""
    limits = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(np.asarray(boxes, dtype=np.float32).reshape(-1, 4), 0, limits)


def cut(
    picture: NDArray[np.uint8], box: Sequence[float] | NDArray[np.floating], size: int | None = None
) -> NDArray[np.uint8]:
    """The part of a picture that a box shows: uint8 (h, w, 3), or (size, size, 3).

    ``box``: x1, y1, x2, y2, rounded to whole pixels (at least one). What lies outside of the picture is black.
    ``size``: stretch it to this, over areas when it gets smaller, bilinear when it grows.
    """
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    height, width = picture.shape[:2]
    inside = picture[max(0, y1) : max(0, min(y2, height)), max(0, x1) : max(0, min(x2, width))]
    if inside.shape[:2] != (y2 - y1, x2 - x1):
        whole = np.zeros((y2 - y1, x2 - x1, *picture.shape[2:]), dtype=np.uint8)
        if inside.size:
            top, left = max(0, -y1), max(0, -x1)
            whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        inside = whole
    if size is None:
        return inside
    shrinks = size < min(inside.shape[:2])
    resized = cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)
