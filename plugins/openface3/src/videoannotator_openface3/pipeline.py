"""The pipeline ``openface3``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Face, FrameBatch, Pipeline, Table
from videoannotator.discover.beside import RowsBeside
from videoannotator.discover.workers import TorchWorkers
from videoannotator_openface3.config import OpenFace3Config
from videoannotator_openface3.networks import Detector, Found, Heads, Landmarks, crop
from videoannotator_openface3.rows import ACTION_UNITS, EMOTIONS, FacialBehaviour

__all__ = ["OpenFace3"]


class OpenFace3(Pipeline[OpenFace3Config]):
    """Every face in every picture looked at: a `Face` row, and beside it what the heads and the landmarks say.

    Unlike openface-test's own demo, which looks at every face with the crop of the best one, each face is looked at
    with its own.

    Source: OpenFace 3.0 (Hu et al. 2025, https://arxiv.org/abs/2506.02891), package openface-test 0.1.26.
    """

    def setup(self) -> None:
        """Load the networks that the settings name, or take those that are loaded."""
        device, config, load = self.context.device, self.config, self.context.load
        self._heads = load(config.weights, lambda file: Heads(file.path, device=device))
        self._alone = TorchWorkers("openface3", self.context.threads, owner="run") if device == "cpu" else None
        self._detector: Detector | None = None
        self._landmarks: Landmarks | None = None
        if config.detector is not None:
            self._detector = load(config.detector, lambda file: Detector(file.path, device=device))
        if config.landmarks is not None:
            self._landmarks = load(config.landmarks, lambda file: Landmarks(file.path, device=device))

    def begin(self) -> None:
        """Take the faces of face_analysis, where those are wanted.

        Raises `ConfigError` when pictures are to be looked at that were not searched for faces.
        """
        self._faces: RowsBeside | None = None
        if self.config.detector is None:
            self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.frames)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """The faces of a batch of pictures, best first within each."""
        found, tracks = self._found(batch)
        counts = [len(faces) for faces in found]
        if not sum(counts):
            return {"faces": Table.empty(Face), "behaviour": Table.empty(FacialBehaviour)}
        common: dict[str, Any] = {
            "frame": np.repeat(batch.frame, counts),
            "time": np.repeat(batch.time, counts),
            "track": [track for frame in tracks for track in frame],
        }
        scale = np.array(batch.scale, dtype=np.float32)
        boxes = np.concatenate([faces.boxes for faces in found])
        points = np.concatenate([faces.points for faces in found])
        size = np.array([batch.width, batch.height], dtype=np.float32)
        corners = np.clip(boxes.reshape(-1, 2, 2), 0, size) * scale
        common |= {"x1": corners[:, 0, 0], "y1": corners[:, 0, 1], "x2": corners[:, 1, 0], "y2": corners[:, 1, 1]}
        faces = Table.of(
            Face,
            **common,
            score=np.concatenate([faces.scores for faces in found]),
            landmarks=[None if np.isnan(five).any() else five * scale for five in points],
        )
        pictures = np.repeat(np.arange(len(batch)), counts)
        more = self._read(batch.pixels, pictures, boxes, scale)
        return {"faces": faces, "behaviour": Table.of(FacialBehaviour, **common, **more)}

    def _found(self, batch: FrameBatch) -> tuple[list[Found], list[list[int | None]]]:
        """The faces of each picture, in its pixels, and their tracks."""
        if self._detector is not None:
            found = self._detector(
                batch.pixels,
                threshold=self.config.threshold,
                overlap=self.config.nms,
                most=self.context.batch,
                alone=self._alone,
            )
            return found, [[None] * len(faces) for faces in found]
        assert self._faces is not None  # noqa: S101 - begin() has taken them
        rows, picture = self._faces.of(batch)
        scale = np.array(batch.scale, dtype=np.float32)
        found, tracks = [], []
        for number in range(len(batch)):
            here = rows[(picture == number) & (rows.column("score") >= self.config.threshold)]
            here = here[np.argsort(-here.score, kind="stable")]
            corners = np.stack([here.x1, here.y1, here.x2, here.y2], axis=1) / np.tile(scale, 2)
            five = [np.full((5, 2), np.nan) if face.landmarks is None else face.landmarks for face in here]
            points = np.array(five, dtype=np.float32).reshape(-1, 5, 2) / scale
            found.append(Found(corners.astype(np.float32), here.score.astype(np.float32), points))
            tracks.append([face.track for face in here])
        return found, tracks

    def _read(
        self, pixels: NDArray[np.uint8], pictures: NDArray[np.intp], boxes: NDArray[np.float32], scale: Any
    ) -> dict[str, Any]:
        """The columns that the networks fill, for faces in ``boxes`` of the pictures of these numbers."""
        crops = [crop(pixels[picture], box) for picture, box in zip(pictures, boxes, strict=True)]
        seen = [number for number, part in enumerate(crops) if part is not None]
        columns: dict[str, list[Any]] = {
            name: [None] * len(boxes) for name in (*EMOTIONS, "gaze_yaw", "gaze_pitch", *ACTION_UNITS, "landmarks")
        }
        if not seen:
            return columns
        parts = [part for part in crops if part is not None]
        said = self._heads(parts, most=self.context.batch, alone=self._alone)
        if self._landmarks is not None:
            shown = [pixels[picture] for picture in pictures[seen]]
            for number, points in zip(seen, self._landmarks(shown, boxes[seen], alone=self._alone), strict=True):
                columns["landmarks"][number] = None if points is None else points * scale
        for n, number in enumerate(seen):
            for names, values in (
                (EMOTIONS, said.emotions),
                (("gaze_yaw", "gaze_pitch"), said.gaze),
                (ACTION_UNITS, said.units),
            ):
                for name, value in zip(names, values[n], strict=True):
                    columns[name][number] = float(value)
        return columns

    def close(self) -> None:
        """Let go of the networks, and end the threads."""
        alone = self.__dict__.pop("_alone", None)
        if alone is not None:
            alone.close()
        for name in ("_heads", "_detector", "_landmarks"):
            self.__dict__.pop(name, None)
