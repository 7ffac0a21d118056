"""The pipeline ``face_expressions``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, Pipeline, Table
from videoannotator.discover.beside import RowsBeside
from videoannotator_face_analysis.expression_config import FaceExpressionsConfig
from videoannotator_face_analysis.expression_network import ExpressionNetwork
from videoannotator_face_analysis.expression_rows import EIGHT, Expression

__all__ = ["FaceExpressions", "inside"]


class FaceExpressions(Pipeline[FaceExpressionsConfig]):
    """The expression of every face that ``face_analysis`` found: one row per face and picture looked at, in its order.

    A face is what lies inside its box, as the networks were trained; a box of which less than one pixel lies in the
    picture has no row. Nothing is smoothed over time.

    Source: Savchenko, Savchenko & Makarov, *Classifying emotions and engagement in online learning based on a single
    facial expression recognition neural network*, IEEE Transactions on Affective Computing 13(4), 2022; EmotiEffLib
    (https://github.com/sb-ai-lab/EmotiEffLib).
    """

    _network: ExpressionNetwork
    _faces: RowsBeside

    def setup(self) -> None:
        """Load the network, or take the one that is loaded."""
        device, threads = self.context.device, self.context.threads
        self._network = self.context.load(
            self.config.weights,
            lambda file: ExpressionNetwork(file.path, name=file.name, device=device, threads=threads),
            variant=threads,
            concurrent=True,  # a session of onnxruntime may be
        )

    def begin(self) -> None:
        """Take the faces. Raises `ConfigError` when pictures are to be looked at that were not searched for faces."""
        self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.frames)

    def process(self, batch: FrameBatch) -> Table[Expression]:
        """The expressions in a batch of pictures."""
        faces, picture = self._faces.of(batch)
        boxes = np.stack([faces.column(name) for name in ("x1", "y1", "x2", "y2")], axis=1)
        crops = [
            inside(batch.pixels[at], box) for at, box in zip(picture, boxes / np.tile(batch.scale, 2), strict=True)
        ]
        seen = np.array([crop.size > 0 for crop in crops], dtype=bool)
        read = self._network([crop for crop in crops if crop.size])
        faces, picture = faces[seen], picture[seen]
        found = dict(zip(self._network.labels, read.probabilities.T, strict=True))
        best = read.probabilities.argmax(axis=1) if len(faces) else np.empty(0, dtype=np.intp)
        valence, arousal = read.affect.T if read.affect is not None else (None, None)
        return Table.of(
            Expression,
            frame=batch.frame[picture],
            time=batch.time[picture],
            label=np.array(self._network.labels)[best],
            score=np.take_along_axis(read.probabilities, best[:, None], axis=1)[:, 0],
            **{label: found.get(label) for label in EIGHT},
            **{name: faces.column(name) for name in ("x1", "y1", "x2", "y2", "track")},
            valence=valence,
            arousal=arousal,
        )


def inside(picture: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The part of a picture (H, W, 3) that a box (x1, y1, x2, y2) shows; may be empty.

    Whole pixels, as ``picture[y1:y2, x1:x2]`` with the fractions left away: so EmotiEffLib cuts faces out.
    """
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = np.clip(box, 0, [width, height, width, height]).astype(int)
    return picture[y1:y2, x1:x2]
