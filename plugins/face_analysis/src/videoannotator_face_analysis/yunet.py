"""YuNet, through OpenCV's own class for it.

Wu, Peng & Yu, *YuNet: A Tiny Millisecond-level Face Detector*, Machine Intelligence Research 20, 2023,
https://doi.org/10.1007/s11633-023-1423-y.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import DeviceError, ModelError
from videoannotator_face_analysis.decoding import Faces
from videoannotator_face_analysis.sessions import Signature

__all__ = ["YuNet", "is_yunet"]

_GIVES = {f"{what}_{stride}" for what in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)}
_MOST = 5000  # candidates before suppression: OpenCV's default


def is_yunet(given: Signature) -> bool:
    """True for a model that gives what YuNet does (from the release of March 2023 on)."""
    return given.outputs.keys() == _GIVES


class YuNet:
    """Finds faces in pictures: ``cv2.FaceDetectorYN``, picture by picture.

    ``path``: the .onnx file. ``device``: ``"cpu"``. How many threads it uses is said to OpenCV as a whole, which is
    the house's to do. Not for several threads at once. Raises `ModelError` for a file that OpenCV cannot read,
    `DeviceError` for another device: OpenCV from PyPI knows none.
    """

    threshold = 0.6  # opencv_zoo's yunet.py
    overlap = 0.3

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        if device != "cpu":
            raise DeviceError(f"YuNet runs through OpenCV, which cannot use {device!r}; set device='cpu'")
        self._path = path
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:  # OpenCV 5 warns that its new engine knows no targets; none is asked for
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (32, 32), self.threshold, self.overlap, _MOST)
        except cv2.error as error:
            raise ModelError(f"OpenCV cannot read {path} as YuNet: {error}") from error
        finally:
            cv2.utils.logging.setLogLevel(level)

    def copy(self) -> YuNet:
        """Another one of the same weights, for another thread."""
        return YuNet(self._path)

    def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
        """The faces in each picture, best first, in its own pixels; see `Detector`."""
        height, width = pictures.shape[1:3]
        self._detector.setInputSize((width, height))
        self._detector.setScoreThreshold(threshold)
        self._detector.setNMSThreshold(overlap)
        found = []
        for picture in pictures:
            _, rows = self._detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            rows = np.empty((0, 15), dtype=np.float32) if rows is None else np.asarray(rows, dtype=np.float32)
            rows = rows[np.argsort(-rows[:, 14], kind="stable")]
            corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
            found.append(Faces(corners, rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2)))
        return found
