"""Persons' looks as unit vectors: OSNet, or another re-identification network of its shape, on onnxruntime.

Source: K. Zhou et al., *Omni-Scale Feature Learning for Person Re-Identification*, ICCV 2019,
https://arxiv.org/abs/1905.00953. Pictures are prepared as by ``torchreid.utils.FeatureExtractor``
(https://github.com/KaiyangZhou/deep-person-reid): the crop stretched to 256 x 128 by Pillow's bilinear filter,
divided by 255, minus ImageNet's mean, divided by its standard deviation; red first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray
from onnx.external_data_helper import load_external_data_for_model
from PIL import Image

from videoannotator.discover.onnx import opened, refusals
from videoannotator.discover.workers import Workers
from videoannotator.errors import DataError, ModelError

__all__ = ["Appearance", "crop_of", "prepared"]

_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_MOST = 32  # crops per pass on a graphics card


class Appearance:
    """What persons look like, as vectors whose dot product tells how alike they look.

    ``path``: an ONNX file with one input (N, 3, height, width) and one output (N, D), N fixed or free; weights that it
    keeps in a file beside it are found there. ``device``: ``"cpu"`` or ``"cuda:N"``. ``threads``: processor threads at
    most. ``size``: height and width of what the network sees; ``length``: D.

    On a processor every crop goes through the network by itself, a thread each: the same bits however many there are
    at once. May be used by several threads at once. Raises `ModelError` for a file of another shape, `DeviceError`
    for a device that the installed onnxruntime cannot use.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        model, self.size, self.length = _with_free_batch(path)
        self._most = 1 if device == "cpu" else _MOST
        self._session = opened(model, device=device, threads=1, name=str(path))
        try:
            (self._input,) = self._session.get_inputs()
            self._run(np.zeros((1, 3, *self.size), dtype=np.float32))
        except refusals(ValueError) as error:
            raise ModelError(f"onnxruntime cannot run {path} as a re-identification network: {error}") from error
        self._workers = Workers("appearance", threads) if threads > 1 and self._most == 1 else None

    def __call__(self, pixels: NDArray[np.uint8], boxes: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """One vector of length 1 for each box: float32 (N, D).

        ``pixels``: uint8 (height, width, 3), red first. ``boxes``: (N, 4), x1, y1, x2, y2 in these pixels. A box that
        shows nothing of the picture has a vector of NaN.
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        return self.of_crops([crop_of(pixels, box) for box in boxes])

    def of_crops(self, crops: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.float32]:
        """The same for pictures that show one person each, uint8 (height, width, 3); NaN for None."""
        vectors = np.full((len(crops), self.length), np.nan, dtype=np.float32)
        there = [i for i, crop in enumerate(crops) if crop is not None]
        parts = [there[i : i + self._most] for i in range(0, len(there), self._most)]
        answers = (self._workers.map if self._workers is not None else map)(
            lambda part: self._run(np.stack([prepared(crops[i], self.size) for i in part])), parts
        )
        for part, answer in zip(parts, answers, strict=True):
            vectors[part] = answer / np.maximum(np.linalg.norm(answer, axis=1, keepdims=True), 1e-12)
        return vectors

    def close(self) -> None:
        """End its threads."""
        if self._workers is not None:
            self._workers.close()

    def _run(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = self._session.run(None, {self._input.name: pictures})[0]
        return answer


def crop_of(pixels: NDArray[np.uint8], box: NDArray[np.floating[Any]]) -> NDArray[np.uint8] | None:
    """The pixels that a box touches, or None when that is none of the picture's.

    Raises `DataError` for pictures that are not uint8 (height, width, 3).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f"a picture is uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")
    if not np.isfinite(box).all():
        return None
    height, width = pixels.shape[:2]
    x1, y1 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:]), (width, height)).astype(int)
    return pixels[y1:y2, x1:x2] if x1 < x2 and y1 < y2 else None


def prepared(crop: NDArray[np.uint8] | None, size: tuple[int, int]) -> NDArray[np.float32]:
    """A crop as the network wants it: float32 (3, height, width)."""
    picture = Image.fromarray(np.ascontiguousarray(crop)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    scaled = (np.asarray(picture, dtype=np.float32) / np.float32(255) - _MEAN) / _DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _with_free_batch(path: Path) -> tuple[bytes, tuple[int, int], int]:
    """The model with a free batch, the height and width it takes, and the length of its vectors.

    Exports fix the batch in the shapes of input and output, some also where the vectors are flattened.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        load_external_data_for_model(model, str(path.parent))
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path} is no ONNX model, or the file with its weights is missing: {error}") from error
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in names]
    shapes = [_dims(tensor) for tensor in (*inputs, *model.graph.output)]
    if len(inputs) != 1 or len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][1] != 3 or len(shapes[1]) != 2:
        raise ModelError(
            f"{path} is no re-identification network: that has one input (N, 3, height, width) and one output (N, D), "
            f"this one has shapes {shapes}"
        )
    batch, _, height, width = shapes[0]
    if not (height and width and shapes[1][1]):
        raise ModelError(f"{path} leaves open how large its pictures or vectors are; export it with fixed ones")
    for tensor in (*inputs, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    del model.graph.value_info[:]  # says the old batch
    if batch:
        _free_flattening(model, batch)
    whole: bytes = model.SerializeToString()
    return whole, (height, width), shapes[1][1]


def _dims(tensor: Any) -> list[int]:
    return [dimension.dim_value for dimension in tensor.type.tensor_type.shape.dim]


def _free_flattening(model: Any, batch: int) -> None:
    """Where something is reshaped to (batch, -1), its first length becomes "as it is", which ONNX writes 0."""
    targets = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in targets:
            shape = onnx.numpy_helper.to_array(tensor).copy()
            if shape.tolist() == [batch, -1]:
                shape[0] = 0
                tensor.CopyFrom(onnx.numpy_helper.from_array(shape, tensor.name))
                for node in model.graph.node:
                    if node.op_type == "Reshape" and node.input[1] == tensor.name:
                        del node.attribute[:]  # "allowzero" would make 0 a length
