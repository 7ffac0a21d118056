"""Two pictures compared: what changed, where, and how much of it the camera and the light did."""

from __future__ import annotations

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator_motion.camera import Compensated, Similarity, compensate, measure
from videoannotator_motion.regions import Places

__all__ = ["Change", "Shares", "compare"]

Gray = NDArray[np.uint8]


@attrs.frozen(eq=False)
class Shares:
    """Per place, float64 (N,): the share of its pixels that changed, 0..1, and the mean change of the grey level, 0..1.

    NaN where no pixel could be compared.
    """

    changed: NDArray[np.float64]
    energy: NDArray[np.float64]


@attrs.frozen(eq=False)
class Change:
    """What lies between two pictures. ``camera``, ``compensated``: None where the background could not be followed."""

    difference: NDArray[np.float32]
    camera: Similarity | None
    compensated: Compensated | None

    @property
    def mean(self) -> float:
        """Mean change of the grey level, 0..255, the motion of the camera taken out where it is known."""
        if self.compensated is None:
            return float(np.abs(self.difference).mean())
        return self.compensated.mean

    def raw(self, places: Places, threshold: float) -> Shares:
        """Everything that changed."""
        return _shares(self.difference, None, places, threshold)

    def without_camera(self, places: Places, threshold: float) -> Shares | None:
        """What is left when the motion of the camera and the change of the light are taken out; None if unknown."""
        if self.compensated is None:
            return None
        return _shares(self.compensated.change, self.compensated.valid, places, threshold)


def compare(before: Gray, after: Gray, *, persons: NDArray[np.float64], threshold: float, camera: bool) -> Change:
    """Compare two pictures, uint8 (height, width). ``persons``: float64 (N, 4), boxes in ``before``."""
    difference = after.astype(np.float32) - before.astype(np.float32)
    motion = measure(before, after, persons) if camera else None
    left = compensate(before, after, motion, threshold) if motion is not None else None
    return Change(difference, motion if left is not None else None, left)


def _shares(change: NDArray[np.float32], valid: NDArray[np.bool_] | None, places: Places, threshold: float) -> Shares:
    size = np.abs(change)
    over = size > threshold
    if valid is not None:
        over &= valid
    counts = places.sums(cv2.integral(over.view(np.uint8)))
    totals = places.sums(cv2.integral(np.where(over, size, np.float32(0)), sdepth=cv2.CV_64F))
    x1, y1, x2, y2 = places.cells.T
    pixels = ((x2 - x1) * (y2 - y1)).astype(np.float64)
    if valid is not None:
        pixels = places.sums(cv2.integral(valid.view(np.uint8)))
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, and NaN is missing
        return Shares(counts / pixels, np.maximum(totals, 0) / pixels / 255)
