"""Looks gathered while the pictures pass: of each track and second one vector, better pictures counting more."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch
from videoannotator_person_identity.appearance import Appearance
from videoannotator_person_identity.likeness import Looks
from videoannotator_person_identity.tracks import Tracks

__all__ = ["Gathering"]

_SECOND = 1.0  # s: looks of so long are added up
_CROWDED = 0.01  # what a picture counts of somebody who is wholly hidden


@attrs.define(eq=False)
class Gathering:
    """Collects looks of tracks.

    A person hidden by another to a share h counts (1 - h)^2 as much as one in full view. ``crops``: most in one
    picture. ``smallest``: height in pixels of the picture handed over below which nobody is looked at.

    Kept in memory and state: 1 KB (half precision, for 512 numbers) for every track and second.
    """

    network: Appearance
    tracks: Tracks
    crops: int
    smallest: float
    done: dict[tuple[int, int], tuple[bytes, float, float, int]] = attrs.field(factory=dict)
    _order: NDArray[np.intp] = attrs.field(init=False)
    _frames: NDArray[np.int64] = attrs.field(init=False)
    _seen: dict[int, int] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._order = np.argsort(self.tracks.frame, kind="stable")
        self._frames = self.tracks.frame[self._order]
        for (track, _), kept in self.done.items():
            self._seen[track] = self._seen.get(track, 0) + kept[3]

    def look(self, batch: FrameBatch) -> None:
        """Take in what a batch shows."""
        scale = np.tile(np.array(batch.scale), 2)
        for frame, pixels in zip(batch.frame.tolist(), batch.pixels, strict=True):
            rows = self._rows(frame, float(scale[1]))
            vectors = self.network(pixels, self.tracks.box[rows] / scale)
            for row, vector in zip(rows.tolist(), vectors, strict=True):
                if np.isfinite(vector).all():
                    self._add(row, vector)

    def _rows(self, frame: int, scale: float) -> NDArray[np.intp]:
        low, high = np.searchsorted(self._frames, [frame, frame + 1])
        rows = self._order[low:high]
        box = self.tracks.box[rows]
        rows = rows[(box[:, 3] - box[:, 1]) / scale >= self.smallest]
        if len(rows) > self.crops:
            seen = np.array([self._seen.get(int(track), 0) for track in self.tracks.track[rows]])
            rows = rows[np.lexsort((self.tracks.hidden[rows], seen))[: self.crops]]
        return rows

    def _add(self, row: int, vector: NDArray[np.float32]) -> None:
        track, time = int(self.tracks.track[row]), float(self.tracks.time[row])
        key = track, int(time // _SECOND)
        weight = float((1 - self.tracks.hidden[row]) ** 2 + _CROWDED)
        total = vector.astype(np.float32) * np.float32(weight)
        moment, count = time * weight, 1
        if key in self.done:
            kept, so_far, when, many = self.done[key]
            total = total + np.frombuffer(kept, dtype=np.float16).astype(np.float32)
            weight, moment, count = weight + so_far, moment + when, count + many
        self.done[key] = total.astype(np.float16).tobytes(), weight, moment, count
        self._seen[track] = self._seen.get(track, 0) + 1

    def state(self) -> tuple[tuple[tuple[int, int], tuple[bytes, float, float, int]], ...]:
        """All that was seen; nothing in it is changed later."""
        return tuple(self.done.items())

    def looks(self) -> Looks:
        """What was seen, in order of track and time."""
        return looks_of(self.done, self.network.length)


def looks_of(done: Mapping[tuple[int, int], tuple[bytes, float, float, int]], length: int) -> Looks:
    """Sums by track and second as vectors of length 1; groups are tracks."""
    kept = sorted(done.items())
    vectors = np.array([np.frombuffer(piece[0], dtype=np.float16) for _, piece in kept], dtype=np.float64)
    vectors = vectors.reshape(-1, length)
    weights = np.array([piece[1] for _, piece in kept])
    return Looks(
        vector=vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12),
        weight=np.minimum(weights / np.maximum([piece[3] for _, piece in kept], 1), 1.0),
        time=np.array([piece[2] / piece[1] for _, piece in kept]),
        group=np.array([key[0] for key, _ in kept], dtype=np.intp),
    )
