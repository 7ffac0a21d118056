"""``person_tracking``: detections of every frame, tied to tracks."""

from __future__ import annotations

from typing import Any

import numpy as np

from videoannotator import Detection, FrameBatch, MediaInfo, Pipeline, Table
from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detector
from videoannotator_person_tracking.tracker import ByteTrack, NoTracker, Tracker, frames_lost

__all__ = ["PersonTracking"]


class PersonTracking(Pipeline[PersonTrackingConfig]):
    """One `Detection` per person and frame, ordered by frame; within a frame in the tracker's order.

    The rows are those of ultralytics' ``track(..., tracker="bytetrack.yaml")`` on the same frames: see `ByteTrack`
    for what makes a row, and for when ``track`` is None.
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
        self._tracker: Tracker = NoTracker()
        if config.tracker == "bytetrack":
            lost = frames_lost(config, _rate(self.context.media))
            self._tracker = ByteTrack(config, lost, untracked=config.untracked)

    def begin(self) -> None:
        """Nobody is followed from one stretch of time into the next; ids are not used twice."""
        self._tracker.forget()

    def state(self) -> bytes | None:
        """The tracks. The detector remembers nothing."""
        return self._tracker.state()

    def restore(self, state: bytes) -> None:
        """Follow on from there."""
        self._tracker.restore(state)

    def process(self, batch: FrameBatch) -> Table[Detection]:
        """Detect in the whole batch at once, then track frame by frame."""
        frames = [self._tracker.update(found) for found in self._detector.detect(batch.pixels)]
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
        return Table.of(Detection, **columns)

    def close(self) -> None:
        """Let go of the network."""
        self.__dict__.pop("_detector", None)
        self.__dict__.pop("_tracker", None)


def _rate(media: MediaInfo) -> float | None:
    """Frames per second of the file, over all of it; None for fewer than two frames."""
    if media.video is None or len(media.video.clock) < 2:
        return None
    times = media.video.clock.times
    return float((len(times) - 1) / (times[-1] - times[0]))
