"""Labels of shots: frames are looked at while they pass, and a shot is labelled as soon as it has ended."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Embedding, FrameClock, Table
from videoannotator_scene_detection.clip import Clip, probabilities
from videoannotator_scene_detection.config import SceneDetectionConfig
from videoannotator_scene_detection.looking import Looked, Looking, OpenShot
from videoannotator_scene_detection.rows import LabelProbability, ShotLabel

__all__ = ["Labeller", "tables"]

Vector = NDArray[np.float32]


class Labeller:
    """Gives `ShotLabel` rows. ``words``: unit vectors (labels, D) of the labels."""

    def __init__(self, config: SceneDetectionConfig, clip: Clip, words: Vector, clock: FrameClock) -> None:
        self._config, self._clip, self._words, self._clock = config, clip, words, clock
        self._looking: Looking[Vector] = Looking(config.frames_per_shot)
        self.labels: dict[int, str | None] = {}
        """What was told, by the first frame of the shot."""

    def add(
        self, frame: int, picture: NDArray[np.uint8], told: Callable[[int], list[int]]
    ) -> list[tuple[ShotLabel, list[Embedding]]]:
        """Take the next frame; give the labels of shots that have ended.

        ``told``: gives the first frames of shots that are certain by now and begin after a frame.
        """
        time = float(self._clock.times[frame])
        due = self._looking.due(frame, time)
        done = [self._cut(first) for first in told(self._first)]
        if due or done:
            self._looking.add(frame, time, self._clip.picture(picture))
        return [label for label in done if label is not None]

    def finish(self, told: list[int], end_frame: int, end: float) -> list[tuple[ShotLabel, list[Embedding]]]:
        """The labels of what is left. ``told``: first frames of all shots but the first."""
        done = [self._cut(first) for first in told if first > self._first]
        last = self._looking.last()
        if last is not None:
            done.append(self._label(*last, end_frame, end))
        return [label for label in done if label is not None]

    @property
    def _first(self) -> int:
        """The first frame of the open shot."""
        return self._looking.shot.first if self._looking.shot is not None else -1

    def _cut(self, first: int) -> tuple[ShotLabel, list[Embedding]] | None:
        start = float(self._clock.times[first])
        shot, looked = self._looking.cut(first, start)
        return self._label(shot, looked, first, start)

    def _label(
        self, shot: OpenShot[Vector], looked: list[Looked[Vector]], end_frame: int, end: float
    ) -> tuple[ShotLabel, list[Embedding]] | None:
        if not looked:
            return None
        config, names = self._config, self._config.label_names
        vectors = np.stack([one.seen for one in looked])
        mean = probabilities(vectors, self._words, self._clip.scale, config.temperature).mean(axis=0).clip(0, 1)
        best = int(mean.argmax())
        sure = bool(mean[best] >= config.abstain_below)
        self.labels[shot.first] = names[best] if sure else None
        row = ShotLabel(
            start=shot.start,
            end=end,
            start_frame=shot.first,
            end_frame=end_frame,
            score=float(mean[best]),
            frames=len(looked),
            probabilities=tuple(LabelProbability(n, p) for n, p in zip(names, mean.tolist(), strict=True)),
            label=self.labels[shot.first],
        )
        return row, [Embedding(one.frame, one.time, one.seen) for one in looked] if config.embeddings else []

    def state(self) -> bytes:
        """The open shot, at most twice `frames_per_shot` vectors, and the labels told."""
        return pickle.dumps((self._looking.shot, self.labels))

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        self._looking.shot, self.labels = pickle.loads(state)  # noqa: S301 - our own, from `state`


def tables(labelled: list[tuple[ShotLabel, list[Embedding]]]) -> dict[str, Table[Any]]:
    """What `Labeller` gave, as tables by output."""
    return {
        "labels": Table.from_rows(ShotLabel, [label for label, _ in labelled]),
        "embeddings": Table.from_rows(Embedding, [one for _, embeddings in labelled for one in embeddings]),
    }
