"""The pipeline ``pyfeat``."""

from __future__ import annotations

from typing import Any

import numpy as np

from videoannotator import FrameBatch, Pipeline, Table
from videoannotator.discover.beside import RowsBeside
from videoannotator_pyfeat.config import PyFeatConfig
from videoannotator_pyfeat.network import Network, Readings
from videoannotator_pyfeat.rows import EMOTIONS, UNITS, ActionUnits, Expression, Gaze

__all__ = ["PyFeat"]


class PyFeat(Pipeline[PyFeatConfig]):
    """Action units, gaze, head pose and expressions of the faces that ``face_analysis`` found, in its order.

    Every face has a row in each output. Nothing is smoothed over time.

    Source: Cheong et al., *Py-Feat: Python Facial Expression Analysis Toolbox*, Affective Science 4, 2023;
    ``Detectorv2`` of Py-Feat 2.1 (https://py-feat.org), weights https://huggingface.co/py-feat/face_multitask_v2.
    """

    _network: Network
    _faces: RowsBeside

    def setup(self) -> None:
        """Load the network, or take the one that is loaded."""
        device, threads = self.context.device, self.context.threads
        self._network = self.context.load(
            self.config.weights,
            lambda file: Network(file.path, device=device, threads=threads),
            variant=threads,
        )

    def begin(self) -> None:
        """Take the faces. Raises `ConfigError` when pictures are to be looked at that were not searched for faces."""
        self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.frames)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """What the faces in a batch of pictures show."""
        faces, picture = self._faces.of(batch)
        boxes = np.stack([faces.column(name) for name in ("x1", "y1", "x2", "y2")], axis=1) / np.tile(batch.scale, 2)
        read = self._network.read(batch.pixels, picture, boxes)
        whose = {
            "frame": batch.frame[picture],
            "time": batch.time[picture],
            **{name: faces.column(name) for name in ("x1", "y1", "x2", "y2", "track")},
        }
        return self._tables(whose, read) if len(faces) else {}

    def _tables(self, whose: dict[str, Any], read: Readings) -> dict[str, Table[Any]]:
        sure = dict(zip(self._network.units, read.units.T, strict=True))
        shown = dict(zip(self._network.emotions, read.emotions.T, strict=True))
        best = read.emotions.argmax(axis=1)
        return {
            "action_units": Table.of(ActionUnits, **whose, **{name: sure.get(name) for name in UNITS}),
            "gaze": Table.of(
                Gaze,
                **whose,
                **dict(zip(("gaze_yaw", "gaze_pitch"), read.gaze.T, strict=True)),
                **dict(zip(("yaw", "pitch", "roll"), read.pose.T, strict=True)),
            ),
            "expressions": Table.of(
                Expression,
                **whose,
                label=np.array(self._network.emotions)[best],
                score=np.take_along_axis(read.emotions, best[:, None], axis=1)[:, 0],
                **{name: shown.get(name) for name in EMOTIONS},
                valence=read.affect[:, 0],
                arousal=read.affect[:, 1],
            ),
        }
