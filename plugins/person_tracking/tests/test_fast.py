"""Fast mode: another way to nearly the same numbers, and what it does is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator.errors import ConfigError
from videoannotator.run.devices import Machine
from videoannotator_person_tracking import network as networks
from videoannotator_person_tracking.detector import Detections, Detector
from videoannotator_person_tracking.lowering import fast_type
from videoannotator_person_tracking.trimming import TrimmingError, trimmed

Boxes = NDArray[np.float32]


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Intersection over union of each of (N, 4) with each of (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b)]
    shared: NDArray[np.float32] = both / (areas[0][:, None] + areas[1][None] - both)
    return shared


def found_again(exact: Sequence[Detections], fast: Sequence[Detections], score: float = 0.5) -> float:
    """The share of exact's boxes with at least this score that fast has, too, at an IoU of 0.9 or more."""
    best = [
        iou(one.boxes[one.boxes[:, 4] >= score][:, :4], other.boxes[:, :4]).max(axis=1, initial=0)
        for one, other in zip(exact, fast, strict=True)
    ]
    every = np.concatenate(best)
    assert len(every) >= 20
    return float((every >= 0.9).mean())


@pytest.fixture
def weights(trained: Mapping[str, Path], detect_openvino: Path, pose_openvino: Path) -> Mapping[str, Path]:
    return {
        "torch detect": trained["detect"],
        "torch pose": trained["pose"],
        "openvino detect": detect_openvino,
        "openvino pose": pose_openvino,
    }


DTYPES = (*Machine().halves("cpu"), "float32")
KINDS = ["torch detect", "torch pose", "openvino detect", "openvino pose"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_whom_exact_finds(kind: str, weights: Mapping[str, Path], caregiver: Any, pedestrians: Any) -> None:
    settings: dict[str, Any] = {"classes": ["person"], "conf": 0.1, "threads": 2}
    exact, fast = Detector(weights[kind], **settings), Detector(weights[kind], fast=True, dtypes=DTYPES, **settings)
    one, other = (d.detect(caregiver[::4]) + d.detect(pedestrians[::8]) for d in (exact, fast))
    least = 0.99 if kind.startswith("torch") else 0.95
    assert found_again(one, other) >= least
    assert found_again(other, one) >= least, "and nobody besides"
    assert any(not np.array_equal(a.boxes, b.boxes) for a, b in zip(one, other, strict=True)), "it acts"


def test_keypoints_hardly_move(trained: Mapping[str, Path], pose_openvino: Path, caregiver: Any) -> None:
    for path in (trained["pose"], pose_openvino):
        for one, other in zip(
            *(Detector(path, conf=0.5, fast=fast).detect(caregiver[::15]) for fast in (False, True)), strict=True
        ):
            shared = iou(one.boxes[:, :4], other.boxes[:, :4]) if len(one) and len(other) else np.zeros((0, 0))
            for a, b in np.argwhere(shared > 0.9):
                assert one.keypoints is not None
                assert other.keypoints is not None
                seen = one.keypoints[a, :, 2] > 0.8
                apart = np.linalg.norm((one.keypoints[a] - other.keypoints[b])[seen, :2], axis=1)
                assert not seen.any() or np.median(apart) < 6


@pytest.mark.parametrize("kind", KINDS)
def test_ids_do_not_depend_on_the_batch(run: Any, kind: str, weights: Mapping[str, Path], pedestrians: Any) -> None:
    frames = pedestrians[:24]
    rows = [run(frames, batch=size, weights=weights[kind], precision="fast") for size in (1, 16)]
    assert rows[0].track.tolist() == rows[1].track.tolist()
    assert rows[0].frame.tolist() == rows[1].frame.tolist()
    np.testing.assert_allclose(rows[0].x1, rows[1].x1, atol=0.5)
    assert rows[1] == run(frames, batch=16, weights=weights[kind], precision="fast"), "done again, the same bits"


def test_what_it_does_is_said(start: Any, pedestrians: Any, weights: Mapping[str, Path], exported: Any) -> None:
    def told(path: Path, precision: str) -> tuple[str, list[str]]:
        said: list[str] = []
        started = start(pedestrians[:2], weights=path, precision=precision, tell=said.append)
        return started.pipeline.context.dtype, said

    assert told(weights["torch detect"], "exact") == ("float32", [])
    dtype = DTYPES[0]
    assert told(weights["torch detect"], "fast") == (
        dtype,
        [f"fast: the network computes in {dtype}, channels last, 4 pictures at a time"],
    )
    exact, said = told(weights["openvino detect"], "exact")
    assert said == []
    assert told(weights["openvino detect"], "fast") == (
        exact,
        ["fast: the network sees 640x512 pixels, not 640x640 with all the grey bars"],
    )
    assert told(exported["fixed"], "fast") == (
        "float32",
        ["fast: nothing faster is known for fixed.onnx here; it was run as exact"],
    )


def test_where_nothing_is_faster_it_is_exact(exported: Mapping[str, Path], street: Any) -> None:
    exact, fast = (Detector(exported["fixed"], conf=0.1, fast=fast).detect(street[:4]) for fast in (False, True))
    for one, other in zip(exact, fast, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)


@pytest.mark.parametrize(
    ("device", "allowed", "expected"),
    [
        ("cuda:1", ("bfloat16", "float16", "float32"), "float16"),
        ("mps", ("float16", "float32"), "float16"),
        ("cuda:0", ("float32",), "float32"),
        ("cpu", ("bfloat16", "float32"), "bfloat16"),
        ("cpu", ("float32",), "float32"),
    ],
)
def test_the_type_is_the_best_that_is_allowed(device: str, allowed: tuple[str, ...], expected: str) -> None:
    import torch

    assert fast_type(torch.device(device), allowed) is getattr(torch, expected)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_other_devices_types_do_as_well(dtype: str, trained: Mapping[str, Path], pedestrians: Any) -> None:
    """What graphics cards, and processors without bfloat16, compute in."""
    frames = pedestrians[::16]
    exact = Detector(trained["detect"], classes=["person"]).detect(frames)
    fast = Detector(trained["detect"], classes=["person"], fast=True, dtypes=[dtype])
    assert fast.dtype == dtype
    assert found_again(exact, fast.detect(frames)) >= 0.99


# without the grey bars ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        ((720, 1280), (384, 640)),  # 140 rows of grey on either side: four cells of 32 each
        ((480, 640), (512, 640)),
        ((1280, 720), (640, 384)),
        ((640, 640), (640, 640)),
        ((600, 640), (640, 640)),  # less than a cell
        ((1, 1000), (64, 640)),
    ],
)
def test_whole_cells_of_grey_go(frame: tuple[int, int], shown: tuple[int, int], detect_openvino: Path) -> None:
    rows, columns = networks._without_bars(frame, (640, 640))
    assert (rows.stop - rows.start, columns.stop - columns.start) == shown
    assert (rows.start + rows.stop, columns.start + columns.stop) == (640, 640)
    picture = np.random.default_rng(0).integers(0, 114, (1, *frame, 3), dtype=np.uint8)
    (exact,) = Detector(detect_openvino)._network._letterboxed(picture)
    left = np.delete(exact, np.r_[rows], axis=0), np.delete(exact, np.r_[columns], axis=1)
    assert all((part == 114).all() for part in left), "nothing but grey is left away"


@pytest.fixture(scope="module")
def squares(made: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[Any, Path]:
    """OpenVINO exports, float32: by task and size (height, width)."""
    from ultralytics import YOLO
    from ultralytics.utils import checks

    paths = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "AUTOINSTALL", False)
        for task in ("detect", "pose"):
            for size in ((320, 320), (192, 320)):
                copy = tmp_path_factory.mktemp("export") / f"{task}.pt"
                copy.write_bytes(made[task].read_bytes())
                paths[task, size] = Path(YOLO(copy).export(format="openvino", imgsz=size, verbose=False))
    return paths


@pytest.mark.parametrize("task", ["detect", "pose"])
def test_a_trimmed_network_is_the_one_that_would_have_been_exported(squares: Mapping[Any, Path], task: str) -> None:
    import openvino

    pictures = np.random.default_rng(0).random((1, 3, 192, 320), dtype=np.float32)
    core = openvino.Core()
    (square,), (asked,) = (list(squares[task, size].glob("*.xml")) for size in ((320, 320), (192, 320)))
    answers = [
        core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pictures)[0]
        for model in (trimmed(square, 192, 320), core.read_model(asked))
    ]
    assert answers[0].shape[-1] == 24 * 40 + 12 * 20 + 6 * 10
    np.testing.assert_array_equal(answers[0], answers[1])


def test_a_smaller_size_can_be_asked_of_it(detect_openvino: Path, pedestrians: Any) -> None:
    detector = Detector(detect_openvino, imgsz=512, fast=True, classes=["person"])
    assert detector.size == (512, 512)
    exact = Detector(detect_openvino, classes=["person"])
    assert found_again(exact.detect(pedestrians[::16]), detector.detect(pedestrians[::16])) > 0.5
    with pytest.raises(ConfigError, match="exported for 640x640 pixels and takes no 672"):
        Detector(detect_openvino, imgsz=672, fast=True)


def test_pictures_of_several_sizes_can_take_turns(detect_openvino: Path, pedestrians: Any) -> None:
    detector = Detector(detect_openvino, fast=True, classes=["person"])
    sizes = [(360, 480), (180, 480), (90, 480), (360, 240), (360, 120), (300, 300)]
    first = [detector.detect(pedestrians[:2, :height, :width]) for height, width in sizes]
    again = [detector.detect(pedestrians[:2, :height, :width]) for height, width in sizes]
    for one, other in zip(chain(*first), chain(*again), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
    assert len(detector._network._streams) <= 4


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("osnet_x0_25_msmt17.onnx", (32, 128), "one answer for each place"),
        ("face_detection_yunet_2026may.onnx", (32, 64), "one fixed size"),
        ("yolo11n_int8_openvino_model/yolo11n.xml", (672, 640), "cannot be made for 640x672"),
        ("yolo11n_int8_openvino_model/yolo11n.xml", (360, 640), "cannot be made for 640x360"),
    ],
)
def test_what_cannot_be_trimmed_is_left(assets: Path, name: str, size: tuple[int, int], says: str) -> None:
    with pytest.raises(TrimmingError, match=says):
        trimmed(assets / "models" / name, *size)


def test_what_is_copied_of_an_answer_is_what_suppression_keeps(detect_openvino: Path) -> None:
    """Ultralytics takes an answer of six columns for rows that need no suppression."""
    network = Detector(detect_openvino, conf=0.25)._network
    said = np.zeros((1, 84, 8400), dtype=np.float32)
    for few in range(9):
        said[0, 10, 100 : 100 + few] = 0.3
        kept = network._candidates(said)
        assert kept.shape == (1, 84, 7 if few == 6 else few)
        assert (kept[0, 10] > 0.25).sum() == few
