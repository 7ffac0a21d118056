"""The CenterFace network on onnxruntime, on pictures of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from onnx.tools.update_model_dims import update_inputs_outputs_dims

from videoannotator.errors import DeviceError, ModelError
from videoannotator_face_analysis.decoding import Faces, decode

__all__ = ["CenterFace", "providers_of"]

_INPUT = "input.1"
_OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}  # heatmap, scale, offset, landmarks: name and channels
_MULTIPLE = 32  # sides of the network's input
_ERRORS_ONLY = 3


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


def _any_size(path: Path) -> bytes:
    """The model with free batch, height and width: the file fixes them at 10 pictures of 32 x 32."""
    try:
        model = onnx.load(str(path))
        sizes = {tensor.name: _dims(tensor) for tensor in (*model.graph.input, *model.graph.output)}
        missing = {_INPUT, *_OUTPUTS} - sizes.keys()
        if missing:
            raise ModelError(f"{path} is not CenterFace: it has no {', '.join(sorted(missing))}")
        inputs = {tensor.name: sizes[tensor.name] for tensor in model.graph.input} | {_INPUT: ["N", 3, "H", "W"]}
        outputs = {name: ["N", channels, "h", "w"] for name, channels in _OUTPUTS.items()}
        dynamic: bytes = update_inputs_outputs_dims(model, inputs, outputs).SerializeToString()
    except (DecodeError, OSError, ValueError) as error:
        raise ModelError(f"{path} is no CenterFace model in ONNX format: {error}") from error
    return dynamic


def _dims(tensor: Any) -> list[int]:
    return [dimension.dim_value for dimension in tensor.type.tensor_type.shape.dim]


class CenterFace:
    """Finds faces in pictures.

    ``path``: the .onnx file. ``device``: ``"cpu"`` or ``"cuda:N"``. ``threads``: processor threads at most.
    Raises `ModelError` for a file that is something else, `DeviceError` for a device onnxruntime cannot use.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        providers = providers_of(device)
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY  # it warns of initializers that nobody needs
        self._session = onnxruntime.InferenceSession(_any_size(path), options, providers=providers)

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels.

        ``pictures``: uint8 (N, height, width, 3), red first. They are stretched until both sides are multiples of
        32, as the network wants it. Boxes are clipped to the picture, landmarks are not.
        """
        height, width = pictures.shape[1:3]
        size = -(-width // _MULTIPLE) * _MULTIPLE, -(-height // _MULTIPLE) * _MULTIPLE
        # float32 of 0..255: the network does the rest of the normalisation itself
        batch = cv2.dnn.blobFromImages(list(pictures), size=size, swapRB=False, crop=False)
        maps = self._session.run(list(_OUTPUTS), {_INPUT: batch})
        scale: NDArray[np.float32] = np.array([size[0] / width, size[1] / height], dtype=np.float32)
        twice = np.concatenate([scale, scale])
        found = []
        for heatmap, sizes, offset, landmarks in zip(*maps, strict=True):
            faces = decode(heatmap[0], sizes, offset, landmarks, threshold=threshold, overlap=overlap)
            found.append(Faces(faces.boxes / twice, faces.scores, faces.landmarks / scale))
        return found
