"""Who is who from frame to frame: ultralytics' own ByteTrack, fed with our detections.

ByteTrack: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022,
https://arxiv.org/abs/2110.06864.
"""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detections
from videoannotator_person_tracking.guard import quiet

__all__ = ["ByteTrack", "NoTracker", "Tracked", "Tracker", "frames_lost"]

ULTRALYTICS_TRACK_BUFFER = 30
"""Frames a lost track is kept in ultralytics' ``bytetrack.yaml``."""


@attrs.frozen(eq=False)
class Tracked:
    """The rows of one frame.

    ``boxes``: float32 (N, 4), x1, y1, x2, y2. ``score``: float32 (N,). ``label``: int64 (N,), number of the class.
    ``track``: int64 (N,), from 1 on, or None when nothing is tracked in this frame.
    ``keypoints``: float32 (N, K, 3) or None.
    """

    boxes: NDArray[np.float32]
    score: NDArray[np.float32]
    label: NDArray[np.int64]
    track: NDArray[np.int64] | None
    keypoints: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.boxes)


class Tracker(Protocol):
    """What turns the detections of one frame after the other into rows."""

    def update(self, found: Detections) -> Tracked:
        """The rows of the next frame."""
        ...

    def forget(self) -> None:
        """What comes next does not follow what was seen. Ids that were given are not given again."""
        ...

    def state(self) -> bytes | None:
        """What it remembers; None for nothing."""
        ...

    def restore(self, state: bytes) -> None:
        """Take that back."""
        ...


def _untracked(found: Detections) -> Tracked:
    boxes = found.boxes
    return Tracked(boxes[:, :4], boxes[:, 4], boxes[:, 5].astype(np.int64), None, found.keypoints)


class NoTracker:
    """Detections as they are."""

    def update(self, found: Detections) -> Tracked:
        """The detections, without track ids."""
        return _untracked(found)

    def forget(self) -> None:
        """Nothing to forget."""

    def state(self) -> bytes | None:
        """Nothing."""
        return None

    def restore(self, state: bytes) -> None:
        """Nothing to take back."""


class _Ids:
    """Numbers from 1 on. Unlike the iterator it stands for, it can be pickled together with the tracks that use it."""

    def __init__(self) -> None:
        self._last = 0

    def __next__(self) -> int:
        self._last += 1
        return self._last


class ByteTrack:
    """ByteTrack, as ``YOLO.track(..., tracker="bytetrack.yaml")`` runs it.

    A row is a confirmed track that a detection of this frame was matched to; its box is the tracker's (filtered)
    box, its score, class and keypoints are the detection's. Ids begin at 1 for every `ByteTrack`. A track that
    begins after the first frame is confirmed, and gives rows, from its second frame on. In a frame where no
    track is confirmed or waiting for that, ultralytics gives the detections themselves, which are weak ones then,
    without an id; so does this, unless ``untracked`` is False.
    """

    def __init__(self, config: PersonTrackingConfig, lost_frames: int, *, untracked: bool = True) -> None:
        from ultralytics.trackers.byte_tracker import BYTETracker

        self._tracker = BYTETracker(
            SimpleNamespace(
                track_high_thresh=config.track_high_thresh,
                track_low_thresh=config.track_low_thresh,
                new_track_thresh=config.new_track_thresh,
                match_thresh=config.match_thresh,
                fuse_score=config.fuse_score,
                track_buffer=lost_frames,
            )
        )
        self._tracker._ids = _Ids()
        self._untracked = untracked

    def forget(self) -> None:
        """Give up all tracks; the next one has the next id."""
        ids = self._tracker._ids
        self._tracker.reset()
        self._tracker._ids = ids

    def state(self) -> bytes:
        """Tracks with their filters, the number of the frame, the last id."""
        tracker = self._tracker
        lost = {track.track_id for track in tracker.lost_stracks}
        # of the tracks it gave up (up to 1000) it asks only whether one is still on the list of the lost
        removed = [track for track in tracker.removed_stracks if track.track_id in lost]
        return pickle.dumps({**vars(tracker), "removed_stracks": removed, "removed_stracks_frame": []})

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        vars(self._tracker).update(pickle.loads(state))  # noqa: S301 - our own, from `state`

    def update(self, found: Detections) -> Tracked:
        """The rows of the next frame: what `on_predict_postprocess_end` of ultralytics' trackers makes of it."""
        from ultralytics.engine.results import Boxes
        from ultralytics.utils import ops

        with quiet():
            tracks = self._tracker.update(Boxes(found.boxes, found.shape))
        if len(tracks) == 0:
            waiting = any(not track.is_activated for track in self._tracker.tracked_stracks)
            rows = _untracked(found)
            return _nothing(rows) if waiting or not self._untracked else rows
        index = tracks[:, -1].astype(np.int64)
        return Tracked(
            boxes=ops.clip_boxes(tracks[:, :4].copy(), found.shape),
            score=tracks[:, 5],
            label=tracks[:, 6].astype(np.int64),
            track=tracks[:, 4].astype(np.int64),
            keypoints=None if found.keypoints is None else found.keypoints[index],
        )


def _nothing(rows: Tracked) -> Tracked:
    keypoints = None if rows.keypoints is None else rows.keypoints[:0]
    return Tracked(rows.boxes[:0], rows.score[:0], rows.label[:0], None, keypoints)


def frames_lost(config: PersonTrackingConfig, file_rate: float | None) -> int:
    """For how many looks at the picture a lost track is kept, at least 1.

    ``file_rate``: frames per second of the file, None for a single picture. ByteTrack counts frames; `lost_after`
    and the default (30 frames of the file) are times, so a lower `rate` needs fewer. At the file's own rate the
    default is ultralytics' 30 frames exactly.
    """
    if file_rate is None:
        return ULTRALYTICS_TRACK_BUFFER
    looks = file_rate if config.rate is None else min(config.rate, file_rate)
    seconds = config.lost_after if config.lost_after is not None else ULTRALYTICS_TRACK_BUFFER / file_rate
    return max(1, round(seconds * looks))
