"""Who is who from frame to frame: ultralytics' own trackers, and one built on them, fed with our detections.

ByteTrack: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022,
https://arxiv.org/abs/2110.06864. BoT-SORT: Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian Tracking",
https://arxiv.org/abs/2206.14651. C-BIoU: see `buffered`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_person_tracking.buffered import buffered_tracker
from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detections
from videoannotator_person_tracking.guard import quiet

__all__ = ["Follower", "Looks", "NoTracker", "Tracked", "Tracker", "frames_lost"]

ULTRALYTICS_TRACK_BUFFER = 30
"""Frames a lost track is kept in ultralytics' ``bytetrack.yaml`` and ``botsort.yaml``."""

Looks = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]
"""What persons look like: from a picture, uint8 (H, W, 3), red first, and boxes (N, 4), vectors (N, D) of length 1."""


@attrs.frozen(eq=False)
class Tracked:
    """The rows of one frame.

    ``boxes``: float32 (N, 4), x1, y1, x2, y2. ``score``: float32 (N,). ``label``: int64 (N,), number of the class.
    ``track``: int64 (N,), from 1 on, or None when nothing is tracked in this frame.
    ``keypoints``: float32 (N, K, 3) or None. ``masks``: N run lengths, or None.
    """

    boxes: NDArray[np.float32]
    score: NDArray[np.float32]
    label: NDArray[np.int64]
    track: NDArray[np.int64] | None
    keypoints: NDArray[np.float32] | None
    masks: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.boxes)


class Tracker(Protocol):
    """What turns the detections of one frame after the other into rows."""

    def update(self, found: Detections, picture: NDArray[np.uint8] | None = None) -> Tracked:
        """The rows of the next frame; ``picture``: the frame, uint8 (H, W, 3), blue first."""
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
    return Tracked(boxes[:, :4], boxes[:, 4], boxes[:, 5].astype(np.int64), None, found.keypoints, found.masks)


class NoTracker:
    """Detections as they are."""

    def update(self, found: Detections, picture: NDArray[np.uint8] | None = None) -> Tracked:
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


class Follower:
    """A tracker of ultralytics, as ``YOLO.track(..., tracker="bytetrack.yaml")`` runs it, or `buffered_tracker`.

    A row is a confirmed track that a detection of this frame was matched to; its box is the tracker's (filtered)
    box, its score, class, keypoints and mask are the detection's. Ids begin at 1 for every `Follower`. A track that
    begins after the first frame is confirmed, and gives rows, from its second frame on. In a frame where no
    track is confirmed or waiting for that, ultralytics gives the detections themselves, which are weak ones then,
    without an id; so does this, unless the setting ``untracked`` is False.

    ``lost_frames``: looks at the picture for which a lost track is kept. ``looks``: gives vectors of what persons look
    like, for the trackers that heed it; ultralytics' appearance model takes its place in ultralytics' own.
    """

    def __init__(self, config: PersonTrackingConfig, lost_frames: int, looks: Looks | None = None) -> None:
        self._looks, self._camera = looks, config.sees_camera
        self._tracker = _class_of(config)(args=_arguments(config, lost_frames, with_reid=looks is not None))
        self._tracker._ids = _Ids()
        self._untracked = config.untracked

    def forget(self) -> None:
        """Give up all tracks; the next one has the next id."""
        ids = self._tracker._ids
        self._tracker.reset()
        self._tracker._ids = ids

    def state(self) -> bytes:
        """Tracks with their filters, the number of the frame, the last id; for camera motion the picture before."""
        tracker = self._tracker
        lost = {track.track_id for track in tracker.lost_stracks}
        # of the tracks it gave up (up to 1000) it asks only whether one is still on the list of the lost
        removed = [track for track in tracker.removed_stracks if track.track_id in lost]
        kept = {key: value for key, value in vars(tracker).items() if key != "encoder"}  # a function
        return pickle.dumps({**kept, "removed_stracks": removed, "removed_stracks_frame": []})

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        vars(self._tracker).update(pickle.loads(state))  # noqa: S301 - our own, from `state`

    def update(self, found: Detections, picture: NDArray[np.uint8] | None = None) -> Tracked:
        """The rows of the next frame: what `on_predict_postprocess_end` of ultralytics' trackers makes of it."""
        from ultralytics.engine.results import Boxes
        from ultralytics.utils import ops

        with quiet():
            seen: dict[str, Any] = {"img": picture if self._camera else None}
            if self._looks is not None and picture is not None:
                # a box that shows nothing has no looks; to ultralytics a vector of zeros says that
                seen["feats"] = np.nan_to_num(self._looks(picture[..., ::-1], found.boxes[:, :4]))
            tracks = self._tracker.update(Boxes(found.boxes, found.shape), **seen)
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
            masks=None if found.masks is None else tuple(found.masks[i] for i in index.tolist()),
        )


def _class_of(config: PersonTrackingConfig) -> type[Any]:
    from ultralytics.trackers.bot_sort import BOTSORT
    from ultralytics.trackers.byte_tracker import BYTETracker

    return {"bytetrack": BYTETracker, "botsort": BOTSORT}.get(config.tracker) or buffered_tracker()


def _arguments(config: PersonTrackingConfig, lost_frames: int, *, with_reid: bool) -> SimpleNamespace:
    """What stands in ultralytics' YAML files."""
    names = (
        *("track_high_thresh", "track_low_thresh", "new_track_thresh", "match_thresh", "fuse_score"),
        *("proximity_thresh", "appearance_thresh", "buffer_ratio_first", "buffer_ratio_second"),
    )
    return SimpleNamespace(
        **{name: getattr(config, name) for name in names},
        track_buffer=lost_frames,
        gmc_method="sparseOptFlow" if config.sees_camera else "none",
        with_reid=with_reid,
        model="auto",  # vectors come with the detections
    )


def _nothing(rows: Tracked) -> Tracked:
    keypoints = None if rows.keypoints is None else rows.keypoints[:0]
    masks = None if rows.masks is None else ()
    return Tracked(rows.boxes[:0], rows.score[:0], rows.label[:0], None, keypoints, masks)


def frames_lost(config: PersonTrackingConfig, file_rate: float | None) -> int:
    """For how many looks at the picture a lost track is kept, at least 1.

    ``file_rate``: frames per second of the file, None for a single picture. The trackers count frames; `lost_after`
    and the default (30 frames of the file) are times, so a lower `rate` needs fewer. At the file's own rate the
    default is ultralytics' 30 frames exactly.
    """
    if file_rate is None:
        return ULTRALYTICS_TRACK_BUFFER
    looks = file_rate if config.rate is None else min(config.rate, file_rate)
    seconds = config.lost_after if config.lost_after is not None else ULTRALYTICS_TRACK_BUFFER / file_rate
    return max(1, round(seconds * looks))
