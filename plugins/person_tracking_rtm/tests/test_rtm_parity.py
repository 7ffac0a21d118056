"""Boxes and keypoints are rtmlib's own, on real frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator_person_tracking_rtm.detecting import Detector
from videoannotator_person_tracking_rtm.posing import Pose
from videoannotator_person_tracking_rtm.session import Network

SIZE, POSE_SIZE = (96, 160), (64, 48)
Frames = list[NDArray[np.uint8]]


@pytest.mark.parametrize(
    ("file", "conf"),
    [
        ("rtmdet.onnx", 0.3),
        ("rtmdet.onnx", 0.5),
        ("rtmdet_raw.onnx", 0.3),
        ("rtmdet_raw.onnx", 0.2),
        ("yolox.onnx", 0.3),  # rtmlib takes 0.3 there, whatever it is told
        ("yolox_raw.onnx", 0.3),
        ("yolox_raw.onnx", 0.5),
    ],
)
def test_boxes_are_rtmlib_s(rtmlib: Any, networks: Path, frames: Frames, file: str, conf: float) -> None:
    family: Literal["rtmdet", "yolox"] = "rtmdet" if file.startswith("rtmdet") else "yolox"
    theirs_class = rtmlib.RTMDet if family == "rtmdet" else rtmlib.YOLOX
    theirs = theirs_class(str(networks / file), model_input_size=SIZE, score_thr=conf)
    ours = Detector(Network(networks / file, threads=2), family, side=None, conf=conf, iou=0.45)
    counts = []
    for frame, found in zip(frames, ours.network.map(ours, frames), strict=True):
        expected = np.asarray(theirs(frame.copy())).reshape(-1, 4)
        assert np.array_equal(found.boxes, expected)
        assert found.boxes.dtype == found.scores.dtype == np.float32
        assert (found.scores > conf).all()
        counts.append(len(expected))
    assert sum(counts) > 10, "there was something to compare"


@pytest.mark.parametrize("color", ["bgr", "rgb"])
def test_keypoints_are_rtmlib_s(rtmlib: Any, networks: Path, frames: Frames, color: str) -> None:
    theirs = rtmlib.RTMPose(str(networks / "pose.onnx"), model_input_size=POSE_SIZE[::-1])
    ours = Pose(Network(networks / "pose.onnx", threads=2), swap=color == "rgb")
    rng = np.random.default_rng(0)
    for frame in frames:
        height, width = frame.shape[:2]
        corners = rng.uniform(-20, [width, height], size=(4, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(3, 200, size=(4, 2))], axis=1).astype(np.float32)
        seen = frame if color == "bgr" else np.ascontiguousarray(frame[:, :, ::-1])
        points, scores = theirs(seen, bboxes=list(boxes))
        found = np.stack([ours(frame, box) for box in boxes])
        assert np.allclose(found[:, :, :2], points, rtol=0, atol=1e-3)
        assert np.allclose(found[:, :, 2], np.minimum(scores, 1.0), rtol=0, atol=1e-6)
        assert (scores > 0).all()
