"""The CenterFace network on onnxruntime, on pictures of any size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx.tools.update_model_dims import update_inputs_outputs_dims

from videoannotator.errors import ModelError
from videoannotator_face_analysis.decoding import Faces, decode
from videoannotator_face_analysis.sessions import Alone, Signature, dims, read, signature

__all__ = ["CenterFace", "is_centerface", "planes"]

_INPUT = "input.1"
_OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}  # heatmap, scale, offset, landmarks: name and channels
_MULTIPLE = 32  # sides of the network's input


def is_centerface(given: Signature) -> bool:
    """True for a model that takes and gives what CenterFace does."""
    return given.inputs.keys() == {_INPUT} and _OUTPUTS.keys() <= given.outputs.keys()


def _any_size(path: Path) -> bytes:
    """The model with free batch, height and width: the file fixes them at 10 pictures of 32 x 32."""
    model = read(path)
    given = signature(model)
    missing = {_INPUT, *_OUTPUTS} - (given.inputs.keys() | given.outputs.keys())
    if missing:
        raise ModelError(f"{path} is not CenterFace: it has no {', '.join(sorted(missing))}")
    inputs = {tensor.name: dims(tensor) for tensor in model.graph.input} | {_INPUT: ["N", 3, "H", "W"]}
    outputs = {name: ["N", channels, "h", "w"] for name, channels in _OUTPUTS.items()}
    try:
        dynamic: bytes = update_inputs_outputs_dims(model, inputs, outputs).SerializeToString()
    except ValueError as error:
        raise ModelError(f"{path} is not CenterFace: {error}") from error
    return dynamic


class CenterFace:
    """Finds faces in pictures.

    ``path``: the .onnx file. ``device``: ``"cpu"`` or ``"cuda:N"``. ``threads``: processor threads at most.
    Raises `ModelError` for a file that is something else, `DeviceError` for a device onnxruntime cannot use.
    """

    threshold = 0.5
    overlap = 0.3

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._session = Alone(_any_size(path), device=device, threads=threads)

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels.

        ``pictures``: uint8 (N, height, width, 3), red first. They are stretched until both sides are multiples of
        32, as the network wants it. Boxes are clipped to the picture, landmarks are not.
        """
        height, width = pictures.shape[1:3]
        size = -(-width // _MULTIPLE) * _MULTIPLE, -(-height // _MULTIPLE) * _MULTIPLE
        maps = self.maps(planes(pictures, size))
        scale: NDArray[np.float32] = np.array([size[0] / width, size[1] / height], dtype=np.float32)
        twice = np.concatenate([scale, scale])
        found = []
        for heatmap, sizes, offset, landmarks in zip(*maps, strict=True):
            faces = decode(heatmap[0], sizes, offset, landmarks, threshold=threshold, overlap=overlap)
            found.append(Faces(faces.boxes / twice, faces.scores, faces.landmarks / scale))
        return found

    def maps(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What the network gives for pictures, float32 (N, 3, height, width): heatmap, scale, offset, landmarks."""
        return self._session.run(list(_OUTPUTS), _INPUT, batch)


def planes(pictures: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Pictures, uint8 (N, H, W, 3), as the network takes them: float32 (N, 3, height, width), 0..255.

    ``size``: width and height. The network does the rest of the normalisation itself. The numbers are those of
    OpenCV's ``blobFromImages``, in a fifth of the time.
    """
    out = np.empty((len(pictures), 3, size[1], size[0]), dtype=np.float32)
    for target, picture in zip(out, pictures, strict=True):
        fitting = picture if picture.shape[1::-1] == size else cv2.resize(picture, size)
        for plane, channel in zip(target, cv2.split(fitting), strict=True):
            plane[:] = channel
    return out
