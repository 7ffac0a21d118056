"""The pipeline ``laion_face``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from videoannotator import Embedding, FrameBatch, Pipeline, Table
from videoannotator.discover.beside import RowsBeside
from videoannotator.discover.workers import TorchWorkers, in_portions
from videoannotator.errors import ModelError
from videoannotator_laion_face.config import LaionFaceConfig
from videoannotator_laion_face.encoder import Encoder, portrait
from videoannotator_laion_face.heads import Heads, neutral_means
from videoannotator_laion_face.rows import DIMENSIONS, EMOTIONS, RANGE, FaceDimensions, FaceEmotions

__all__ = ["LaionFace"]

_CORNERS = ("x1", "y1", "x2", "y2")


class LaionFace(Pipeline[LaionFaceConfig]):
    """The ratings of every face that ``face_analysis`` found: one row per face and picture looked at, in its order.

    A face of which less than one pixel lies in the picture has no row. Nothing is smoothed over time, ranked or made
    into shares of one another.

    Source: Empathic-Insight-Face (Schuhmann et al., *EmoNet-Face: An Expert-Annotated Benchmark for Synthetic Emotion
    Recognition*, NeurIPS 2025, https://arxiv.org/abs/2505.20033).
    """

    def setup(self) -> None:
        """Load the encoder and the heads, or take those that are loaded."""
        device, config, load = self.context.device, self.config, self.context.load
        self._encoder: Encoder = load(config.encoder, lambda file: Encoder(file.path, device=device))
        self._alone = TorchWorkers("laion_face", self.context.threads, owner="run") if device == "cpu" else None
        width = self._encoder.width
        self._heads: Heads = load(
            config.weights,
            lambda file: Heads(file.path, width=width, device=device, names=config.heads),
            variant=(width, config.heads),
        )
        self._neutral = self._means()

    def _means(self) -> dict[str, float]:
        """The mean ratings of neutral faces; empty where nobody has told them."""
        if self.config.neutral is not None:
            return neutral_means(self.context.model(self.config.neutral).path)
        beside = sorted(Path(self.context.model(self.config.weights).path).glob("neutral_stats*.json"))
        if len(beside) > 1:
            raise ModelError(
                f"more than one file beside the heads tells of neutral faces: {', '.join(f.name for f in beside)}; "
                "name one in laion_face.neutral"
            )
        return neutral_means(beside[0]) if beside else {}

    def begin(self) -> None:
        """Take the faces. Raises `ConfigError` when pictures are to be looked at that were not searched for faces."""
        self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.frames)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """The ratings of the faces in a batch of pictures."""
        faces, picture = self._faces.of(batch)
        strong = faces.column("score") >= self.config.threshold
        faces, picture = faces[strong], picture[strong]
        boxes = np.stack([faces.column(name) for name in _CORNERS], axis=1) / np.tile(batch.scale, 2)
        crops = [portrait(batch.pixels[at], box, self.config.margin) for at, box in zip(picture, boxes, strict=True)]
        seen = np.array([crop is not None for crop in crops], dtype=bool)
        if not seen.any():
            return {}
        faces, picture = faces[seen], picture[seen]
        shown = [crop for crop in crops if crop is not None]
        embeddings = self._encoder(shown, most=self.context.batch, alone=self._alone)
        common = {
            "frame": batch.frame[picture],
            "time": batch.time[picture],
            **{name: faces.column(name) for name in (*_CORNERS, "track")},
        }
        return self._tables(common, self._rated(embeddings), embeddings.cpu().numpy())

    def _rated(self, embeddings: torch.Tensor) -> dict[str, NDArray[np.float32]]:
        """The ratings by head, (N,) each."""

        def rated(portion: slice) -> torch.Tensor:
            part = embeddings[portion]
            with torch.inference_mode():
                return self._heads(torch.nn.functional.normalize(part, dim=1) if self.config.normalize else part)

        said = torch.cat(in_portions(self._alone, rated, len(embeddings), len(embeddings))).cpu().numpy()
        return dict(zip(self._heads.names, said.T, strict=True))

    def _tables(
        self, common: dict[str, Any], rated: dict[str, NDArray[np.float32]], embeddings: NDArray[np.float32]
    ) -> dict[str, Table[Any]]:
        emotions = {name: rated[name] for name in EMOTIONS if name in rated}
        dimensions = {name: rated[name] for name in DIMENSIONS if name in rated}
        above = {name: emotions[name] - np.float32(mean) for name, mean in self._neutral.items() if name in emotions}
        tables: dict[str, Table[Any]] = {}
        if emotions:
            tables["emotions"] = Table.of(FaceEmotions, **common, **emotions)
        if dimensions:
            tables["dimensions"] = Table.of(FaceDimensions, **common, **dimensions)
        if above:
            tables["above_neutral"] = Table.of(FaceEmotions, **common, **above)
        if emotions and self.config.scaled:
            low, high = RANGE
            shares = {name: (value - np.float32(low)) / np.float32(high - low) for name, value in emotions.items()}
            tables["scaled"] = Table.of(FaceEmotions, **common, **shares)
        if self.config.embeddings:
            place = {name: common[name] for name in ("frame", "time", "track")}
            tables["embeddings"] = Table.of(Embedding, **place, vector=list(embeddings))
        return tables

    def close(self) -> None:
        """Let go of the networks, and end the threads."""
        alone = self.__dict__.pop("_alone", None)
        if alone is not None:
            alone.close()
        for name in ("_encoder", "_heads"):
            self.__dict__.pop(name, None)
