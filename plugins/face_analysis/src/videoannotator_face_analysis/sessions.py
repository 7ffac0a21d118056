"""Networks in ONNX files, on onnxruntime: opened on one device, and told apart by what they give."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from videoannotator.errors import DeviceError, ModelError

__all__ = ["Alone", "Signature", "dims", "opened", "providers_of", "read", "signature"]

_ERRORS_ONLY = 3
_REFUSALS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""What onnxruntime raises for a file that it cannot use."""


def providers_of(device: str) -> list[tuple[str, dict[str, Any]]]:
    """onnxruntime's execution providers for a device: ``"cpu"`` or ``"cuda:N"``.

    Raises `DeviceError` when the installed onnxruntime cannot use it, rather than falling back unseen.
    """
    kind, _, index = device.partition(":")
    cpu: tuple[str, dict[str, Any]] = ("CPUExecutionProvider", {})
    if kind == "cpu":
        return [cpu]
    if kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": int(index or 0)}), cpu]
    raise DeviceError(
        f"the installed onnxruntime cannot use {device!r}; set device='cpu'"
        + (", or replace onnxruntime by onnxruntime-gpu" if kind == "cuda" else "")
    )


def opened(model: Path | bytes, *, device: str, threads: int) -> onnxruntime.InferenceSession:
    """A session for a model file, or for its bytes. Raises `DeviceError`, and `ModelError` for what is no model."""
    providers = providers_of(device)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY  # it warns of initializers that nobody needs
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=providers
        )
    except _REFUSALS as error:
        named = "the model" if isinstance(model, bytes) else str(model)
        raise ModelError(f"onnxruntime cannot open {named}: {error}") from error


class Alone:
    """A session that sees every picture by itself, each in a thread of its own, where it runs on the processor.

    Threads that share a picture wait for each other after every layer, and spin while they do: with two, CenterFace
    takes 1.4 times the processor's seconds for the same numbers, and whoever else computes has to wait. On other
    devices pictures go together. ``model``, ``device``, ``threads``: see `opened`. May be called by several threads at
    once.
    """

    def __init__(self, model: Path | bytes, *, device: str, threads: int) -> None:
        self._together = device != "cpu"
        self._session = opened(model, device=device, threads=1 if device == "cpu" else threads)
        self._pool = None
        if threads > 1 and device == "cpu":
            self._pool = ThreadPoolExecutor(threads, "videoannotator-model:faces")
        self._end = weakref.finalize(self, _shut, self._pool)

    def run(self, outputs: Sequence[str], name: str, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The named outputs for pictures, (N, ...), that go in as ``name``."""
        if self._together or len(pictures) == 1:
            return list(self._session.run(list(outputs), {name: pictures}))
        parts = [pictures[n : n + 1] for n in range(len(pictures))]
        each = self._pool.map if self._pool is not None else map
        alone = list(each(lambda part: self._session.run(list(outputs), {name: part}), parts))
        return [np.concatenate(one) for one in zip(*alone, strict=True)]


def _shut(pool: ThreadPoolExecutor | None) -> None:
    if pool is not None:
        pool.shutdown(wait=False)  # the last to let go may be one of its threads


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
