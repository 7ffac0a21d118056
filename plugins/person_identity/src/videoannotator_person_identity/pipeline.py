"""The pipeline ``person_identity``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, Pipeline, PipelineResult, Table
from videoannotator.errors import PlanError
from videoannotator_person_identity.appearance import Appearance
from videoannotator_person_identity.config import PersonIdentityConfig
from videoannotator_person_identity.faces import Placed, keypoints_of, placed
from videoannotator_person_identity.filling import filled
from videoannotator_person_identity.gallery import Gallery
from videoannotator_person_identity.gathering import Gathering
from videoannotator_person_identity.likeness import Looks
from videoannotator_person_identity.rows import Filled
from videoannotator_person_identity.solving import Limits, Seen, Solved, solved
from videoannotator_person_identity.telling import Telling
from videoannotator_person_identity.tracks import Tracks, tracks_of

__all__ = ["PersonIdentity"]


class PersonIdentity(Pipeline[PersonIdentityConfig]):
    """Persons, the stretches of tracks that show them, their faces, roles, names and looks.

    Everything is told in `finish`, from the whole stretch of film at once; while pictures pass, looks are gathered.
    Source of the method: see `likeness`, `tracklets` and `linking`.
    """

    def setup(self) -> None:
        """Load the network, or take the one that is loaded; read the gallery. Raises `ModelError`, `DataError`."""
        config, context = self.config, self.context
        self._network: Appearance | None = None
        self._model = ""
        if config.weights is not None:
            device, threads = context.device, context.threads
            self._model = context.model(config.weights).sha256
            self._network = context.load(
                config.weights,
                lambda file: Appearance(file.path, device=device, threads=threads),
                variant=threads,
                concurrent=True,
            )
        self._gallery = Gallery() if config.gallery is None else Gallery.read(config.gallery)
        if self._network is not None:
            self._gallery.of("appearance", self._model)  # refused now, not after an hour
        faces = self.context.output("face_analysis")
        if faces is not None and len(faces.tables["embeddings"]):
            self._gallery.of("face", _face_model(faces))
        self._given = 0
        self._gathering: Gathering | None = None
        self._kept: tuple[Any, ...] = ()

    def begin(self) -> None:
        """Nobody is known from one stretch of film to the next; numbers are not used twice."""
        self._gathering, self._kept = None, ()

    def state(self) -> tuple[Any, ...]:
        """Numbers given, and looks gathered: about 1 KB for every track and second."""
        return self._given, self._kept if self._gathering is None else self._gathering.state()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from there."""
        self._given, self._kept = state
        self._gathering = None

    def process(self, batch: FrameBatch) -> None:
        """Look at those who are tracked in these pictures."""
        self._gathered().look(batch)

    def finish(self) -> dict[str, Table[Any]]:
        """Who is who."""
        config = self.config
        detections, tracks = self._tracked()
        keypoints = keypoints_of(detections, tracks.row)
        faces = self.context.output("face_analysis")
        in_heads = None if faces is None else placed(faces.tables["faces"], tracks, keypoints)
        kinds = [kind for kind in (self._appearance(tracks), self._faces(tracks, in_heads)) if kind is not None]
        chance = min(max(config.link, 1e-6), 1 - 1e-6)
        limits = Limits(float(np.log(chance / (1 - chance))), config.speed, config.reentry == "new")
        found = solved(tracks, kinds, cuts=self._cuts(), size=self._size(), limits=limits)
        self._say(found)
        telling = Telling(config, tracks, found, kinds, self._models(kinds), self._gallery, first=self._given + 1)
        self._given += len(found.persons)
        return {
            "persons": telling.persons(keypoints),
            "links": telling.links(),
            "faces": telling.faces(None if faces is None else faces.tables["faces"], in_heads),
            "filled": self._filled(tracks, telling),
            "looks": telling.looks(),
        }

    def close(self) -> None:
        """Let go of what was gathered."""
        self.__dict__.pop("_gathering", None)
        self.__dict__.pop("_network", None)

    def _tracked(self) -> tuple[Table[Any], Tracks]:
        """Rows of tracks that were seen in this stretch of film: interpolated ones show nobody."""
        result = self.context.output("person_tracking")
        if result is None:
            raise PlanError("person_identity needs the rows of person_tracking, and they are not there")
        detections = result.tables["detections"].during(self.context.span.start, self.context.span.end)
        if "interpolated" in detections.columns:
            detections = detections[~np.asarray(detections.column("interpolated"), dtype=bool)]
        return detections, tracks_of(detections)

    def _gathered(self) -> Gathering:
        if self._gathering is None:
            if self._network is None:
                raise PlanError("person_identity was handed pictures without weights to look at them")
            self._gathering = Gathering(
                self._network, self._tracked()[1], self.config.crops, self.config.smallest, dict(self._kept)
            )
        return self._gathering

    def _appearance(self, tracks: Tracks) -> Seen | None:
        if self._network is None:
            return None
        gathered = self._gathered()
        looks = gathered.looks()
        if not len(looks):
            if len(tracks):
                self.context.notice(
                    "no looks were taken: the pictures looked at (rate) are none of those in which persons were "
                    "tracked, or all persons are smaller than 'smallest'; motion alone decides"
                )
            return None
        return Seen("appearance", looks, rows_at(tracks, looks.group, looks.time), self.config.threshold)

    def _faces(self, tracks: Tracks, in_heads: Placed | None) -> Seen | None:
        """Embeddings of faces that lie in tracked heads, if face_analysis gives any."""
        result = self.context.output("face_analysis")
        table = None if result is None else result.tables.get("embeddings")
        if result is None or table is None or in_heads is None or not len(table) or not len(tracks):
            return None
        faces = result.tables["faces"]
        tracked = ~np.ma.getmaskarray(faces.track)
        where = {
            (int(frame), int(track)): int(row)
            for frame, track, row in zip(
                faces.frame[tracked], np.ma.getdata(faces.track)[tracked], in_heads.row[tracked], strict=True
            )
            if row >= 0
        }
        vectors, rows = [], []
        for embedding in table:
            row = None if embedding.track is None else where.get((embedding.frame, embedding.track))
            if row is not None:
                vectors.append(embedding.vector / max(float(np.linalg.norm(embedding.vector)), 1e-12))
                rows.append(row)
        if not rows:
            return None
        at = np.array(rows, dtype=np.intp)
        looks = Looks(np.array(vectors, dtype=np.float64), np.ones(len(at)), tracks.time[at], tracks.track[at])
        return Seen("face", looks, at, self.config.face_threshold)

    def _filled(self, tracks: Tracks, telling: Telling) -> Table[Filled]:
        video = self.context.media.video
        if self.config.fill is None or video is None:
            return Table.empty(Filled)
        return filled(
            tracks,
            telling.whose,
            first=telling.first,
            times=video.clock.times,
            cuts=self._cuts(),
            most=self.config.fill,
        )

    def _models(self, kinds: list[Seen]) -> dict[str, str]:
        """SHA-256 of the weights by kind of looks."""
        faces = self.context.output("face_analysis")
        face = "" if faces is None else _face_model(faces)
        return {kind.name: self._model if kind.name == "appearance" else face for kind in kinds}

    def _cuts(self) -> list[float]:
        result = self.context.output("scene_detection")
        if result is None:
            return []
        return [float(start) for start in result.tables["shots"].start if start > self.context.span.start]

    def _size(self) -> tuple[int, int]:
        video = self.context.media.video
        if video is None:
            raise PlanError("person_identity was asked about a file without pictures")
        return video.width, video.height

    def _say(self, found: Solved) -> None:
        for kind, gauge in found.gauges.items():
            how = "measured here" if gauge.measured else "published threshold; too little was seen to measure"
            self.context.notice(
                f"likeness by {kind}: one person {gauge.same:.2f}, two {gauge.other:.2f}, between pairs "
                f"+-{gauge.spread:.2f} ({how})"
            )


def _face_model(faces: PipelineResult) -> str:
    """SHA-256 of the network that gave the embeddings: face_analysis asks for its detector first, for that one last."""
    return faces.models[-1].sha256 if faces.models else ""


def rows_at(tracks: Tracks, group: NDArray[np.intp], time: NDArray[np.float64]) -> NDArray[np.intp]:
    """The row of each track (``group``) that is nearest to a time."""
    bounds, rows = tracks.bounds, np.empty(len(group), dtype=np.intp)
    for i, (track, moment) in enumerate(zip(group.tolist(), time.tolist(), strict=True)):
        begin, end = bounds[track], bounds[track + 1]
        after = int(np.searchsorted(tracks.time[begin:end], moment))
        near = [row for row in (begin + after - 1, begin + after) if begin <= row < end]
        rows[i] = min(near, key=lambda row: abs(tracks.time[row] - moment))
    return rows
