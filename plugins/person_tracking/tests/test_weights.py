"""Weights that cannot be used say so, and what to do."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoannotator.errors import ConfigError, DeviceError, MissingDependencyError, ModelError, ModelMissingError
from videoannotator_person_tracking.detector import Detector


def test_missing_weights(start: Any, street: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"no file or folder '.*yolo11n-pose2\.pt'"):
        start(street, weights=tmp_path / "yolo11n-pose2.pt")


@pytest.mark.parametrize("name", ["not.pt", "not.onnx", "not_openvino_model", "not.txt"])
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("_model"):
        path.mkdir()
    else:
        path.write_text("this is not a network")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Detector(path)


class Code:
    """Unpickling this creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_weights_is_not_run(tmp_path: Path, zipped: bool) -> None:
    import torch

    path, target = tmp_path / "evil.pt", tmp_path / "was_here"
    if zipped:
        torch.save({"model": Code(target)}, path)
    else:
        path.write_bytes(pickle.dumps({"model": Code(target)}))
    with pytest.raises(ModelError, match="cannot be loaded"):
        Detector(path)
    assert not target.exists()
    with pytest.raises(ModelError):
        Detector(path, trust=True)
    assert target.exists()  # so the file is as evil as it says, and trust means trust


@pytest.mark.parametrize("name", ["yolo11n-cls.yaml", "yolo11n-obb.yaml"])
def test_weights_for_another_task(tmp_path: Path, name: str) -> None:
    from ultralytics import YOLO

    YOLO(name).save(tmp_path / "other.pt")
    with pytest.raises(ModelError, match="takes 'detect', 'pose' and 'segment' weights"):
        Detector(tmp_path / "other.pt")


def test_tensorrt_engines_need_a_card_and_tensorrt(tmp_path: Path) -> None:
    """The file itself is not looked at before both are there."""
    engine = tmp_path / "yolo11n.engine"
    engine.write_bytes(b"no engine")
    with pytest.raises(DeviceError, match=r"made for one kind of NVIDIA card.*choose device 'cuda'"):
        Detector(engine)
    if importlib.util.find_spec("tensorrt") is None:
        with pytest.raises(MissingDependencyError, match="pip install tensorrt"):
            Detector(engine, device="cuda:0")


def test_masks_are_refused_where_there_are_none(made: Mapping[str, Path]) -> None:
    with pytest.raises(ConfigError, match="is a model for 'detect' and has none; take weights for 'segment'"):
        Detector(made["detect"], masks=True)


def test_a_class_the_model_does_not_know(made: Mapping[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"no class 'persn' \(did you mean 'person'\?\)"):
        Detector(made["detect"], classes=["persn"])
    with pytest.raises(ConfigError, match="names no class"):
        Detector(made["detect"], classes=[])


def test_a_fixed_size_refuses_another(pose_openvino: Path, exported: Mapping[str, Path]) -> None:
    with pytest.raises(ConfigError, match="exported for 640x640 pixels and takes no 320"):
        Detector(pose_openvino, imgsz=320)
    assert Detector(pose_openvino, imgsz=640).size == (640, 640)
    assert Detector(exported["fixed"]).size == (320, 320)


def test_batch_and_size_are_read_from_the_network(
    made: Mapping[str, Path], exported: Mapping[str, Path], pose_openvino: Path
) -> None:
    assert Detector(pose_openvino).batch == 1
    assert Detector(exported["fixed"]).batch == 1
    assert Detector(exported["dynamic"]).batch is None
    detector = Detector(made["detect"], imgsz=330)
    assert detector.batch is None
    assert detector.size == (352, 352)  # up to a multiple of the stride, as ultralytics rounds


def test_a_fixed_batch_is_filled_up(made: Mapping[str, Path], tmp_path: Path, street: Any) -> None:
    from ultralytics import YOLO
    from ultralytics.utils import checks

    copy = tmp_path / "four.pt"
    copy.write_bytes(made["detect"].read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "AUTOINSTALL", False)
        path = Path(YOLO(copy).export(format="onnx", imgsz=320, batch=4, simplify=False, verbose=False))
    detector = Detector(path, conf=0.1)
    assert detector.batch == 4
    whole = detector.detect(street[:6])
    assert len(whole) == 6
    alone = detector.detect(street[5:6])[0]
    np.testing.assert_allclose(whole[5].boxes, alone.boxes, atol=0.01)
