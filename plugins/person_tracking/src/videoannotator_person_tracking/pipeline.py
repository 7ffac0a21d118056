"""``person_tracking``: detections of every frame, tied to tracks."""

from __future__ import annotations

from typing import Any

import numpy as np

from videoannotator import Detection, FrameBatch, MediaInfo, Pipeline, Table
from videoannotator.discover.models import ModelFile
from videoannotator.errors import MissingDependencyError
from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detector
from videoannotator_person_tracking.masks import resized
from videoannotator_person_tracking.tracker import Follower, Looks, NoTracker, Tracked, Tracker, frames_lost
from videoannotator_person_tracking.tracks import TrackBook

__all__ = ["PersonTracking"]


class PersonTracking(Pipeline[PersonTrackingConfig]):
    """``detections``: one `Detection` per person and frame, ordered by frame; within a frame in the tracker's order.

    With the default settings they are those of ultralytics' ``track(..., tracker="bytetrack.yaml")`` on the same
    frames: see `Follower` for what makes a row, and for when ``track`` is None. Interpolated rows follow those of the
    frames in which their gaps end. ``tracks``: one `Track` for each, in the order in which they end.
    """

    def setup(self) -> None:
        """Load the weights, or take those that are loaded. Raises what `Context.model` and `Detector` raise."""
        config, context = self.config, self.context
        settings: dict[str, Any] = {
            "conf": config.least_score,
            "iou": config.iou,
            "imgsz": config.imgsz,
            "classes": config.classes,
            "agnostic_nms": config.agnostic_nms,
            "max_det": config.max_det,
            "masks": config.masks,
            "trust": config.trust_weights,
            "threads": context.threads,
            "fast": context.precision == "fast",
            "dtypes": context.dtypes,
        }
        self._detector = context.load(
            config.weights,
            lambda file: Detector(file.path, device=context.device, **settings),
            variant=tuple(settings.items()),
        )
        context.dtype = self._detector.dtype
        video = context.media.video
        if settings["fast"] and video is not None:
            context.notice(self._detector.habit(video.height, video.width))
        lost = frames_lost(config, _rate(self.context.media))
        self._tracker: Tracker = NoTracker()
        if config.tracker != "none":
            self._tracker = Follower(config, lost, self._looks())
        self._book = TrackBook(lost, config.interpolate)

    def _looks(self) -> Looks | None:
        if self.config.reid is None:
            return None
        context = self.context
        try:
            from videoannotator_person_identity.appearance import Appearance
        except ImportError as error:
            raise MissingDependencyError(
                f"person_tracking.reid needs {error.name or error}; run: "
                "pip install 'videoannotator-person-tracking[appearance]'"
            ) from error

        def build(file: ModelFile) -> Looks:
            looks: Looks = Appearance(file.path, device=context.device, threads=context.threads)
            return looks

        return context.load(self.config.reid, build, variant=("appearance", context.threads), concurrent=True)

    def begin(self) -> None:
        """Nobody is followed from one stretch of time into the next; ids are not used twice."""
        self._tracker.forget()
        self._book.forget()

    def state(self) -> tuple[bytes | None, bytes]:
        """The tracks. The detector remembers nothing."""
        return self._tracker.state(), self._book.state()

    def restore(self, state: tuple[bytes | None, bytes]) -> None:
        """Follow on from there."""
        tracker, book = state
        if tracker is not None:
            self._tracker.restore(tracker)
        self._book.restore(book)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """Follow frame by frame, while the network is at work on the frames that come."""
        found = self._detector.each(batch.pixels)
        frames = [self._tracker.update(one, picture) for one, picture in zip(found, batch.pixels, strict=True)]
        rows = self._rows(batch, frames)
        between = self._book.add(rows, batch.frame.tolist(), batch.time.tolist())
        return {"detections": Table.concat([rows, between]) if len(between) else rows, "tracks": self._book.ended()}

    def finish(self) -> dict[str, Table[Any]]:
        """The tracks that have not ended before the stretch does."""
        return {"tracks": self._book.rest()}

    def _rows(self, batch: FrameBatch, frames: list[Tracked]) -> Table[Detection]:
        counts = [len(rows) for rows in frames]
        if not sum(counts):
            return Table.empty(Detection)
        x, y = batch.scale
        boxes = np.concatenate([rows.boxes for rows in frames]) * np.array([x, y, x, y], dtype=np.float32)
        ids = np.concatenate([np.zeros(len(rows), np.int64) if rows.track is None else rows.track for rows in frames])
        columns: dict[str, Any] = {
            "frame": np.repeat(batch.frame, counts),
            "time": np.repeat(batch.time, counts),
            "label": [self._detector.names[n] for rows in frames for n in rows.label.tolist()],
            # a quantized network may say a hair more than 1
            "score": np.minimum(np.concatenate([rows.score for rows in frames]), 1.0),
            **{name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
            "track": np.ma.MaskedArray(ids, mask=ids == 0),  # ids count from 1
        }
        if self._detector.task == "pose":
            keypoints = np.concatenate([rows.keypoints for rows in frames if rows.keypoints is not None])
            columns["keypoints"] = keypoints * np.array([x, y, 1.0], dtype=np.float32)
        if self.config.masks:
            masks = [mask for rows in frames for mask in rows.masks or ()]
            columns["mask"] = resized(masks, batch.pixels.shape[1:3], (batch.source_height, batch.source_width))
        return Table.of(Detection, **columns)

    def close(self) -> None:
        """Let go of the networks."""
        for name in ("_detector", "_tracker", "_book"):
            self.__dict__.pop(name, None)


def _rate(media: MediaInfo) -> float | None:
    """Frames per second of the file, over all of it; None for fewer than two frames."""
    if media.video is None or len(media.video.clock) < 2:
        return None
    times = media.video.clock.times
    return float((len(times) - 1) / (times[-1] - times[0]))
