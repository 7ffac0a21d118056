"""MediaPipe's Face Landmarker, on the parts of a picture that show a face."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import MissingDependencyError, ModelError
from videoannotator_face_landmarks.geometry import POINTS, Square, best
from videoannotator_face_landmarks.rows import BLENDSHAPES

__all__ = ["Landmarker", "Mesh", "snake"]

_FACES = 3  # in one cut-out: more than these beside the one that is meant do not fit


@attrs.frozen(eq=False)
class Mesh:
    """What was found of one face. ``points``: float32 (478, 3), pixels of the picture. ``matrix``: float32 (4, 4), of
    the canonical face. ``coefficients``: float32 (52,), in the order of `BLENDSHAPES`.
    """

    points: NDArray[np.float32]
    matrix: NDArray[np.float32]
    coefficients: NDArray[np.float32]


def snake(name: str) -> str:
    """MediaPipe's name of a blendshape as the name of a column: ``eyeLookInLeft`` is ``eye_look_in_left``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.lstrip("_")).lower()


class Landmarker:
    """Finds the landmarks of faces whose boxes are known.

    ``path``: a ``face_landmarker.task`` bundle. ``detection``, ``presence``: least scores, 0..1.
    Every picture is looked at for itself (MediaPipe's image mode): nothing is smoothed or followed.

    Raises `ModelError` for a file that is something else, `MissingDependencyError` where MediaPipe is not installed.
    """

    def __init__(self, path: Path, *, detection: float = 0.5, presence: float = 0.5) -> None:
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingDependencyError(
                "face_landmarks needs mediapipe, which brings another OpenCV; run: "
                "videoannotator plugins install face_landmarks --isolated"
            ) from error
        self._mediapipe = mediapipe
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            num_faces=_FACES,
            min_face_detection_confidence=detection,
            min_face_presence_confidence=presence,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"{path} is no face_landmarker bundle of MediaPipe: {error}") from error

    def __call__(self, picture: NDArray[np.uint8], part: Square, box: NDArray[np.floating]) -> Mesh | None:
        """The face in ``box`` (x1, y1, x2, y2), looked for in ``part`` of ``picture``, uint8 (H, W, 3), red first.

        None when MediaPipe does not find it.
        """
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=part.cut(picture))
        found = self._landmarker.detect(image)
        meshes = [_points(face, part) for face in found.face_landmarks]
        chosen = best(meshes, box)
        if chosen is None:
            return None
        return Mesh(
            meshes[chosen],
            np.asarray(found.facial_transformation_matrixes[chosen], dtype=np.float32),
            _coefficients(found.face_blendshapes[chosen]),
        )

    def close(self) -> None:
        """Give back what the networks take."""
        self._landmarker.close()


def _points(face: Any, part: Square) -> NDArray[np.float32]:
    """In pixels of the picture: MediaPipe gives them as shares of what it was shown, z in the unit of x."""
    points = np.array([(point.x, point.y, point.z) for point in face], dtype=np.float64)
    if points.shape != (POINTS, 3):
        raise ModelError(f"the bundle gives {len(points)} landmarks, where Face Mesh has {POINTS}")
    return (points * part.side + (part.x, part.y, 0)).astype(np.float32)


def _coefficients(given: Any) -> NDArray[np.float32]:
    named = {snake(category.category_name): category.score for category in given}
    if set(named) != set(BLENDSHAPES):
        raise ModelError(f"the bundle gives other blendshapes than are known: {sorted(set(named) ^ set(BLENDSHAPES))}")
    return np.clip(np.array([named[name] for name in BLENDSHAPES], dtype=np.float32), 0, 1)
