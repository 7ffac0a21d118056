"""The same rows as ultralytics' own, on the same frames with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator_person_tracking.detector import Detections, Detector


def test_pose_of_caregiver_and_infant(
    run: Any, caregiver: Any, pose_openvino: Path, ultralytics_track: Any, same_rows: Any
) -> None:
    rows = run(caregiver, weights=pose_openvino)
    same_rows(rows, ultralytics_track(pose_openvino, caregiver, task="pose"))
    assert len(caregiver) == 150
    assert len(rows) >= 250  # two people for ten seconds
    assert rows.keypoints.shape[1:] == (17, 3)
    assert rows.track.min() == 1


def test_pedestrians_without_keypoints(
    run: Any, pedestrians: Any, detect_openvino: Path, ultralytics_track: Any, same_rows: Any
) -> None:
    rows = run(pedestrians, weights=detect_openvino)
    same_rows(rows, ultralytics_track(detect_openvino, pedestrians, task="detect"))
    assert len(set(rows.track.compressed())) >= 6
    assert set(rows.label) == {"person"}


@pytest.mark.parametrize("task", ["detect", "pose"])
@pytest.mark.parametrize("batch", [1, 8])
def test_torch_weights(
    run: Any, street: Any, made: Mapping[str, Path], ultralytics_track: Any, same_rows: Any, task: str, batch: int
) -> None:
    rows = run(street, batch=batch, weights=made[task], imgsz=320)
    # a batch of eight rounds differently in the last bits of the network, and so do the processors' own kernels
    rounding = {"atol": 1e-2, "score": 1e-4} if batch == 1 else {"atol": 0.05, "score": 1e-3}
    same_rows(rows, ultralytics_track(made[task], street, task=task, imgsz=320), **rounding)
    assert len(rows) > 100


@pytest.mark.parametrize(("kind", "task"), [("fixed", "pose"), ("dynamic", "detect")])
def test_onnx_weights(
    run: Any, street: Any, exported: Mapping[str, Path], ultralytics_track: Any, same_rows: Any, kind: str, task: str
) -> None:
    size = {"imgsz": 320} if kind == "dynamic" else {}
    rows = run(street, weights=exported[kind], **size)
    same_rows(rows, ultralytics_track(exported[kind], street, task=task, **size), atol=0.05, score=1e-3)
    assert len(rows) > 100


def test_settings_of_the_tracker_reach_it(
    run: Any,
    pedestrians: Any,
    detect_openvino: Path,
    ultralytics_track: Any,
    same_rows: Any,
    tmp_path: Path,
) -> None:
    settings = {
        "track_high_thresh": 0.6,
        "track_low_thresh": 0.3,
        "new_track_thresh": 0.7,
        "match_thresh": 0.6,
        "fuse_score": False,
    }
    yaml = tmp_path / "other.yaml"
    lines = [f"{key}: {value}" for key, value in {"tracker_type": "bytetrack", "track_buffer": 3, **settings}.items()]
    yaml.write_text("\n".join(lines))
    frames = pedestrians[:50]
    theirs = ultralytics_track(
        detect_openvino, frames, task="detect", tracker=str(yaml), iou=0.4, conf=0.2, max_det=5, classes=None
    )
    # frames at 25 per second here: three of them are 0.12 s
    rows = run(frames, weights=detect_openvino, lost_after=0.12, iou=0.4, conf=0.2, max_det=5, classes=None, **settings)
    same_rows(rows, theirs)
    default = run(frames, weights=detect_openvino)
    assert rows != default


def _same_people(ours: Detections, boxes: NDArray[np.float32], keypoints: NDArray[np.float32]) -> None:
    """The same boxes with the same keypoints, but for one in fifty.

    Networks with random weights give hundreds of boxes of nearly one score, and a rounding in the last bit decides
    which of two that overlap is kept.
    """
    mine = np.concatenate([ours.boxes, ours.keypoints.reshape(len(ours), 51)], axis=1)
    other = np.concatenate([boxes, keypoints.reshape(len(boxes), 51)], axis=1)
    apart = np.abs(mine[:, None] - other[None]).max(axis=2, initial=0)
    rare = max(len(mine), len(other)) / 50
    assert (apart.min(axis=1, initial=np.inf) > 0.05).sum() <= rare
    assert (apart.min(axis=0, initial=np.inf) > 0.05).sum() <= rare


SIZES = [(33, 47), (17, 600), (481, 123), (16, 16), (360, 640), (719, 1279)]


@pytest.mark.parametrize("kind", ["trimmed to the picture", "square"])
def test_odd_sizes_like_the_predictor(made: Mapping[str, Path], pose_openvino: Path, street: Any, kind: str) -> None:
    """Weights that take any size see the picture with the least padding, exports the square they were made for."""
    import cv2
    import torch
    from ultralytics import YOLO

    threads = torch.get_num_threads()
    weights, settings = (made["pose"], {"imgsz": 320}) if kind != "square" else (pose_openvino, {})
    model, detector = YOLO(str(weights), task="pose"), Detector(weights, conf=0.05, **settings)
    found = 0
    for height, width in SIZES:
        frames = np.stack([cv2.resize(frame, (width, height)) for frame in street[:2]])
        for ours, frame in zip(detector.detect(frames), frames, strict=True):
            (theirs,) = model.predict(frame, conf=0.05, verbose=False, **settings)
            _same_people(ours, theirs.boxes.data.numpy(), theirs.keypoints.data.numpy())
            found += len(ours)
    torch.set_num_threads(threads)
    assert found > 10


def _raw(detector: Detector, frames: NDArray[np.uint8]) -> Any:
    return detector._network.pictures(frames).numpy()


def test_pictures_for_the_network_are_the_predictors(
    made: Mapping[str, Path], detect_openvino: Path, street: Any
) -> None:
    from ultralytics import YOLO

    for weights, settings in ((made["detect"], {"imgsz": 320}), (detect_openvino, {})):
        model = YOLO(str(weights), task="detect")
        model.predict(street[0], verbose=False, **settings)
        theirs = model.predictor.preprocess([street[3]]).numpy()
        np.testing.assert_array_equal(_raw(Detector(weights, **settings), street[3:4]), theirs)


def test_without_tracker_rows_are_the_predictors(
    run: Callable[..., Any], pedestrians: Any, detect_openvino: Path
) -> None:
    from ultralytics import YOLO

    model = YOLO(str(detect_openvino), task="detect")
    rows = run(pedestrians[:4], weights=detect_openvino, tracker="none")
    theirs = [model.predict(f, classes=[0], verbose=False)[0].boxes for f in pedestrians[:4]]
    assert np.bincount(rows.frame).tolist() == [len(t) for t in theirs]
    np.testing.assert_allclose(rows.score, np.concatenate([t.conf.numpy() for t in theirs]), atol=1e-6)
    assert rows.track.mask.all()
