"""Small ONNX networks of the published signatures, and rtmlib's own code to compare with."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = (96, 160)  # height, width of what the small detectors see
POSE_SIZE = (64, 48)


def _save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, NDArray[Any]]
) -> Path:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _input(height: int, width: int, batch: int | str = 1) -> Any:
    return helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, height, width])


def _conv(rng: np.random.Generator, stride: int, channels: int, scale: float) -> NDArray[np.float32]:
    return (rng.normal(size=(channels, 3, stride, stride)) * scale / stride).astype(np.float32)


def raw_detector(path: Path, *, classes: int = 2, scale: float = 0.02) -> Path:
    """Without NMS: rows of centre, size, objectness, classes for the three strides. ``scale``: of its weights."""
    rng, channels, (height, width) = np.random.default_rng(3), 5 + classes, SIZE
    nodes, constants, parts = [], {}, []
    for stride in (8, 16, 32):
        cells = (height // stride) * (width // stride)
        constants[f"w{stride}"] = _conv(rng, stride, channels, scale)
        constants[f"shape{stride}"] = np.array([1, channels, cells], dtype=np.int64)
        nodes += [
            helper.make_node("Conv", ["input", f"w{stride}"], [f"c{stride}"], strides=[stride, stride]),
            helper.make_node("Reshape", [f"c{stride}", f"shape{stride}"], [f"r{stride}"]),
            helper.make_node("Transpose", [f"r{stride}"], [f"t{stride}"], perm=[0, 2, 1]),
        ]
        parts.append(f"t{stride}")
    constants |= {"split": np.array([4, 1 + classes], dtype=np.int64)}
    nodes += [
        helper.make_node("Concat", parts, ["all"], axis=1),
        helper.make_node("Split", ["all", "split"], ["box", "logits"], axis=2),
        helper.make_node("Sigmoid", ["logits"], ["likely"]),
        helper.make_node("Concat", ["box", "likely"], ["output"], axis=2),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, None, channels])]
    return _save(path, nodes, [_input(height, width)], outputs, constants)


def nms_detector(path: Path, *, classes: bool = False, scale: float = 1.0) -> Path:
    """With boxes and scores as mmdeploy's exports give them: dets (1, N, 5), labels (1, N). ``classes``: half are 1."""
    rng, (height, width), stride = np.random.default_rng(4), SIZE, 32
    rows, columns = height // stride, width // stride
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), 2).reshape(1, -1, 2) * stride + stride / 2
    count = rows * columns
    constants = {
        "w": _conv(rng, stride, 3, scale),
        "shape": np.array([1, 3, count], dtype=np.int64),
        "split": np.array([2, 1], dtype=np.int64),
        "centres": centres.astype(np.float32),
        "most": np.array(40, dtype=np.float32),
        "labels_": np.array([[n % 2 if classes else 0 for n in range(count)]], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], strides=[stride, stride]),
        helper.make_node("Reshape", ["c", "shape"], ["r"]),
        helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Sigmoid", ["t"], ["s"]),
        helper.make_node("Split", ["s", "split"], ["size", "score"], axis=2),
        helper.make_node("Mul", ["size", "most"], ["half"]),
        helper.make_node("Sub", ["centres", "half"], ["low"]),
        helper.make_node("Add", ["centres", "half"], ["high"]),
        helper.make_node("Concat", ["low", "high", "score"], ["dets"], axis=2),
        helper.make_node("Identity", ["labels_"], ["labels"]),
    ]
    outputs = [
        helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, count, 5]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, count]),
    ]
    return _save(path, nodes, [_input(height, width)], outputs, constants)


def pose_network(path: Path, *, bias: float = 0.0, batch: int | str = "batch") -> Path:
    """SimCC of 17 keypoints. ``bias``: added to every response."""
    rng, (height, width) = np.random.default_rng(5), POSE_SIZE
    seen = 3 * (height // 8) * (width // 8)
    constants: dict[str, NDArray[Any]] = {"flat": np.array([-1, seen], dtype=np.int64)}
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["pooled", "flat"], ["features"]),
    ]
    outputs = []
    for name, bins in (("simcc_x", 2 * width), ("simcc_y", 2 * height)):
        constants[f"w_{name}"] = (rng.normal(size=(seen, 17 * bins)) * 0.01).astype(np.float32)
        constants[f"b_{name}"] = np.full(17 * bins, bias, dtype=np.float32)
        constants[f"s_{name}"] = np.array([-1, 17, bins], dtype=np.int64)
        nodes += [
            helper.make_node("Gemm", ["features", f"w_{name}", f"b_{name}"], [f"g_{name}"]),
            helper.make_node("Reshape", [f"g_{name}", f"s_{name}"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 17, bins]))
    return _save(path, nodes, [_input(height, width, batch)], outputs, constants)


def free_network(path: Path) -> Path:
    """Of any size of picture: one box, the same always, whose score is the picture's mean."""
    constants: dict[str, NDArray[Any]] = {
        "box": np.array([[[8.0, 8.0, 40.0, 80.0]]], dtype=np.float32),
        "shape": np.array([1, 1, 1], dtype=np.int64),
        "most": np.array(255.0, dtype=np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "most"], ["scaled"]),
        helper.make_node("Reshape", ["scaled", "shape"], ["score"]),
        helper.make_node("Concat", ["box", "score"], ["dets"], axis=2),
    ]
    free = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])
    return _save(path, nodes, [free], [helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, 1, 5])], constants)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each."""
    folder = tmp_path_factory.mktemp("networks")
    raw_detector(folder / "yolox_raw.onnx", classes=1)  # of several, rtmlib's YOLOX gives all as persons
    raw_detector(folder / "rtmdet_raw.onnx", scale=0.5)  # it sees normalised pixels
    nms_detector(folder / "rtmdet.onnx")
    nms_detector(folder / "yolox.onnx", scale=0.02)
    pose_network(folder / "pose.onnx")
    return folder


@pytest.fixture(scope="session")
def settings(networks: Path) -> dict[str, Any]:
    """Of the pipeline, with these networks; everybody is tracked."""
    return {
        "backend": "rtmlib",
        "weights": str(networks / "rtmdet.onnx"),
        "pose": str(networks / "pose.onnx"),
        "track_high_thresh": 0.3,
        "new_track_thresh": 0.35,
    }


@pytest.fixture(scope="session")
def rtmlib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """rtmlib itself, without what it would install: it finds the OpenCV and onnxruntime that are here."""
    folder = tmp_path_factory.mktemp("rtmlib")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--target", str(folder), "rtmlib==0.0.16"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"rtmlib cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("rtmlib")
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "rtmlib"]:
            del sys.modules[name]


@pytest.fixture(scope="session")
def frames(assets: Path) -> list[NDArray[np.uint8]]:
    """Six frames of a real video, blue first, and one made narrow, one small, one of the network's own size."""
    taken = []
    with av.open(str(assets / "video" / "caregiver_infant.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 10 == 0:
                taken.append(frame.to_ndarray(format="bgr24"))
            if len(taken) == 6:
                break
    own = np.ascontiguousarray(taken[0][: SIZE[0], : SIZE[1]])
    return [*taken, np.ascontiguousarray(taken[1][:, :24]), taken[2][::7, ::5].copy(), own]


@pytest.fixture(scope="session")
def conftest_makers() -> Any:
    """The makers of small networks, for tests that want one of their own."""
    return sys.modules[__name__]
