"""The pipeline ``face_landmarks``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, Pipeline, Table
from videoannotator.discover.beside import RowsBeside
from videoannotator_face_landmarks.config import FaceLandmarksConfig
from videoannotator_face_landmarks.geometry import eyes_of, pose_of, square
from videoannotator_face_landmarks.landmarker import Landmarker, Mesh
from videoannotator_face_landmarks.rows import BLENDSHAPES, Blendshapes, FaceLandmarks

__all__ = ["FaceLandmarksPipeline"]


class FaceLandmarksPipeline(Pipeline[FaceLandmarksConfig]):
    """Landmarks, head pose, irises and blendshapes of the faces that ``face_analysis`` found, in its order.

    MediaPipe looks for each face anew in the part of the picture around its box; a face that it does not find there
    has no row. Nothing is smoothed over time.

    Source: MediaPipe Face Landmarker
    (https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker); Grishchenko et al., *Attention Mesh:
    High-fidelity Face Mesh Prediction in Real-time*, 2020, https://arxiv.org/abs/2006.10962.
    """

    _landmarker: Landmarker
    _faces: RowsBeside

    def setup(self) -> None:
        """Load the networks, or take those that are loaded."""
        detection, presence = self.config.detection, self.config.presence
        self._landmarker = self.context.load(
            self.config.weights,
            lambda file: Landmarker(file.path, detection=detection, presence=presence),
            variant=(detection, presence),
        )

    def begin(self) -> None:
        """Take the faces. Raises `ConfigError` when pictures are to be looked at that were not searched for faces."""
        self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.frames)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """What is found of the faces in a batch of pictures."""
        faces, picture = self._faces.of(batch)
        scale: NDArray[np.float64] = np.array(batch.scale)
        boxes = np.stack([faces.column(name) for name in ("x1", "y1", "x2", "y2")], axis=1) / np.tile(scale, 2)
        found = [
            self._landmarker(batch.pixels[at], square(box, self.config.margin), box)
            for at, box in zip(picture, boxes, strict=True)
        ]
        seen = np.array([mesh is not None for mesh in found], dtype=bool)
        meshes = [mesh for mesh in found if mesh is not None]
        faces, picture = faces[seen], picture[seen]
        whose = {
            "frame": batch.frame[picture],
            "time": batch.time[picture],
            **{name: faces.column(name) for name in ("x1", "y1", "x2", "y2", "track")},
        }
        coefficients = np.stack([m.coefficients for m in meshes]) if meshes else np.empty((0, len(BLENDSHAPES)))
        return {
            "landmarks": Table.of(FaceLandmarks, **whose, **self._measured(meshes, scale)),
            "blendshapes": Table.of(Blendshapes, **whose, **dict(zip(BLENDSHAPES, coefficients.T, strict=True))),
        }

    def _measured(self, meshes: list[Mesh], scale: NDArray[np.float64]) -> dict[str, Any]:
        """The columns of `FaceLandmarks` that are measured; ``scale``: from the pictures seen to those shown."""
        across = np.append(scale, scale[0]).astype(np.float32)  # depth is in the unit of x
        points = [mesh.points * across for mesh in meshes]
        poses = [pose_of(mesh.matrix) or (None, None, None) for mesh in meshes]
        eyes = [eyes_of(face) for face in points]
        columns: dict[str, Any] = {
            name: [pose[axis] for pose in poses] for axis, name in enumerate(("yaw", "pitch", "roll"))
        }
        for side in ("right", "left"):
            for part in (f"{side}_eye_open", f"{side}_iris_x", f"{side}_iris_y"):
                columns[part] = [eye[part] for eye in eyes]
        return {**columns, "points": points if self.config.points else None}
