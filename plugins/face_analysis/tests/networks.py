"""Small networks with the inputs and outputs of the published ones, made on the spot.

What they give depends on every pixel of the picture, so that a wrong picture gives wrong faces; what it says has no
meaning: the parameters are random.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_OPSET = [helper.make_opsetid("", 17)]


class _Graph:
    """Nodes and parameters, put down one after the other."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.held: list[Any] = []

    def hold(self, name: str, value: Any) -> str:
        self.held.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def put(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def convolved(self, source: str, output: str, channels: int, stride: int, spread: float) -> str:
        """Every ``stride`` x ``stride`` block of pixels times random weights."""
        size = 3 * stride * stride
        weights = self.random.normal(0, spread / np.sqrt(size), (channels, 3, stride, stride)).astype(np.float32)
        name = self.hold(f"{output}_weights", weights)
        return self.put("Conv", [source, name], output, strides=[stride, stride], kernel_shape=[stride, stride])

    def listed(self, source: str, output: str, last: int, *, batch: bool) -> str:
        """(N, each * last, h, w) as (N, h * w * each, last), or without the first length."""
        moved = self.put("Transpose", [source], f"{output}_moved", perm=[0, 2, 3, 1])
        shape = self.hold(f"{output}_shape", np.array([0, -1, last] if batch else [-1, last], dtype=np.int64))
        return self.put("Reshape", [moved, shape], output)

    def save(self, path: Path, size: list[Any], outputs: dict[str, list[Any]], source: str = "input") -> Path:
        taken = [helper.make_tensor_value_info(source, TensorProto.FLOAT, size)]
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "made", taken, given, self.held)
        model = helper.make_model(graph, opset_imports=_OPSET, ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path


def retinaface(path: Path, *, size: tuple[int, int] | None = None, softmax: bool = True, seed: int = 0) -> Path:
    """RetinaFace: ``loc``, ``conf``, ``landmarks``. ``size``: width and height it is made for, or any."""
    graph = _Graph(seed)
    scaled = graph.put("Mul", ["input", graph.hold("scale", np.float32(0.02))], "scaled")
    parts: dict[int, list[str]] = {4: [], 2: [], 10: []}
    for stride in (8, 16, 32):
        for last, spread in ((4, 1.0), (2, 0.3), (10, 1.0)):
            maps = graph.convolved(scaled, f"maps_{stride}_{last}", 2 * last, stride, spread)
            parts[last].append(graph.listed(maps, f"list_{stride}_{last}", last, batch=True))
    graph.put("Concat", parts[4], "loc", axis=1)
    graph.put("Concat", parts[10], "landmarks", axis=1)
    graph.put("Concat", parts[2], "conf" if not softmax else "raw", axis=1)
    if softmax:
        graph.put("Softmax", ["raw"], "conf", axis=2)
    sides: list[Any] = ["height", "width"] if size is None else [size[1], size[0]]
    shapes: dict[str, list[Any]] = {"loc": ["N", "n", 4], "conf": ["N", "n", 2], "landmarks": ["N", "n", 10]}
    return graph.save(path, ["N" if size is None else 1, 3, *sides], shapes)


def scrfd(path: Path, *, size: tuple[int, int] | None = None, batch: bool = False, seed: int = 0) -> Path:
    """SCRFD with five landmarks: scores, boxes, landmarks of three grids. ``batch``: made for several pictures."""
    graph = _Graph(seed)
    outputs: dict[str, list[Any]] = {}
    for last, spread, what in ((1, 1.5, "score"), (4, 1.0, "bbox"), (10, 1.0, "kps")):
        for stride in (8, 16, 32):
            maps = graph.convolved("input", f"maps_{stride}_{last}", 2 * last, stride, spread)
            if last == 1:
                maps = graph.put("Sigmoid", [maps], f"{maps}_sure")
            if last == 4:  # distances to the sides: never negative, and mostly a few points
                maps = graph.put("Abs", [maps], f"{maps}_away")
                maps = graph.put("Add", [maps, graph.hold(f"least_{stride}", np.float32(0.5))], f"{maps}_far")
            name = graph.listed(maps, f"{what}_{stride}", last, batch=batch)
            outputs[name] = ["N", "n", last] if batch else ["n", last]
    sides: list[Any] = ["height", "width"] if size is None else [size[1], size[0]]
    return graph.save(path, ["N" if batch else 1, 3, *sides], outputs)


def embedder(path: Path, *, normalises: bool, batch: bool = True, length: int = 128, seed: int = 0) -> Path:
    """SFace (``normalises``: it takes 0..255 and begins with Sub and Mul) or ArcFace (it takes -1..1).

    Average colours of 8 x 8 blocks, less their mean, times a random matrix: faces that look alike give vectors that
    are alike.
    """
    graph = _Graph(seed)
    source = "data"
    if normalises:
        source = graph.put("Sub", [source, graph.hold("minus", np.float32(127.5))], "_minusscalar0")
        source = graph.put("Mul", [source, graph.hold("times", np.float32(1 / 128))], "_mulscalar0")
        for node, name in zip(graph.nodes, ("_minusscalar0", "_mulscalar0"), strict=True):
            node.name = name
    pooled = graph.put("AveragePool", [source], "pooled", kernel_shape=[8, 8], strides=[8, 8])
    flat = graph.put("Reshape", [pooled, graph.hold("flat_shape", np.array([0, -1], dtype=np.int64))], "flat")
    mean = graph.put("ReduceMean", [flat], "mean", axes=[1], keepdims=1)
    centred = graph.put("Sub", [flat, mean], "centred")
    weights = graph.random.normal(0, 0.05, (3 * 14 * 14, length)).astype(np.float32)
    graph.put("MatMul", [centred, graph.hold("weights", weights)], "fc1")
    first = "N" if batch else 1
    return graph.save(path, [first, 3, 112, 112], {"fc1": [first, length]}, source="data")
