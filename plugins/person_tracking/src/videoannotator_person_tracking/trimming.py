"""An OpenVINO export of fixed size, made anew for smaller pictures: no processor time for the grey bars beside them.

Exports of ultralytics are made for a square and hold its size in three kinds of constants: the centres and strides of
all places at which a box can be found, and the shapes that some layers give their numbers. The places of a smaller
picture are those in the upper left corner of each level's grid, so their constants are a choice among the ones that
are there. With other shapes the same weights are the network that `export(imgsz=(height, width))` would have given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TrimmingError", "trimmed"]

_STRIDES = (8, 16, 32)

Levels = list[NDArray[np.int64]]


class TrimmingError(Exception):
    """The network is not built as expected."""


def trimmed(xml: Path, height: int, width: int) -> Any:
    """The ``openvino.Model`` in ``xml`` for pictures of another size, in pixels: multiples of 32, none larger.

    Raises `TrimmingError`.
    """
    import openvino

    model = openvino.Core().read_model(xml)
    shape = model.input().partial_shape if len(model.inputs) == 1 else None
    if shape is None or shape.is_dynamic or len(shape) != 4 or len(model.outputs) != 1:
        raise TrimmingError("it does not take pictures of one fixed size, or gives more than one answer")
    batch, channels, high, wide = (int(dimension) for dimension in model.input().shape)
    if high % 32 or wide % 32 or height % 32 or width % 32 or height > high or width > wide:
        raise TrimmingError(f"made for {wide}x{high}, it cannot be made for {width}x{height}")
    levels = _levels(high, wide)
    total = sum(level.size for level in levels)
    if list(model.output().shape)[-1:] != [total]:
        raise TrimmingError("it does not give one answer for each place on three levels")
    chosen = [
        level.reshape(high // s, wide // s)[: height // s, : width // s].ravel()
        for level, s in zip(levels, _STRIDES, strict=True)
    ]
    _replace(model, levels, chosen, (high, wide), (height, width))
    try:
        model.get_parameters()[0].set_partial_shape(openvino.PartialShape([batch, channels, height, width]))
        model.validate_nodes_and_infer_types()
    except RuntimeError as error:
        raise TrimmingError(f"a layer of it does not fit: {error}") from error
    if list(model.output().shape)[-1] != sum(level.size for level in chosen):
        raise TrimmingError("it gives answers for other places than there are")
    return model


def _levels(height: int, width: int) -> Levels:
    """Numbers of the places, level by level, row by row."""
    counts = [(height // s) * (width // s) for s in _STRIDES]
    return np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])


def _replace(model: Any, levels: Levels, chosen: Levels, old: tuple[int, int], new: tuple[int, int]) -> None:
    """Put the constants of the new size in the place of the old ones."""
    from openvino import opset13

    total, places = sum(level.size for level in levels), np.concatenate(chosen)
    counts = {level.size: few.size for level, few in zip(levels, chosen, strict=True)} | {total: places.size}
    grids = {(old[0] // s, old[1] // s): [new[0] // s, new[1] // s] for s in _STRIDES}
    ordered = False
    for node in model.get_ops():
        if node.get_type_name() != "Constant":
            continue
        shape = list(node.output(0).shape)
        if shape[-1:] == [total]:
            ordered = ordered or _are_strides(node.data, levels)
            data = np.ascontiguousarray(node.data[..., places])
        elif len(shape) == 1 and _is_for_shapes(node):
            sizes = node.data.tolist()
            if tuple(sizes[-2:]) in grids:
                sizes[-2:] = grids[tuple(sizes[-2:])]
            else:
                sizes[-1:] = [counts.get(size, size) for size in sizes[-1:]]
            data = np.array(sizes, dtype=node.data.dtype)
        else:
            continue
        node.output(0).replace(opset13.constant(data, dtype=node.get_element_type()).output(0))
    if not ordered:
        raise TrimmingError("its places do not stand in the order of the strides 8, 16 and 32")


def _is_for_shapes(constant: Any) -> bool:
    users = constant.output(0).get_target_inputs()
    return bool(users) and all(i.get_node().get_type_name() == "Reshape" and i.get_index() == 1 for i in users)


def _are_strides(data: NDArray[Any], levels: Levels) -> bool:
    """True for a constant that has one value for each level, and these in the proportion of the strides."""
    rows = data.reshape(-1, data.shape[-1])
    values = [np.unique(rows[:, level]) for level in levels]
    return all(len(value) == 1 for value in values) and [float(v[0] / values[0][0]) for v in values] == [1.0, 2.0, 4.0]
