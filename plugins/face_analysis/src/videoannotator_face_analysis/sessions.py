"""Networks in ONNX files, on onnxruntime: opened on one device, and told apart by what they give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

from videoannotator.discover.onnx import opened
from videoannotator.discover.workers import Workers
from videoannotator.errors import ModelError

__all__ = ["Alone", "Signature", "dims", "read", "signature"]


class Alone:
    """A session that sees every picture by itself, each in a thread of its own, where it runs on the processor.

    Threads that share a picture wait for each other after every layer, and spin while they do: with two, CenterFace
    takes 1.4 times the processor's seconds for the same numbers, and whoever else computes has to wait. On other
    devices pictures go together. ``model``, ``device``, ``threads``: as for
    `videoannotator.discover.onnx.opened`. May be called by several threads at once.
    """

    def __init__(self, model: Path | bytes, *, device: str, threads: int) -> None:
        self._together = device != "cpu"
        self._session = opened(model, device=device, threads=1 if device == "cpu" else threads)
        # its threads end when nobody has it any more
        self._workers = Workers("faces", threads) if threads > 1 and device == "cpu" else None

    def run(self, outputs: Sequence[str], name: str, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The named outputs for pictures, (N, ...), that go in as ``name``."""
        if self._together or len(pictures) == 1:
            return list(self._session.run(list(outputs), {name: pictures}))
        parts = [pictures[n : n + 1] for n in range(len(pictures))]
        each = self._workers.map if self._workers is not None else map
        alone = list(each(lambda part: self._session.run(list(outputs), {name: part}), parts))
        return [np.concatenate(one) for one in zip(*alone, strict=True)]


def read(path: Path) -> onnx.ModelProto:
    """The model in a file. Raises `ModelError` for a file that holds none."""
    try:
        model = onnx.load(str(path))
    except (DecodeError, OSError, ValueError) as error:
        raise ModelError(f"{path} is no model in ONNX format: {error}") from error
    if not model.graph.node:  # a few bytes of anything can be read as a model that is empty
        raise ModelError(f"{path} is no model in ONNX format: there is nothing in it")
    return model


def dims(tensor: Any) -> list[int]:
    """The lengths of a tensor in a model's graph, 0 where they are free."""
    return [dimension.dim_value for dimension in tensor.type.tensor_type.shape.dim]


@attrs.frozen
class Signature:
    """What a model takes and gives: names and lengths (0: free), in the file's order.

    Values that the file itself holds are no inputs, though old files list them there.
    """

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]

    def __str__(self) -> str:
        return ", ".join(f"{name} {lengths}" for name, lengths in self.outputs.items())

    @property
    def lasts(self) -> Sequence[int]:
        """The last length of each output."""
        return [lengths[-1] if lengths else 0 for lengths in self.outputs.values()]


def signature(model: onnx.ModelProto) -> Signature:
    """What ``model`` takes and gives."""
    held = {value.name for value in model.graph.initializer}
    return Signature(
        inputs={tensor.name: dims(tensor) for tensor in model.graph.input if tensor.name not in held},
        outputs={tensor.name: dims(tensor) for tensor in model.graph.output},
    )
