"""Tracklets to persons: the best link first, nobody in two places, until no link is more likely than not.

Every link has a log-odds: what looks, faces and motion say of it (log-likelihood ratios, added), and how likely it was
before (in a track, the tracker's word; between tracks, one in as many persons as were seen at the same time; for one
who vanishes in the middle of the picture and one who soon appears there, even). Links of
groups are judged anew after each merge: looks by the mean likeness of all their looks (average linkage), motion where
the one follows the other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_person_identity.likeness import Gauge
from videoannotator_person_identity.motion import Motion
from videoannotator_person_identity.tracks import Tracks

__all__ = ["Evidence", "Group", "Joining", "Kind", "Tracklets", "joined"]

_TRUST = float(np.log(0.95 / 0.05))  # a tracker's word that a track goes on with the same person: right 19 times in 20
_MOST_OWN = 1.0  # place says little more for a track than its tracker, who went by place, has said
_MOST = 3.0  # place cannot speak louder for somebody: whoever crosses the way is in the same place
_SOON = 10.0  # s in which somebody who vanishes in the middle of the picture is waited for there
_PARTNERS = 64  # most links kept for each tracklet: crowds have millions


@attrs.frozen(eq=False)
class Kind:
    """One kind of looks (of bodies, of faces) of all tracklets.

    ``sums``: (tracklets, D), sums of vectors of length 1 in the space of the recording. ``counts``: how many.
    """

    name: str
    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    gauge: Gauge


@attrs.frozen(eq=False)
class Tracklets:
    """Stretches of tracks.

    ``begin``, ``end``: rows of ``tracks``, half-open. ``shot``: number of the shot each lies in. ``came``, ``left``: it
    begins, or ends, at the border of the picture.
    """

    tracks: Tracks
    begin: NDArray[np.intp]
    end: NDArray[np.intp]
    shot: NDArray[np.intp]
    came: NDArray[np.bool_]
    left: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.begin)

    @property
    def track(self) -> NDArray[np.intp]:
        """The track of each."""
        return self.tracks.track[self.begin]


@attrs.frozen
class Evidence:
    """What speaks for a link. ``odds``: log-odds, all together. Likenesses are mean dot products, None: none was seen.

    ``motion``: log-likelihood ratio of place and size, None across cuts of the film and where tracks say it.
    """

    odds: float
    motion: float | None
    likeness: dict[str, float]

    @property
    def score(self) -> float:
        """The odds as a probability."""
        return float(1 / (1 + np.exp(-self.odds)))


@attrs.define(eq=False)
class Group:
    """Tracklets of one person so far, in order of time."""

    members: list[int]
    sums: list[NDArray[np.float64]]
    counts: list[float]


@attrs.define(eq=False)
class Joining:
    """Judges links and makes persons of tracklets.

    ``prior``: log-odds that two tracklets of different tracks are one person's. ``threshold``: log-odds a link needs.
    """

    tracklets: Tracklets
    kinds: list[Kind]
    motion: Motion
    prior: float
    threshold: float
    start: NDArray[np.float64] = attrs.field(init=False)
    stop: NDArray[np.float64] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        tracks = self.tracklets.tracks
        self.start, self.stop = tracks.time[self.tracklets.begin], tracks.time[self.tracklets.end - 1]

    def group(self, members: list[int]) -> Group:
        """Tracklets taken together."""
        sums = [kind.sums[members].sum(axis=0) for kind in self.kinds]
        return Group(members, sums, [float(kind.counts[members].sum()) for kind in self.kinds])

    def followed(self, first: NDArray[np.intp], then: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Prior log-odds with motion, and motion alone (NaN: nothing to say), of tracklets that follow each other."""
        sets = self.tracklets
        last, next_ = sets.end[first] - 1, sets.begin[then]
        said = self.motion(sets.tracks, last, next_)
        said = np.where(sets.shot[first] == sets.shot[then], said, np.nan)
        told = ~np.isnan(said)
        own = (sets.track[first] == sets.track[then]) & told
        soon = (self.start[then] - self.stop[first] < _SOON) & ~sets.left[first] & ~sets.came[then] & told
        before = np.where(own, _TRUST, np.where(soon, np.maximum(self.prior, 0.0), self.prior))
        odds = before + np.where(told, np.minimum(said, np.where(own, _MOST_OWN, _MOST)), 0.0)
        return np.where(own, np.maximum(odds, 0.0), odds), np.where(own, np.nan, said)

    def looks(self, group: Group, other: Group) -> tuple[float, dict[str, float]]:
        """Log-likelihood ratio of all kinds of looks, and likeness by kind."""
        odds, likeness = 0.0, {}
        for i, kind in enumerate(self.kinds):
            fewer = min(group.counts[i], other.counts[i])
            if fewer > 0:
                alike = float(group.sums[i] @ other.sums[i]) / (group.counts[i] * other.counts[i])
                odds += float(kind.gauge(np.array(alike), np.array(fewer)))
                likeness[kind.name] = alike
        return odds, likeness

    def pairs(self) -> Iterable[tuple[int, int, float]]:
        """Tracklets that may be linked, with their log-odds: above the threshold, the best of each."""
        sets, count = self.tracklets, len(self.tracklets)
        order = np.argsort(self.start, kind="stable")
        labels = np.array(sets.tracks.labels, dtype=object)[sets.track] if count else np.zeros(0, dtype=object)
        for first in range(count):
            later = order[np.searchsorted(self.start[order], self.stop[first], side="right") :]
            later = later[labels[later] == labels[first]]
            if not len(later):
                continue
            odds, _ = self.followed(np.full(len(later), first), later)
            for kind in self.kinds:
                fewer = np.minimum(kind.counts[first], kind.counts[later])
                there = fewer > 0
                alike = kind.sums[later[there]] @ kind.sums[first] / (kind.counts[first] * kind.counts[later[there]])
                odds[there] += kind.gauge(alike, fewer[there])
            good = np.flatnonzero(odds > self.threshold)
            good = good[np.argsort(-odds[good], kind="stable")][:_PARTNERS]
            yield from ((first, int(later[i]), float(odds[i])) for i in good)

    def judged(self, group: Group, other: Group) -> tuple[int, int, Evidence] | None:
        """The evidence for joining two groups, and the tracklets between which it is closest; None: impossible."""
        follows = self._follows(group, other)
        if follows is None:
            return None
        first, then = follows
        odds, motion = self.followed(first, then)
        if not (odds > -np.inf).all():
            return None
        looks, likeness = self.looks(group, other)
        nearest = int(np.argmin(self.start[then] - self.stop[first]))
        said = None if np.isnan(motion[nearest]) else float(motion[nearest])
        # each following is told by the same prior: only the best of them counts it, the others add what they say
        total = float(odds.max() + np.minimum(np.delete(odds, np.argmax(odds)) - self.prior, 0).sum())
        return int(first[nearest]), int(then[nearest]), Evidence(total + looks, said, likeness)

    def _follows(self, group: Group, other: Group) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
        """Where tracklets of one group come right before or after those of the other; None: both at one time."""
        members = np.array(group.members + other.members)
        side = np.array([0] * len(group.members) + [1] * len(other.members))
        order = np.argsort(self.start[members], kind="stable")
        members, side = members[order], side[order]
        if (self.stop[members[:-1]] >= self.start[members[1:]]).any():
            return None
        turns = np.flatnonzero(side[:-1] != side[1:])
        return members[turns], members[turns + 1]


def joined(work: Joining) -> list[list[int]]:
    """Tracklets of each person, in order of time; persons in order of first appearance."""
    groups = {i: work.group([i]) for i in range(len(work.tracklets))}
    partners: dict[int, set[int]] = {i: set() for i in groups}
    heap: list[tuple[float, int, int]] = []
    for first, then, odds in work.pairs():
        heap.append((-odds, first, then))
        partners[first].add(then)
        partners[then].add(first)
    heapq.heapify(heap)
    fresh = len(work.tracklets)
    while heap:
        _, a, b = heapq.heappop(heap)
        if a not in groups or b not in groups:
            continue
        judged = work.judged(groups[a], groups[b])
        if judged is None or judged[2].odds <= work.threshold:
            partners[a].discard(b)
            partners[b].discard(a)
            continue
        groups[fresh] = _merged(groups.pop(a), groups.pop(b), work.start)
        partners[fresh] = (partners.pop(a) | partners.pop(b)) - {a, b}
        for other in sorted(partners[fresh]):
            partners[other] -= {a, b}
            again = work.judged(groups[fresh], groups[other])
            if again is not None and again[2].odds > work.threshold:
                partners[other].add(fresh)
                heapq.heappush(heap, (-again[2].odds, other, fresh))
            else:
                partners[fresh].discard(other)
        fresh += 1
    found = [group.members for group in groups.values()]
    return sorted(found, key=lambda members: (work.start[members[0]], members[0]))


def _merged(a: Group, b: Group, start: NDArray[np.float64]) -> Group:
    members = sorted(a.members + b.members, key=lambda i: (start[i], i))
    sums = [x + y for x, y in zip(a.sums, b.sums, strict=True)]
    return Group(members, sums, [x + y for x, y in zip(a.counts, b.counts, strict=True)])
