"""Whose faces are whose: what person_identity, or the clusters of face_analysis, say of face tracks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs
import numpy as np

from videoannotator import PipelineResult
from videoannotator_active_speaker.linking import Unit
from videoannotator_active_speaker.tracks import FaceTrack

__all__ = ["People"]


@attrs.frozen
class People:
    """``units``: who each track is, for all of its length. ``links``: (start, end, person) of each track."""

    units: Mapping[int, Unit]
    links: Mapping[int, tuple[tuple[float, float, int], ...]]

    @classmethod
    def of(cls, identity: PipelineResult | None, faces: PipelineResult | None, tracks: Mapping[int, FaceTrack]) -> Self:
        """Persons where they are known, else clusters of faces, else each track by itself."""
        links: dict[int, list[tuple[float, float, int]]] = {}
        frames: dict[int, dict[int, int]] = {}
        for row in () if identity is None else identity.tables["faces"]:
            if row.face in tracks:
                links.setdefault(row.face, []).append((row.start, row.end, row.person))
                counts = frames.setdefault(row.face, {})
                counts[row.person] = counts.get(row.person, 0) + row.frames
        units: dict[int, Unit] = {track: ("face", track) for track in tracks}
        units |= {row.track: ("cluster", row.cluster) for row in _clusters(faces) if row.track in tracks}
        for track, counts in frames.items():
            units[track] = "person", max(sorted(counts), key=lambda person: counts[person])
        return cls(units, {track: tuple(sorted(mine)) for track, mine in links.items()})

    def owner(self, track: int, time: float) -> int | None:
        """The person whose face it is at that time; of the nearest link, as links end where a face was last seen."""
        mine = self.links.get(track)
        if not mine:
            return None
        away = [max(start - time, time - end, 0.0) for start, end, _ in mine]
        return mine[int(np.argmin(away))][2]


def _clusters(faces: PipelineResult | None) -> Any:
    return () if faces is None or "clusters" not in faces.tables else faces.tables["clusters"]
