"""RetinaFace and SCRFD on onnxruntime: networks that see a picture at a size of their own, or padded to any size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ModelError
from videoannotator_face_analysis.decoding import Faces, decode_retinaface, decode_scrfd
from videoannotator_face_analysis.sessions import Alone, Signature, read, signature

__all__ = ["RetinaFace", "Scrfd", "is_retinaface", "is_scrfd", "padded"]

_MULTIPLE = 32  # sides of a picture that a network of free size sees
_SUM = 1e-2  # how far a face's and the background's probability together may be from 1


def is_retinaface(given: Signature) -> bool:
    """True for a model that gives boxes, two probabilities and five landmarks for every anchor."""
    return len(given.inputs) == 1 and sorted(given.lasts) == [2, 4, 10]


def is_scrfd(given: Signature) -> bool:
    """True for a model that gives, for three or five grids, scores, boxes and five landmarks."""
    each = len(given.outputs) // 3
    return len(given.outputs) in (9, 15) and list(given.lasts) == [1] * each + [4] * each + [10] * each


def padded(pictures: NDArray[np.uint8], size: tuple[int, int] | None) -> tuple[NDArray[np.uint8], float]:
    """Pictures as a network wants them, black at the right and at the bottom: (N, h, w, 3), and how they were scaled.

    ``pictures``: uint8 (N, H, W, 3). ``size``: width and height that the network is made for: they are scaled, as a
    whole, until they fit. None: any multiple of 32; they are not scaled.
    """
    height, width = pictures.shape[1:3]
    if size is None:
        size = -(-width // _MULTIPLE) * _MULTIPLE, -(-height // _MULTIPLE) * _MULTIPLE
        small, scale = list(pictures), 1.0
        shape = height, width
    else:
        if height / width > size[1] / size[0]:
            shape = size[1], max(1, int(size[1] / (height / width)))
        else:
            shape = max(1, int(size[0] * (height / width))), size[0]
        small = [cv2.resize(picture, shape[::-1]) for picture in pictures]
        scale = shape[0] / height  # of the height, though that may be the side that was rounded: as insightface does
    out = np.zeros((len(pictures), size[1], size[0], 3), dtype=np.uint8)
    for target, picture in zip(out, small, strict=True):
        target[: shape[0], : shape[1]] = picture
    return out, scale


class _Network:
    """A network with one input: its session, the size of picture it is made for, and whether it takes batches."""

    def __init__(self, path: Path, *, device: str, threads: int) -> None:
        model = read(path)
        given = signature(model)
        ((self.input, lengths),) = given.inputs.items()
        if len(lengths) != 4 or lengths[1] not in (0, 3):
            raise ModelError(f"{path} takes no pictures: its input {self.input} is {lengths}")
        self.size = (lengths[3], lengths[2]) if lengths[2] > 0 and lengths[3] > 0 else None
        self.given = given
        self.batches = lengths[0] == 0
        self._session = Alone(path, device=device, threads=threads)

    def __call__(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        names = list(self.given.outputs)
        if self.batches:
            return self._session.run(names, self.input, pictures)
        alone = [self._session.run(names, self.input, picture[None]) for picture in pictures]
        return [np.concatenate(parts) for parts in zip(*alone, strict=True)]


class RetinaFace:
    """Finds faces in pictures with RetinaFace, as https://github.com/biubug6/Pytorch_Retinaface exports it to ONNX.

    The file's outputs are the boxes (N, anchors, 4), the probabilities of background and face (N, anchors, 2), the
    landmarks (N, anchors, 10), in any order. ``path``, ``device``, ``threads``: as for `CenterFace`.
    """

    threshold = 0.5
    overlap = 0.4

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._network = _Network(path, device=device, threads=threads)
        self._path = path
        lasts = list(self._network.given.lasts)
        if not is_retinaface(self._network.given):
            raise ModelError(f"{path} is not RetinaFace: it gives {self._network.given}")
        self._order = [lasts.index(last) for last in (4, 2, 10)]

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels; see `Detector`."""
        seen, zoom = padded(pictures, self._network.size)
        # blue, green, red less their means, as Caffe's models of its time had it
        batch = cv2.dnn.blobFromImages(list(seen), mean=(123, 117, 104), swapRB=False)
        batch = np.ascontiguousarray(batch[:, ::-1])
        outputs = self._network(batch)
        boxes, scores, landmarks = (outputs[place] for place in self._order)
        if scores.size and np.abs(scores.sum(axis=2) - 1).max() > _SUM:
            raise ModelError(
                f"{self._path} gives no probabilities: it was exported as it is trained; export it with softmax "
                "(phase='test')"
            )
        size = seen.shape[2], seen.shape[1]
        return [
            decode_retinaface(*each, size, threshold=threshold, overlap=overlap, zoom=zoom)
            for each in zip(boxes, scores[..., 1], landmarks, strict=True)
        ]


class Scrfd:
    """Finds faces in pictures with SCRFD, as insightface exports it to ONNX: scores, boxes, landmarks by grid.

    Three grids with two faces a point, or five with one; with landmarks. ``path``, ``device``, ``threads``: as for
    `CenterFace`.
    """

    threshold = 0.5
    overlap = 0.4

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._network = _Network(path, device=device, threads=threads)
        given = self._network.given
        if not is_scrfd(given):
            raise ModelError(f"{path} is not SCRFD with five landmarks: it gives {given}")
        self._strides = [8, 16, 32, 64, 128][: len(given.outputs) // 3]
        self._each = 2 if len(self._strides) == 3 else 1
        self._flat = all(len(lengths) == 2 for lengths in given.outputs.values())

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels; see `Detector`."""
        seen, zoom = padded(pictures, self._network.size)
        size = seen.shape[2], seen.shape[1]
        batch = cv2.dnn.blobFromImages(list(seen), 1 / 128, mean=(127.5, 127.5, 127.5), swapRB=False)
        if self._flat or not self._network.batches:  # the points of all pictures would follow each other
            outputs = [self._network(picture[None]) for picture in batch]
        else:
            together = self._network(batch)
            outputs = [[part[number] for part in together] for number in range(len(batch))]
        found = []
        for each in outputs:
            count = len(self._strides)
            levels = [
                (stride, each[n].reshape(-1), each[count + n].reshape(-1, 4), each[2 * count + n].reshape(-1, 10))
                for n, stride in enumerate(self._strides)
            ]
            found.append(decode_scrfd(levels, size, self._each, threshold=threshold, overlap=overlap, zoom=zoom))
        return found
