"""C-BIoU: boxes are matched with room around them, so that a step that was not foreseen does not lose anybody.

F. Yang et al., "Hard To Track Objects With Irregular Motions and Similar Appearances? Make It Easier by Buffering the
Matching Space", WACV 2023, https://arxiv.org/abs/2211.14317. As in Roboflow's ``trackers`` (2.6, ``CBIoUTracker``,
Apache-2.0; the code here is not theirs), the paper's matching stands in BoT-SORT without its camera motion, and the two
buffers are 0.3 and 0.5 of a box's width and height.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["buffered_iou", "buffered_tracker"]


def buffered_iou(a: NDArray[np.float32], b: NDArray[np.float32], ratio: float) -> NDArray[np.float32]:
    """Intersection over union of boxes (N, 4) and (M, 4), each wider and higher by ``ratio`` of itself on either side.

    float32 (N, M). Boxes are x1, y1, x2, y2.
    """
    one, other = _with_room(a, ratio), _with_room(b, ratio)
    both = _overlap(one[:, 0::2], other[:, 0::2])
    both *= _overlap(one[:, 1::2], other[:, 1::2])
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - both
    share: NDArray[np.float32] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return share


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lengths that stretches (N, 2) and (M, 2) have in common, (N, M)."""
    common = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    return np.clip(common, 0, None, out=common)


def _with_room(boxes: NDArray[np.float32], ratio: float) -> NDArray[np.float32]:
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    room = (boxes[:, 2:] - boxes[:, :2]) * np.float32(ratio)
    return np.concatenate([boxes[:, :2] - room, boxes[:, 2:] + room], axis=1)


@cache
def buffered_tracker() -> type[Any]:
    """The tracker's class; ultralytics, which it is built on, is imported now and not before.

    Its settings are BoT-SORT's, and ``buffer_ratio_first`` and ``buffer_ratio_second``.
    """
    from ultralytics.trackers.basetrack import TrackState
    from ultralytics.trackers.bot_sort import BOTSORT
    from ultralytics.trackers.utils import matching

    class BufferedTracker(BOTSORT):  # type: ignore[misc]  # ships no types
        """Three rounds: sure detections with the small buffer, what is left of them with the large one, weak ones.

        Weak detections are matched with the large buffer to those who were seen in the frame before, as in ByteTrack.
        """

        def __init__(self, args: Any) -> None:
            super().__init__(args)
            self._ratio = float(args.buffer_ratio_first)

        def _costs(self, tracks: list[Any], detections: list[Any], *, fused: bool) -> Any:
            mine, theirs = (np.array([one.xyxy for one in side], np.float32) for side in (tracks, detections))
            costs = 1 - buffered_iou(mine, theirs, self._ratio)
            return matching.fuse_score(costs, detections) if fused else costs

        def get_dists(self, tracks: list[Any], detections: list[Any]) -> Any:
            """Costs of tracks and detections: 1 - buffered IoU, fused with the score; less where looks are alike."""
            costs = self._costs(tracks, detections, fused=self.args.fuse_score)
            if self.args.with_reid and self.encoder is not None:
                looks = matching.embedding_distance(tracks, detections) / 2.0
                looks[looks > 1 - self.appearance_thresh] = 1.0
                looks[self._costs(tracks, detections, fused=False) > 1 - self.proximity_thresh] = 1.0
                costs = np.minimum(costs, looks)
            return costs

        def _post_first_association(
            self, pool: list[Any], detections: list[Any], u_track: Any, u_detection: Any, activated: Any, refind: Any
        ) -> tuple[list[int], list[int]]:
            tracks, left = [pool[i] for i in u_track], [detections[i] for i in u_detection]
            self._ratio = self.args.buffer_ratio_second
            costs = self.get_dists(tracks, left)
            self._ratio = self.args.buffer_ratio_first
            matches, no_track, no_detection = matching.linear_assignment(costs, thresh=self.args.match_thresh)
            self._apply_matches(matches, tracks, left, activated, refind)
            return [u_track[i] for i in no_track], [u_detection[i] for i in no_detection]

        def _second_association(
            self, pool: list[Any], u_track: Any, weak: list[Any], activated: Any, refind: Any, lost: list[Any]
        ) -> None:
            tracks = [pool[i] for i in u_track if pool[i].state == TrackState.Tracked]
            self._ratio = self.args.buffer_ratio_second
            costs = self._costs(tracks, weak, fused=False)
            self._ratio = self.args.buffer_ratio_first
            matches, no_track, _ = matching.linear_assignment(costs, thresh=0.5)  # ByteTrack's own bound
            self._apply_matches(matches, tracks, weak, activated, refind)
            for i in no_track:
                tracks[i].mark_lost()
                lost.append(tracks[i])

    return BufferedTracker
