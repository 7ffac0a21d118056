"""``person_tracking``, backend ``rtmlib``: detect, follow, then look for keypoints in what is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Detection, FrameBatch, MediaInfo, Pipeline, Table
from videoannotator.data.rows import Track
from videoannotator_person_tracking_rtm.config import PersonTrackingRTMConfig
from videoannotator_person_tracking_rtm.detecting import SIDES, Detector, Persons, family_of
from videoannotator_person_tracking_rtm.following import Follower
from videoannotator_person_tracking_rtm.posing import Pose
from videoannotator_person_tracking_rtm.session import Network

__all__ = ["PersonTrackingRTM"]

_LABEL = "person"


class PersonTrackingRTM(Pipeline[PersonTrackingRTMConfig]):
    """One `Detection` per person and frame, ordered by frame, best first within one; and one `Track` per track.

    Boxes end at the borders of the picture, keypoints may lie outside. Keypoints are looked for in the rows that are
    given, not in weak detections that only help to follow somebody.
    """

    def setup(self) -> None:
        """Load both networks, or take those that are loaded. Raises `ModelError`."""
        config, context = self.config, self.context

        def load(name: str) -> tuple[Network, str]:
            file = context.model(name)
            network = context.load(
                name,
                lambda found: Network(found.path, device=context.device, threads=context.threads),
                variant=context.threads,
            )
            return network, file.name

        network, name = load(config.weights)
        family = family_of(config.family, name)
        settings: dict[str, Any] = {"side": config.detector_size, "conf": config.least_score, "iou": config.iou}
        if config.weights in SIDES:
            settings["usual"] = SIDES[config.weights]
        self._detector = Detector(network, family, **settings)
        self._pose: Pose | None = None
        if config.pose is not None:
            self._pose = Pose(load(config.pose)[0], swap=config.pose_color == "rgb")
        self._follower: Follower | None = None
        if config.tracker == "bytetrack":
            self._follower = Follower(config, config.rate or _rate(context.media))

    def begin(self) -> None:
        """Nobody is followed from one stretch of time into the next; ids are not used twice."""
        if self._follower is not None:
            self._follower.forget()

    def state(self) -> bytes | None:
        """The tracks. The networks remember nothing."""
        return None if self._follower is None else self._follower.state()

    def restore(self, state: bytes) -> None:
        """Follow on from there."""
        if self._follower is not None:
            self._follower.restore(state)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """Detect in the whole batch at once, follow frame by frame, then find keypoints of the whole batch at once."""
        pictures = list(batch.pixels)
        height, width = batch.pixels.shape[1:3]
        found = [_inside(one, height, width) for one in self._detector.network.map(self._detector, pictures)]
        ids, over = [], []
        for number, persons in enumerate(found):
            given, tracks = self._follow(persons, int(batch.frame[number]), float(batch.time[number]))
            keep = np.argsort(-persons.scores, kind="stable")
            keep = keep[self._wanted(persons.scores[keep], given[keep])]
            found[number] = Persons(persons.boxes[keep], persons.scores[keep])
            ids.append(given[keep])
            over.append(tracks)
        return {"detections": self._rows(batch, found, ids), "tracks": Table.concat(over)}

    def finish(self) -> dict[str, Table[Any]]:
        """The tracks that were there to the end."""
        return {"tracks": Table.empty(Track) if self._follower is None else self._follower.rest()}

    def close(self) -> None:
        """Let go of the networks."""
        for name in ("_detector", "_pose", "_follower"):
            self.__dict__.pop(name, None)

    def _follow(self, persons: Persons, frame: int, time: float) -> tuple[NDArray[np.int64], Table[Track]]:
        if self._follower is None:
            return np.zeros(len(persons.boxes), dtype=np.int64), Table.empty(Track)
        return self._follower.update(persons.boxes, persons.scores, frame, time)

    def _wanted(self, scores: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which detections become rows."""
        if self._follower is None:
            return np.ones(len(scores), dtype=bool)
        return (ids > 0) | (self.config.untracked & (scores >= self.config.new_track_thresh))

    def _rows(self, batch: FrameBatch, found: list[Persons], ids: list[NDArray[np.int64]]) -> Table[Detection]:
        counts = [len(persons.boxes) for persons in found]
        if not sum(counts):
            return Table.empty(Detection)
        x, y = batch.scale
        height, width = batch.pixels.shape[1:3]
        unclipped = np.concatenate([persons.boxes for persons in found])
        boxes = np.clip(unclipped, 0, [width, height, width, height]) * np.array([x, y, x, y], dtype=np.float32)
        track = np.concatenate(ids)
        columns: dict[str, Any] = {
            "frame": np.repeat(batch.frame, counts),
            "time": np.repeat(batch.time, counts),
            "label": [_LABEL] * len(boxes),
            "score": np.minimum(np.concatenate([persons.scores for persons in found]), 1.0),
            **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
            "track": np.ma.MaskedArray(track, mask=track == 0),  # ids count from 1
        }
        if self._pose is not None:
            pose, which = self._pose, np.repeat(np.arange(len(counts)), counts)
            points = pose.network.map(lambda n: pose(batch.pixels[which[n]], unclipped[n]), range(len(boxes)))
            columns["keypoints"] = np.stack(points) * np.array([x, y, 1.0], dtype=np.float32)
        return Table.of(Detection, **columns)


def _inside(persons: Persons, height: int, width: int) -> Persons:
    """Those of which something lies in the picture, and not only beside it."""
    x1, y1, x2, y2 = np.clip(persons.boxes, 0, [width, height, width, height]).T
    there = (x2 > x1) & (y2 > y1)
    return Persons(persons.boxes[there], persons.scores[there])


def _rate(media: MediaInfo) -> float | None:
    """Frames per second of the file, over all of it; None for fewer than two frames."""
    if media.video is None or len(media.video.clock) < 2:
        return None
    times = media.video.clock.times
    return float((len(times) - 1) / (times[-1] - times[0]))
