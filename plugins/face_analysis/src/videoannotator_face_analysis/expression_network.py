"""The networks of EmotiEffLib (formerly HSEmotion) on onnxruntime.

Preprocessing, the order of the outputs and what is done with them are those of
``emotiefflib.facial_analysis.EmotiEffLibRecognizerOnnx`` (Apache-2.0), and so are the numbers: a face is the picture
inside its box, red first, stretched to a square, with the mean and deviation the network was trained with; categories
go through a softmax, valence and arousal do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.onnx import opened, refusals
from videoannotator.errors import ModelError
from videoannotator_face_analysis.expression_rows import EIGHT, SEVEN

__all__ = ["ExpressionNetwork", "Readings"]

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_AFFECT = 2  # valence, arousal: the last two outputs of a network that tells them
_LAYOUTS = {len(labels) + more: (labels, bool(more)) for labels in (SEVEN, EIGHT) for more in (0, _AFFECT)}


@attrs.frozen(eq=False)
class Readings:
    """What was read from N faces.

    ``probabilities``: float32 (N, C), of the network's `ExpressionNetwork.labels`, in their order.
    ``affect``: float32 (N, 2), valence and arousal; None for a network that tells none.
    """

    probabilities: NDArray[np.float32]
    affect: NDArray[np.float32] | None


class ExpressionNetwork:
    """Reads expressions from faces.

    ``path``: the .onnx file. ``name``: of the model, or of its file; as in EmotiEffLib it tells with what mean and
    deviation a network was trained (``mbf_``: 0.5, all others: ImageNet's), and how large its pictures are
    (``_b2_``: 260 pixels, ``mbf_``: 112, all others: 224) where the file leaves that open.
    ``device``: ``"cpu"`` or ``"cuda:N"``. ``threads``: processor threads at most.

    ``labels``: the categories it knows, in its order: 7 or 8. ``tells_affect``: whether it has valence and arousal.
    Both follow from the number of its outputs, 7 to 10.

    Raises `ModelError` for a file that is something else, `DeviceError` for a device onnxruntime cannot use.
    """

    def __init__(self, path: Path, *, name: str, device: str = "cpu", threads: int = 1) -> None:
        self._session = opened(path, device=device, threads=threads)
        try:
            (given,) = self._session.get_inputs()
            self._input: str = given.name
            self.size = _side_of(given.shape, name)
            shape = self._run(np.zeros((1, 3, self.size, self.size), dtype=np.float32)).shape
        except refusals(ValueError) as error:
            raise ModelError(f"{path} is no expression network of EmotiEffLib: {error}") from error
        if len(shape) != 2 or shape[1] not in _LAYOUTS:
            raise ModelError(
                f"{path} is no expression network of EmotiEffLib: it gives {list(shape)}, where 7 or 8 categories, "
                "with or without valence and arousal, would be [1, 7] to [1, 10]"
            )
        self.labels, self.tells_affect = _LAYOUTS[shape[1]]
        self._values = _normalised(*(_HALF if "mbf_" in name else _IMAGENET))

    def __call__(self, faces: Sequence[NDArray[np.uint8]]) -> Readings:
        """What it reads from each of ``faces``: uint8 (h, w, 3), red first, of any sizes but not empty.

        They go through the network one by one, so that no bit of a face depends on who is beside it; on a processor
        sixteen at once take hardly less time.
        """
        outputs = len(self.labels) + (_AFFECT if self.tells_affect else 0)
        scores = np.concatenate(
            [np.empty((0, outputs), np.float32), *(self._run(self.prepared(face)[None]) for face in faces)]
        )
        categories = scores[:, : len(self.labels)]
        powers = np.exp(categories - categories.max(axis=1, keepdims=True, initial=-np.inf))
        return Readings(
            probabilities=powers / powers.sum(axis=1, keepdims=True),
            affect=scores[:, len(self.labels) :] if self.tells_affect else None,
        )

    def prepared(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        """A face as the network sees it: float32 (3, size, size)."""
        square = cv2.resize(face, (self.size, self.size))
        return np.stack([self._values[channel][square[..., channel]] for channel in range(3)])

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        first: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return first


def _side_of(shape: Sequence[Any], name: str) -> int:
    """The side of a network's pictures. Raises `ValueError` for a shape that is not that of square pictures."""
    if len(shape) != 4 or shape[1] != 3:
        raise ValueError(f"it takes {list(shape)}, not pictures [N, 3, height, width]")
    known = 112 if "mbf_" in name else 260 if "_b2_" in name else 224
    height, width = (side if isinstance(side, int) else known for side in shape[2:])
    if height != width:
        raise ValueError(f"it takes pictures of {width} x {height}, not squares")
    return height


def _normalised(mean: Sequence[float], deviation: Sequence[float]) -> NDArray[np.float32]:
    """What each of the 256 values of each channel becomes: float32 (3, 256). In float64 first, as the library does."""
    values = np.arange(256) / 255
    return np.stack([(values - m) / d for m, d in zip(mean, deviation, strict=True)]).astype(np.float32)
