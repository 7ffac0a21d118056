"""BoT-SORT, C-BIoU and looks: the same as ultralytics' own where it has them, and the same for any batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from videoannotator import Table
from videoannotator.discover.config import config_of, models_of
from videoannotator.errors import ConfigError, MissingDependencyError
from videoannotator_person_tracking import videoannotator_pipelines
from videoannotator_person_tracking.buffered import buffered_iou
from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detections
from videoannotator_person_tracking.tracker import Follower

(SPEC,) = videoannotator_pipelines()


@pytest.fixture
def appearance(assets: Path) -> Path:
    pytest.importorskip("videoannotator_person_identity")
    return assets / "models/osnet_x0_25_msmt17.onnx"


def panned(frames: Any) -> Any:
    """The frames, seen by a camera that turns to the right and shakes."""
    shake = np.random.default_rng(0).integers(0, 6, len(frames))
    return np.stack(
        [frame[s : s + 340, 2 * n : 2 * n + 400] for n, (frame, s) in enumerate(zip(frames, shake, strict=True))]
    )


def test_botsort_on_a_moving_camera_is_ultralytics(
    run: Any, pedestrians: Any, detect_openvino: Path, ultralytics_track: Any, same_rows: Any
) -> None:
    frames = panned(pedestrians[:24])
    rows = run(frames, weights=detect_openvino, tracker="botsort")
    same_rows(rows, ultralytics_track(detect_openvino, frames, task="detect", tracker="botsort.yaml"))
    assert rows != run(frames, weights=detect_openvino, tracker="botsort", camera_motion=False), "it takes out nothing"
    assert len(set(rows.track.compressed())) >= 6


def test_botsort_with_looks_is_ultralytics_with_the_same_looks(
    run: Any,
    pedestrians: Any,
    detect_openvino: Path,
    appearance: Path,
    ultralytics_track: Any,
    same_rows: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own encoder stretches and scales crops for other networks than OSNet, so ours is put in its place."""
    from ultralytics.trackers import bot_sort
    from ultralytics.utils import ROOT, YAML, ops

    from videoannotator_person_identity.appearance import Appearance

    looks = Appearance(appearance)

    def encoder(*_: Any) -> Any:
        return lambda picture, boxes: looks(picture[..., ::-1], ops.xywh2xyxy(boxes[:, :4]))

    theirs = {**YAML.load(ROOT / "cfg/trackers/botsort.yaml"), "with_reid": True, "model": "ours", "gmc_method": "none"}
    YAML.save(tmp_path / "looks.yaml", theirs)
    frames = pedestrians[20:44]
    settings = {"weights": detect_openvino, "tracker": "botsort", "camera_motion": False}
    rows = run(frames, reid=appearance, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(bot_sort, "build_encoder", encoder)
        same_rows(rows, ultralytics_track(detect_openvino, frames, task="detect", tracker=str(tmp_path / "looks.yaml")))
    assert rows != run(frames, **settings), "looks change nothing here, so this tests nothing"


@pytest.mark.parametrize(
    "settings",
    [{"tracker": "botsort"}, {"tracker": "cbiou"}, {"tracker": "cbiou", "reid": True, "camera_motion": True}],
    ids=["botsort", "cbiou", "everything"],
)
def test_same_rows_for_any_batch_and_after_resume(
    start: Any, pedestrians: Any, detect_openvino: Path, appearance: Path, settings: Any
) -> None:
    frames = panned(pedestrians[:12])
    settings = {**settings, "weights": detect_openvino}
    if "reid" in settings:
        settings["reid"] = appearance
    rows, tracks = start(frames, **settings).both(1)
    assert (rows, tracks) == start(frames, **settings).both(16)
    assert len(tracks) == len(set(rows.track.compressed())) >= 4
    first, second = (start(frames, **settings) for _ in range(2))
    parts = [first.rows(0, 8)]
    state = first.pipeline.state()
    first.rows(8, 8)  # a state is what it was, whatever its pipeline does next
    second.pipeline.restore(state)
    parts += [second.rows(8, 8)]
    assert Table.concat(parts) == rows
    assert second.pipeline.finish()["tracks"] == tracks


def test_a_buffer_of_nothing_is_botsort(run: Any, pedestrians: Any, detect_openvino: Path) -> None:
    """What C-BIoU changes is the room: without it the second round has nothing left to match."""
    frames = pedestrians[:30]
    none = {"buffer_ratio_first": 0.0, "buffer_ratio_second": 0.0}
    plain = run(frames, weights=detect_openvino, tracker="botsort", camera_motion=False)
    same = run(frames, weights=detect_openvino, tracker="cbiou", **none)
    assert same.track.tolist() == plain.track.tolist()
    np.testing.assert_allclose(same.x1, plain.x1, atol=1e-3)
    assert run(frames, weights=detect_openvino, tracker="cbiou") != same


def seen(*boxes: tuple[float, float, float]) -> Detections:
    rows = [[x, y, x + 40, y + 80, score, 0] for x, y, score in boxes]
    return Detections(np.array(rows, dtype=np.float32).reshape(-1, 6), None, (480, 640))


@pytest.mark.parametrize(("tracker", "kept"), [("botsort", False), ("cbiou", True)])
def test_room_holds_whom_a_sudden_step_would_lose(tracker: str, kept: bool) -> None:
    follower = Follower(PersonTrackingConfig(tracker=tracker, camera_motion=False), 30)
    for _ in range(5):
        (before,) = follower.update(seen((100, 100, 0.9))).track
    follower.update(seen((145, 100, 0.9)))  # more than its own width: no overlap is left
    (after,) = follower.update(seen((145, 100, 0.9))).track
    assert bool(after == before) is kept


boxes = npst.arrays(np.float32, (4, 4), elements=st.floats(0, 500, width=32)).map(
    lambda b: np.concatenate([np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:]) + 1], axis=1)
)


@given(boxes, boxes, st.sampled_from([0.0, 0.3, 0.5]))
def test_buffered_iou_is_the_iou_of_larger_boxes(a: Any, b: Any, ratio: float) -> None:
    import torch
    from torchvision.ops import box_iou

    def larger(x: Any) -> Any:
        room = (x[:, 2:] - x[:, :2]).astype(np.float64) * ratio
        return torch.from_numpy(np.concatenate([x[:, :2] - room, x[:, 2:] + room], axis=1))

    ours = buffered_iou(a, b, ratio)
    np.testing.assert_allclose(ours, box_iou(larger(a), larger(b)).numpy(), atol=1e-4)
    assert ours.shape == (4, 4)
    np.testing.assert_allclose(ours, buffered_iou(b, a, ratio).T, atol=1e-6)


def test_defaults_are_those_of_botsort() -> None:
    from ultralytics.utils import ROOT, YAML

    theirs = YAML.load(ROOT / "cfg/trackers/botsort.yaml")
    ours = PersonTrackingConfig(tracker=theirs.pop("tracker_type"))
    assert theirs.pop("track_buffer") == 30
    assert (theirs.pop("gmc_method") == "sparseOptFlow") is ours.sees_camera
    assert (theirs.pop("with_reid"), ours.reid) == (False, None)
    theirs.pop("model")
    assert {key: getattr(ours, key) for key in theirs} == theirs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"camera_motion": True}, "camera_motion acts with tracker 'botsort' or 'cbiou', not with 'bytetrack'"),
        ({"tracker": "none", "reid": "x.onnx"}, "reid acts with tracker"),
        ({"tracker": "none", "interpolate": 1.0}, "interpolate needs tracks"),
        ({"buffer_ratio_first": -0.1}, "buffer_ratio_first"),
        ({"interpolate": 0}, "interpolate"),
    ],
)
def test_what_would_not_act_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, settings)


def test_all_models_are_named() -> None:
    assert models_of(config_of(SPEC)) == ("yolo11n-pose.pt",)
    assert models_of(config_of(SPEC, {"tracker": "cbiou", "reid": "x.onnx"})) == ("yolo11n-pose.pt", "x.onnx")


def test_looks_need_their_package(
    start: Any, street: Any, detect_openvino: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "videoannotator_person_identity.appearance", None)
    with pytest.raises(MissingDependencyError, match=r"person-tracking\[appearance\]"):
        start(street, weights=detect_openvino, tracker="cbiou", reid=assets / "models/osnet_x0_25_msmt17.onnx")
