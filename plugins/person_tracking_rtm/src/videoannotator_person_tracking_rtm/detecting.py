"""Persons in pictures: ONNX exports of RTMDet and YOLOX, with the pre- and postprocessing of rtmlib 0.0.16.

Sources: RTMDet (https://arxiv.org/abs/2212.07784), YOLOX (https://arxiv.org/abs/2107.08430); rtmlib
(https://github.com/Tau-J/rtmlib, Apache-2.0), ``rtmlib/tools/object_detection``, whose boxes these are (tested).
"""

from __future__ import annotations

from typing import Literal

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ModelError
from videoannotator_person_tracking_rtm.session import Network

__all__ = ["SIDES", "Detector", "Persons", "family_of", "nms"]

Family = Literal["rtmdet", "yolox"]

_STRIDES = (8, 16, 32)
_GREY = 114
_SIDE = 640
SIDES = {"rtmdet-nano-person": 320, "yolox-tiny-humanart": 416}
"""Of declared models that are made for another side than 640 px, in case their files do not fix it."""
_PERSON = 0
_NORMALISE = {  # mmdetection's configs: blue first; YOLOX sees 0..255 as they are
    "rtmdet": (np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])),
    "yolox": None,
}


@attrs.frozen(eq=False)
class Persons:
    """``boxes``: float32 (N, 4), x1 y1 x2 y2 in pixels of the picture, not clipped. ``scores``: float32 (N,)."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]


def family_of(given: Family | None, name: str) -> Family:
    """The family that was given, or that the name of a model or file tells. Raises `ModelError` when neither does."""
    found = {family for family in ("rtmdet", "yolox") if family in name.lower()}
    if given is not None:
        return given
    if len(found) != 1:
        raise ModelError(
            f"the name {name!r} does not tell whether this is RTMDet or YOLOX, which want other pictures: set "
            "person_tracking.family to 'rtmdet' or 'yolox'"
        )
    return "rtmdet" if "rtmdet" in found else "yolox"


class Detector:
    """Finds persons.

    ``side``: of the square the network sees; None for what its file fixes, else ``usual``.

    ``conf``: scores are above it. ``iou``: see `nms`; where the export has an NMS of its own, that has been at work.
    Raises `ModelError` when the file fixes another size.
    """

    def __init__(
        self, network: Network, family: Family, *, side: int | None, conf: float, iou: float, usual: int = _SIDE
    ) -> None:
        fixed = network.size
        self.size = fixed or (side or usual, side or usual)
        if fixed is not None and side is not None and fixed != (side, side):
            raise ModelError(f"{network.path} takes pictures of {fixed[1]}x{fixed[0]} px; leave detector_size unset")
        self.network, self._scale = network, _NORMALISE[family]
        self._conf, self._iou = conf, iou

    def __call__(self, picture: NDArray[np.uint8]) -> Persons:
        """The persons in a picture, uint8 (height, width, 3), blue first."""
        seen, ratio = self.prepare(picture)
        outputs = self.network(seen)
        first = outputs[0]
        if first.ndim == 3 and first.shape[2] == 5:  # with NMS: boxes and scores, and classes in a second output
            keep = first[0, :, 4] > self._conf
            if len(outputs) > 1 and outputs[1].shape == first.shape[:2]:
                keep &= outputs[1][0] == _PERSON
            boxes: NDArray[np.float32] = np.divide(first[0, keep, :4], ratio, dtype=np.float32)
            return Persons(boxes, first[0, keep, 4])
        if first.ndim == 3 and first.shape[2] > 5:
            return self._without_nms(first[0], ratio)
        raise ModelError(
            f"{self.network.path} gives {self.network.outputs[0]!r} of shape {first.shape}, not (1, N, 5) or "
            "(1, N, 5 + classes): it is no RTMDet or YOLOX export that rtmlib reads"
        )

    def prepare(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """What the network sees, float32 (3, height, width), and how many times larger it is than the picture.

        The picture keeps its shape, in the upper left corner, grey beside it.
        """
        height, width = picture.shape[:2]
        ratio = min(self.size[0] / height, self.size[1] / width)
        if (height, width) == self.size:
            padded = picture
        else:
            padded = np.full((*self.size, 3), _GREY, dtype=np.uint8)
            inner = (max(1, int(width * ratio)), max(1, int(height * ratio)))
            padded[: inner[1], : inner[0]] = cv2.resize(picture, inner, interpolation=cv2.INTER_LINEAR)
        scaled = padded if self._scale is None else (padded - self._scale[0]) / self._scale[1]
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32), ratio

    def _without_nms(self, output: NDArray[np.float32], ratio: float) -> Persons:
        """Of rows of centre, size, objectness and a score per class, relative to a grid (YOLOX, section 2.1)."""
        sides = [(self.size[0] // stride, self.size[1] // stride) for stride in _STRIDES]
        cells = [np.stack(np.meshgrid(np.arange(w), np.arange(h)), 2).reshape(-1, 2) for h, w in sides]
        grid = np.concatenate(cells)
        strides = np.concatenate([np.full((len(c), 1), s) for c, s in zip(cells, _STRIDES, strict=True)])
        if len(output) != len(grid):
            raise ModelError(f"{self.network.path} gives {len(output)} boxes, and {len(grid)} belong to this size")
        centre = ((output[:, :2] + grid) * strides).astype(np.float32)
        size = (np.exp(output[:, 2:4]) * strides).astype(np.float32)
        scores = output[:, 4] * output[:, 5 + _PERSON]
        boxes = np.concatenate([centre - size / 2.0, centre + size / 2.0], axis=1)
        boxes /= ratio
        found = scores > self._conf
        boxes, scores = boxes[found], scores[found]
        keep = nms(boxes, scores, self._iou)
        return Persons(boxes[keep], scores[keep])


def nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], most: float) -> NDArray[np.intp]:
    """Indices of boxes, best first, none of which overlaps a better one by an IoU of more than ``most``.

    With the areas of rtmlib and YOLOX, in which a box from pixel 0 to pixel 9 is ten pixels wide.
    """
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = scores.argsort()[::-1]
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.maximum(0.0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1)
        height = np.maximum(0.0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1)
        both = width * height
        order = rest[both / (areas[best] + areas[rest] - both) <= most]
    return np.array(kept, dtype=np.intp)
