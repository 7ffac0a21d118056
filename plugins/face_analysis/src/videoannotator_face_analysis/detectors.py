"""The detectors, told apart by what their files take and give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ModelError
from videoannotator_face_analysis.anchored import RetinaFace, Scrfd, is_retinaface, is_scrfd
from videoannotator_face_analysis.centerface import CenterFace, is_centerface
from videoannotator_face_analysis.cropping import clipped
from videoannotator_face_analysis.decoding import Faces
from videoannotator_face_analysis.sessions import Signature, read, signature
from videoannotator_face_analysis.yunet import YuNet, is_yunet

__all__ = ["Detector", "detected", "detector_of"]


class Detector(Protocol):
    """A network that finds faces.

    ``threshold``, ``overlap``: what its own reference code takes where the user says nothing; CenterFace's threshold
    is ours.
    """

    threshold: float
    overlap: float

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels.

        ``pictures``: uint8 (N, height, width, 3), red first. ``threshold``: least score. ``overlap``: of two boxes
        with this IoU or more the weaker one goes. Boxes may reach out of the picture.
        """
        ...


_KINDS: tuple[tuple[str, Callable[[Signature], bool], Callable[..., Detector]], ...] = (
    ("CenterFace", is_centerface, CenterFace),
    ("RetinaFace", is_retinaface, RetinaFace),
    ("SCRFD with five landmarks", is_scrfd, Scrfd),
)


def detector_of(path: Path, *, device: str = "cpu", threads: int = 1) -> Detector:
    """The detector in an .onnx file, whatever its name.

    Raises `ModelError` for a file that holds none that is known, `DeviceError` for a device that it cannot use.
    """
    given = signature(read(path))
    if is_yunet(given):
        return YuNet(path, device=device)
    for _, fits, make in _KINDS:
        if fits(given):
            return make(path, device=device, threads=threads)
    known = ", ".join(["YuNet", *(name for name, _, _ in _KINDS)])
    raise ModelError(f"{path} is none of the known face detectors ({known}): it gives {given}")


def detected(
    detector: Detector, pictures: NDArray[np.uint8], *, threshold: float | None, overlap: float | None
) -> list[Faces]:
    """The faces in each picture, best first, in its own pixels; boxes end at the borders of the picture.

    ``threshold``, ``overlap``: None for the detector's own. A box that lies outside of the picture as a whole is none.
    """
    height, width = pictures.shape[1:3]
    found = detector(
        pictures,
        threshold=detector.threshold if threshold is None else threshold,
        overlap=detector.overlap if overlap is None else overlap,
    )
    inside = []
    for faces in found:
        boxes = clipped(faces.boxes, width, height)
        there = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        # a network may say a hair more than 1
        inside.append(Faces(boxes[there], np.minimum(faces.scores[there], 1), faces.landmarks[there]))
    return inside
