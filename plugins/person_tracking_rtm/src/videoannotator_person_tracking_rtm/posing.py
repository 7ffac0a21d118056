"""Keypoints of persons: ONNX exports of RTMPose, with the pre- and postprocessing of rtmlib 0.0.16.

Sources: RTMPose (https://arxiv.org/abs/2303.07399), SimCC (https://arxiv.org/abs/2107.03332); rtmlib
(https://github.com/Tau-J/rtmlib, Apache-2.0), ``rtmlib/tools/pose_estimation``, whose numbers these are (tested). One
thing differs: RTMPose was trained on red-first pictures (``bgr_to_rgb=True`` in mmpose's configs) and gets them here;
rtmlib hands it what OpenCV reads, blue first (https://github.com/Tau-J/rtmlib/issues/48).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ModelError
from videoannotator_person_tracking_rtm.session import Network

__all__ = ["Pose"]

_MEAN = np.array([123.675, 116.28, 103.53])
_STD = np.array([58.395, 57.12, 57.375])
_PADDING = 1.25  # the network sees this much more than the box
_SPLIT = 2.0  # SimCC has two bins per pixel


class Pose:
    """Finds the keypoints of a person in a box. ``swap``: turn the colours round, blue first to red first.

    Raises `ModelError` for a network whose file does not fix its size.
    """

    def __init__(self, network: Network, *, swap: bool) -> None:
        if network.size is None:
            raise ModelError(f"{network.path} does not say which size it takes, so it is no RTMPose export for rtmlib")
        self.network, self._swap = network, swap
        self._size = (network.size[1], network.size[0])

    def __call__(self, picture: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keypoints float32 (K, 3): x and y in pixels of the picture, and the score.

        ``picture``: uint8 (height, width, 3). ``box``: float32 (4,), x1 y1 x2 y2. The score is the mean of the two
        SimCC maxima, cut to 0..1. A keypoint for which the network has no positive response is (0, 0, 0), as COCO
        writes what is not there.
        """
        crop, centre, scale = self.prepare(picture, box)
        outputs = self.network(crop)
        if len(outputs) != 2 or any(o.ndim != 3 for o in outputs) or outputs[0].shape[:2] != outputs[1].shape[:2]:
            shapes = [o.shape for o in outputs]
            raise ModelError(f"{self.network.path} gives {shapes}, not the two (1, K, bins) of an RTMPose SimCC export")
        along_x, along_y = (output[0] for output in outputs)
        places = np.stack([along_x.argmax(axis=1), along_y.argmax(axis=1)], axis=1).astype(np.float32)
        scores = 0.5 * (along_x.max(axis=1) + along_y.max(axis=1))
        points = places / _SPLIT / self._size * scale + centre - scale / 2
        found: NDArray[np.float32] = np.concatenate([points, np.minimum(scores, 1.0)[:, None]], axis=1).astype(
            np.float32
        )
        found[scores <= 0] = 0.0
        return found

    def prepare(
        self, picture: NDArray[np.uint8], box: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
        """What the network sees, float32 (3, height, width), and where it lies in the picture: centre and size."""
        width, height = self._size
        x1, y1, x2, y2 = box
        centre = np.array([x1 + x2, y1 + y2]) * np.float32(0.5)
        w, h = np.array([x2 - x1, y2 - y1]) * np.float32(_PADDING)
        aspect = width / height
        # as wide and as high as the network's picture is, around the box
        scale = np.array([w, w / aspect] if w > h * aspect else [h * aspect, h])
        moved = cv2.warpAffine(picture, self._matrix(centre, scale), self._size, flags=cv2.INTER_LINEAR)
        if self._swap:
            moved = moved[:, :, ::-1]
        normal = (moved - _MEAN) / _STD
        return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32), centre, scale

    def _matrix(self, centre: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.float64]:
        """From the picture to what the network sees, by three points: the middle, above it, and left of that."""

        def corners(middle: NDArray[Any], across: float) -> NDArray[np.float32]:
            points: NDArray[np.float32] = np.zeros((3, 2), dtype=np.float32)
            points[0] = middle
            points[1] = middle + np.array([0.0, across * -0.5])
            step = points[0] - points[1]
            points[2] = points[1] + np.array([-step[1], step[0]])
            return points

        width, height = self._size
        there = corners(np.array([width * 0.5, height * 0.5]), width)
        matrix: NDArray[np.float64] = cv2.getAffineTransform(corners(centre, scale[0]), there)
        return matrix
