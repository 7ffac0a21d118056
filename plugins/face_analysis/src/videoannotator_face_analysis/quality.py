"""How well a face can be seen: how far apart its eyes are, how sharp it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator_face_analysis.cropping import TEMPLATE, TEMPLATE_SIZE, similarities, warped

__all__ = ["eye_distances", "sharpness"]

_MOST = 16  # times the template's size at which a face is looked at
_EDGE = 2  # pixels at the border of the picture, or of the crop, where the Laplacian sees what is not there


def eye_distances(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance between the two eye landmarks as they are seen, in pixels of the landmarks: float64 (N,).

    ``landmarks``: (N, 5, 2). Inter-eye distance of ISO/IEC 39794-5, not corrected for a turned head.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 5, 2)
    return np.asarray(np.linalg.norm(points[:, 1] - points[:, 0], axis=1))


def sharpness(picture: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Variance of the Laplacian of the grey picture of each face, laid onto the template of 112 pixels: float64 (N,).

    In squared grey levels (0..255). Pech-Pacheco et al., *Diatom autofocusing in brightfield microscopy*, ICPR 2000;
    LAPV in Pertuz et al., *Analysis of focus measure operators*, Pattern Recognition 46, 2013. All faces are measured
    at one size, so that a small face, which has no detail, is not sharp. Only what is in the picture counts; NaN for
    a face of which less than a quarter is, or whose landmarks lie in one point.

    ``picture``: uint8 (H, W, 3), red first. ``landmarks``: (N, 5, 2), in its pixels.
    """
    transforms = similarities(landmarks, TEMPLATE)
    told = np.full(len(transforms), np.nan)
    inside = np.full(picture.shape[:2], 255, dtype=np.uint8)
    usable = np.zeros((TEMPLATE_SIZE, TEMPLATE_SIZE), dtype=bool)
    usable[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    for number in np.flatnonzero(np.isfinite(transforms).all(axis=(1, 2))):
        grey = cv2.cvtColor(_shrunk(picture, transforms[number]), cv2.COLOR_RGB2GRAY)
        there = cv2.erode(_shrunk(inside, transforms[number]), np.ones((2 * _EDGE + 1,) * 2, np.uint8)) == 255
        seen = there & usable
        if seen.sum() >= usable.sum() / 4:
            told[number] = cv2.Laplacian(grey, cv2.CV_64F, ksize=1)[seen].var()
    return told


def _shrunk(picture: NDArray[np.uint8], transform: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The face on the template; a larger one is averaged over areas: pixels left out would look sharp."""
    times = int(np.clip(np.ceil(1 / np.hypot(transform[0, 0], transform[1, 0])), 1, _MOST))
    larger = transform * times
    larger[:, 2] += (times - 1) / 2  # whole coordinates are centres of pixels
    whole = warped(picture, larger[None], times * TEMPLATE_SIZE)[0]
    if times == 1:
        return np.asarray(whole, dtype=np.uint8)
    return np.asarray(cv2.resize(whole, (TEMPLATE_SIZE, TEMPLATE_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
