"""Who is who from frame to frame: Roboflow's ByteTrack, and what is known of its tracks."""

from __future__ import annotations

import pickle

import attrs
import numpy as np
import supervision as sv
from numpy.typing import NDArray
from trackers import ByteTrackTracker

from videoannotator import Table
from videoannotator.data.rows import Gap, Track
from videoannotator_person_tracking_rtm.config import PersonTrackingRTMConfig

__all__ = ["Follower"]

_LABEL = "person"
_RATE = 30.0  # frames per second where the file does not tell; nothing moves in one frame


@attrs.define
class _Life:
    """A track so far. ``look``: the number of the frame looked at in which it was seen last."""

    start: float
    start_frame: int
    end: float
    end_frame: int
    look: int
    frames: int = 0
    scores: float = 0.0
    gaps: list[tuple[float, float]] = attrs.field(factory=list)


class Follower:
    """Gives track ids to detections, frame by frame, and tells of each track when it is over.

    ByteTrack (https://arxiv.org/abs/2110.06864) as ``trackers`` 2.6 has it (Apache-2.0). It is told the times of the
    frames, so that what may be lost for a second may be so at any rate, and at a rate that varies. ``rate``: frames
    looked at per second on average, None where there is one frame at most.
    """

    def __init__(self, config: PersonTrackingRTMConfig, rate: float | None) -> None:
        self._config, self._rate = config, rate or _RATE
        self._given = 0  # ids of stretches of time that are over
        self.forget()

    def forget(self) -> None:
        """A new stretch of time begins. Ids go on."""
        config = self._config
        self._last = self._given
        self._tracker = ByteTrackTracker(
            frame_rate=self._rate,
            track_activation_threshold=config.new_track_thresh,
            high_conf_det_threshold=config.track_high_thresh,
            minimum_iou_threshold=config.match_iou,
            minimum_consecutive_frames=config.confirm_after,
        )
        self._tracker.maximum_time_without_update = config.lost_after  # the constructor takes whole thirtieths only
        self._lives: dict[int, _Life] = {}
        self._looks = 0

    def update(
        self, boxes: NDArray[np.float32], scores: NDArray[np.float32], frame: int, time: float
    ) -> tuple[NDArray[np.int64], Table[Track]]:
        """The ids, int64 (N,), of the detections of the next frame, 0 for none; and the tracks that are over."""
        self._looks += 1
        found = sv.Detections(xyxy=boxes, confidence=scores, data={"place": np.arange(len(boxes))})
        told = self._tracker.update(found, timestamp=time)
        ids: NDArray[np.int64] = np.zeros(len(boxes), dtype=np.int64)
        if len(told) and told.tracker_id is not None:
            ids[np.asarray(told.data["place"])] = np.where(told.tracker_id < 0, 0, told.tracker_id + 1 + self._last)
        for track, score in sorted(zip(ids.tolist(), scores.tolist(), strict=True)):
            if track:
                self._seen(track, frame, time, score)
        alive = {one.tracker_id + 1 + self._last for one in self._tracker.tracks}
        return ids, self._out(sorted(self._lives.keys() - alive))

    def rest(self) -> Table[Track]:
        """The tracks that are left when the stretch of time ends."""
        return self._out(sorted(self._lives))

    def state(self) -> bytes:
        """All that it remembers."""
        return pickle.dumps((self._tracker, self._lives, self._looks, self._last, self._given))

    def restore(self, state: bytes) -> None:
        """Take that back."""
        self._tracker, self._lives, self._looks, self._last, self._given = pickle.loads(state)  # noqa: S301 - our own, from `state`

    def _seen(self, track: int, frame: int, time: float, score: float) -> None:
        self._given = max(self._given, track)
        life = self._lives.get(track)
        if life is None:
            life = self._lives[track] = _Life(time, frame, time, frame, self._looks)
        elif life.look < self._looks - 1:
            life.gaps.append((life.end, time))
        life.end, life.end_frame, life.look = time, frame, self._looks
        life.frames += 1
        life.scores += score

    def _out(self, tracks: list[int]) -> Table[Track]:
        return Table.from_rows(Track, [_row(track, self._lives.pop(track)) for track in tracks])


def _row(track: int, life: _Life) -> Track:
    return Track(
        track=track,
        label=_LABEL,
        start=life.start,
        end=life.end,
        start_frame=life.start_frame,
        end_frame=life.end_frame,
        frames=life.frames,
        gaps=tuple(Gap(start, end) for start, end in life.gaps),
        score=min(1.0, life.scores / life.frames),
    )
