"""Which pictures of a face become vectors, and which tracks show the same face.

Pure NumPy; the network is somebody else's.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_face_analysis.embedding import units

__all__ = ["Gallery", "Likeness", "Shown", "clustered", "overlapping"]


@attrs.define(eq=False)
class Shown:
    """The best picture of a track so far in its window: ``face`` until it is a ``vector``."""

    track: int
    frame: int
    time: float
    quality: float
    face: NDArray[np.uint8] | None
    vector: NDArray[np.float32] | None = None


@attrs.define(eq=False)
class _Seen:
    """What is known of a track: the stretches of looks in which it was seen, its vectors' sum and number."""

    looks: list[tuple[int, int]]
    total: NDArray[np.float64] | None = None
    count: int = 0


@attrs.frozen(eq=False)
class Likeness:
    """Clusters of tracks. ``tracks``, ``clusters``, ``counts``: int (N,), ``clusters`` from 0 on, in the order of the
    first track of each; ``similarity``: float (N,), mean cosine of the track's vectors with the others' of its cluster,
    NaN for one that is alone.
    """

    tracks: NDArray[np.int64]
    clusters: NDArray[np.int64]
    similarity: NDArray[np.float64]
    counts: NDArray[np.int64]


class Gallery:
    """Chooses pictures of faces, and remembers what their vectors say of the tracks.

    ``every``: length of a window, in seconds; windows begin at 0. Of every track the best picture in each window is
    embedded.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self.forget()

    def forget(self) -> None:
        """A new stretch of time begins."""
        self._window = 0
        self._look = 0
        self._best: dict[int, Shown] = {}
        self._closed: list[Shown] = []
        self._seen: dict[int, _Seen] = {}

    def state(self) -> Any:
        """What it remembers, between batches: no picture is waiting then."""
        best = [attrs.evolve(shown) for shown in self._best.values()]
        seen = {track: attrs.evolve(one, looks=list(one.looks)) for track, one in self._seen.items()}
        return self._window, self._look, best, seen

    def restore(self, state: Any) -> None:
        """Take that back."""
        self._window, self._look, best, seen = state
        self._best = {shown.track: attrs.evolve(shown) for shown in best}
        self._seen = {track: attrs.evolve(one, looks=list(one.looks)) for track, one in seen.items()}
        self._closed = []

    def look(self, time: float, tracks: list[int]) -> None:
        """The next picture is looked at, and shows these tracks."""
        window = math.floor(time / self._every)
        if window != self._window:
            self._close()
            self._window = window
        self._look += 1
        for track in tracks:
            seen = self._seen.setdefault(track, _Seen([(self._look, self._look)]))
            first, last = seen.looks[-1]
            if last == self._look - 1:
                seen.looks[-1] = first, self._look
            elif last != self._look:
                seen.looks.append((self._look, self._look))

    def better(self, track: int, quality: float) -> bool:
        """True when a picture of this quality would be the track's best in the window."""
        best = self._best.get(track)
        return best is None or quality > best.quality

    def show(self, shown: Shown) -> None:
        """The best picture of its track in the window."""
        self._best[shown.track] = shown

    def waiting(self) -> list[Shown]:
        """Pictures without a vector that count: those of closed windows, and the best of the open one."""
        return [shown for shown in (*self._closed, *self._best.values()) if shown.vector is None]

    def closed(self, *, all_of_them: bool = False) -> list[Shown]:
        """Takes out the best pictures of the windows that are over, by frame and track; all have their vectors."""
        if all_of_them:
            self._close()
        out, self._closed = self._closed, []
        for shown in out:
            assert shown.vector is not None  # noqa: S101 - whoever shows pictures embeds those that wait
            (unit,) = units(shown.vector[None])
            seen = self._seen[shown.track]
            seen.total = unit if seen.total is None else seen.total + unit
            seen.count += 1
        return out

    def _close(self) -> None:
        self._closed += sorted(self._best.values(), key=lambda shown: (shown.frame, shown.track))
        self._best = {}

    def clusters(self, same_face: float) -> Likeness:
        """Tracks of one face, among those that have vectors. ``same_face``: see `clustered`."""
        known = {track: seen for track, seen in sorted(self._seen.items()) if seen.count}
        counts = np.array([seen.count for seen in known.values()], dtype=np.int64)
        totals = np.array([seen.total for seen in known.values()], dtype=np.float64)
        apart = overlapping([seen.looks for seen in known.values()])
        groups, similarity = clustered(totals, counts, apart, same_face)
        return Likeness(np.array(list(known), dtype=np.int64), groups, similarity, counts)


def overlapping(looks: list[list[tuple[int, int]]]) -> NDArray[np.bool_]:
    """Which tracks are seen in one picture: bool (N, N). ``looks``: first and last look of every stretch of each."""
    count = len(looks)
    apart = np.zeros((count, count), dtype=bool)
    # at every look where a stretch begins it meets those that are open
    events = sorted((first, last, track) for track, stretches in enumerate(looks) for first, last in stretches)
    open_until: dict[int, int] = {}
    for first, last, track in events:
        open_until = {other: until for other, until in open_until.items() if until >= first}
        others = [other for other in open_until if other != track]
        apart[track, others] = apart[others, track] = True
        open_until[track] = last
    return apart


def clustered(
    totals: NDArray[np.float64], counts: NDArray[np.int64], apart: NDArray[np.bool_], same_face: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Groups of tracks: agglomerative, average linkage of cosines, with pairs that must not meet.

    The two groups whose vectors have the highest mean cosine are joined, as long as it is ``same_face`` or more and no
    member of one was seen in a picture together with a member of the other (constrained agglomeration, Davidson & Ravi,
    PKDD 2005). Nothing has to be joined: who resembles nobody stays alone.

    ``totals``: (N, D), sum of each track's vectors, each one long. ``counts``: (N,), how many. ``apart``: bool (N, N).
    Gives the number of the group of each track, from 0 in the order of first members, and the mean cosine of the
    track's vectors with those of the rest of its group (NaN for one alone).
    """
    count = len(counts)
    members = [[n] for n in range(count)]
    sums, sizes, blocked = totals.copy(), counts.astype(np.float64), apart.copy()
    np.fill_diagonal(blocked, True)
    similar = np.full((count, count), -np.inf)
    if count:
        similar = np.where(blocked, -np.inf, (sums @ sums.T) / np.outer(sizes, sizes))
    nearest = similar.argmax(axis=1) if count else np.empty(0, dtype=np.intp)
    highest = similar[np.arange(count), nearest]
    while count and highest.max() >= same_face:
        one = int(highest.argmax())
        one, other = sorted((one, int(nearest[one])))
        members[one] += members[other]
        members[other] = []
        sums[one] += sums[other]
        sizes[one] += sizes[other]
        blocked[one] |= blocked[other]
        blocked[:, one] = blocked[one]
        blocked[other], blocked[:, other] = True, True
        row = np.where(blocked[one], -np.inf, (sums @ sums[one]) / (sizes * sizes[one]))
        similar[one], similar[:, one] = row, row
        similar[other], similar[:, other] = -np.inf, -np.inf
        # only those whose nearest was one of the two have to look again; the others may have found a nearer one
        again = np.flatnonzero((nearest == one) | (nearest == other))
        again = np.union1d(again, [one, other])
        nearest[again] = similar[again].argmax(axis=1)
        highest[again] = similar[again, nearest[again]]
        nearer = row > highest
        nearest[nearer], highest[nearer] = one, row[nearer]
    groups, rest = np.zeros(count, dtype=np.int64), np.full(count, np.nan)
    for number, group in enumerate(sorted(members_ for members_ in members if members_)):
        whole, size = totals[group].sum(axis=0), counts[group].sum()
        for track in group:
            groups[track] = number
            if len(group) > 1:
                others = whole - totals[track]
                cosine = totals[track] @ others / (counts[track] * (size - counts[track]))
                rest[track] = np.clip(cosine, -1, 1)
    return groups, rest
