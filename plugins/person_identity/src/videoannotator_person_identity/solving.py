"""From tracks and looks to persons: cut, measure, join."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise

import attrs
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from videoannotator_person_identity.likeness import Gauge, Looks, Space, measured
from videoannotator_person_identity.linking import Evidence, Joining, Kind, Tracklets, joined
from videoannotator_person_identity.motion import Motion
from videoannotator_person_identity.tracklets import cut_rows, parted
from videoannotator_person_identity.tracks import Tracks

__all__ = ["Limits", "Seen", "Solved", "Stretch", "solved"]

_BORDER = 0.1  # body heights from the border at which somebody is at it
_AHEAD = 0.5  # s: whoever reaches the border within that time leaves
_AWAY = 1.0  # s: a shorter absence at the border is a missed detection
_ALGEBRA = threading.Lock()  # the number of its threads is the process's: two who set it at once would not restore it
_MOST_PAIRS = 3000  # of persons seen together, to measure likeness on


@attrs.frozen
class Limits:
    """Settings of a solution; see `PersonIdentityConfig`. ``odds``: log-odds a link needs."""

    odds: float
    speed: float
    reentry_is_new: bool


@attrs.frozen(eq=False)
class Seen:
    """Looks of one kind. ``name``: ``"appearance"`` or ``"face"``. ``rows``: of `Tracks`, one for each look.
    ``threshold``: where strangers end, if it cannot be measured."""

    name: str
    looks: Looks
    rows: NDArray[np.intp]
    threshold: float


@attrs.frozen(eq=False)
class Stretch:
    """Rows ``begin`` to ``end`` (half-open) of `Tracks`, of one track and one person, and what ties them to the
    person's other stretches; None: there are none."""

    begin: int
    end: int
    evidence: Evidence | None
    by_tracker: bool


@attrs.frozen(eq=False)
class Solved:
    """``persons``: the stretches of each, in order of time. ``spaces``, ``gauges``: how looks were compared."""

    persons: list[list[Stretch]]
    spaces: dict[str, Space]
    gauges: dict[str, Gauge]


def solved(
    tracks: Tracks, kinds: Sequence[Seen], *, cuts: Sequence[float], size: tuple[int, int], limits: Limits
) -> Solved:
    """The persons in a stretch of film.

    ``cuts``: times at which shots begin, s. ``size``: width and height of the picture.

    In one thread: the matrices are small, and on all cores linear algebra takes ten times as long, and takes it from
    everybody else.
    """
    with _ALGEBRA, threadpool_limits(limits=1, user_api="blas"):
        return _solved(tracks, kinds, cuts, size, limits)


def _solved(
    tracks: Tracks, kinds: Sequence[Seen], cuts: Sequence[float], size: tuple[int, int], limits: Limits
) -> Solved:
    begins = cut_rows(tracks, cuts)
    for kind in kinds:
        if len(kind.looks):
            spaces, gauge = measured(kind.looks, _together(tracks, _bounds(tracks)), threshold=kind.threshold)
            if kind.name == "appearance":
                begins = parted(tracks, begins, kind.looks, spaces, gauge)
    ends = np.append(begins[1:], len(tracks)).astype(np.intp)
    shots = np.searchsorted(np.sort(np.asarray(cuts, dtype=np.float64)), tracks.time[begins] + 1e-9, side="right")
    tracklets = Tracklets(
        tracks, begins, ends, shots, at_border(tracks, begins, size, -_AHEAD), at_border(tracks, ends - 1, size, _AHEAD)
    )
    together, spaces_of, gauges, ready = _together(tracks, (begins, ends)), {}, {}, []
    for kind in kinds:
        if len(kind.looks):
            space, gauge, made = _kind(kind, begins, together)
            spaces_of[kind.name], gauges[kind.name] = space, gauge
            ready.append(made)
    most = int(np.bincount(np.unique(tracks.frame, return_inverse=True)[1]).max()) if len(tracks) else 1
    work = Joining(
        tracklets,
        ready,
        Motion.of(tracks, size=size, fastest=limits.speed),
        prior=-float(np.log(max(most - 1, 1))),
        threshold=limits.odds,
    )
    groups = joined(work)
    if limits.reentry_is_new:
        groups = [visit for group in groups for visit in _visits(tracklets, group)]
        groups.sort(key=lambda members: (tracks.time[begins[members[0]]], members[0]))
    return Solved([_stretches(work, group) for group in groups], spaces_of, gauges)


def at_border(tracks: Tracks, rows: NDArray[np.intp], size: tuple[int, int], ahead: float) -> NDArray[np.bool_]:
    """Whether the box of each row touches the border of the picture, or would ``ahead`` seconds later."""
    state = (tracks.before if ahead > 0 else tracks.after)[rows]
    margin = _BORDER * state[:, 4:5]
    moved = np.tile(state[:, 2:4] * ahead, 2)
    edge = np.array(size, dtype=np.float64)
    touches = np.zeros(len(rows), dtype=bool)
    for box in (tracks.box[rows], tracks.box[rows] + moved):
        touches |= (box[:, :2] < margin).any(axis=1) | (box[:, 2:] > edge - margin).any(axis=1)
    return touches


def _bounds(tracks: Tracks) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    bounds = tracks.bounds
    return bounds[:-1], bounds[1:]


def _together(tracks: Tracks, parts: tuple[NDArray[np.intp], NDArray[np.intp]]) -> list[tuple[int, int]]:
    """Pairs of stretches that share a frame, at most some thousands, spread evenly."""
    start, stop = tracks.time[parts[0]], tracks.time[parts[1] - 1]
    pairs: list[tuple[int, int]] = []
    for i in range(len(start)):
        pairs += [(i, int(j)) for j in np.flatnonzero((start <= stop[i]) & (stop >= start[i])) if j > i]
        if len(pairs) > 20 * _MOST_PAIRS:
            pairs = pairs[::2]
    frames: dict[int, NDArray[np.int64]] = {}

    def frames_of(i: int) -> NDArray[np.int64]:
        if i not in frames:
            frames[i] = tracks.frame[parts[0][i] : parts[1][i]]
        return frames[i]

    chosen = pairs[:: max(1, len(pairs) // _MOST_PAIRS)]
    return [(i, j) for i, j in chosen if np.intersect1d(frames_of(i), frames_of(j), assume_unique=True).size]


def _kind(seen: Seen, begins: NDArray[np.intp], together: list[tuple[int, int]]) -> tuple[Space, Gauge, Kind]:
    """Looks of tracklets: compared anew, now that each tracklet is one person's as far as looks can tell."""
    group = np.searchsorted(begins, seen.rows, side="right") - 1
    looks = Looks(seen.looks.vector, seen.looks.weight, seen.looks.time, group)
    spaces, gauge = measured(looks, together, threshold=seen.threshold)
    vectors = spaces[-1](looks.vector)
    sums, counts = np.zeros((len(begins), vectors.shape[1])), np.zeros(len(begins))
    np.add.at(sums, group, vectors * looks.weight[:, None])
    np.add.at(counts, group, looks.weight)
    return spaces[-1], gauge, Kind(seen.name, sums, counts, gauge)


def _visits(tracklets: Tracklets, group: list[int]) -> list[list[int]]:
    """A person's tracklets, parted where the person was out of the picture."""
    tracks, visits = tracklets.tracks, [[group[0]]]
    for a, b in pairwise(group):
        absent = tracks.time[tracklets.begin[b]] - tracks.time[tracklets.end[a] - 1]
        outside = (tracklets.left[a] or tracklets.came[b]) and tracklets.shot[a] == tracklets.shot[b]
        if absent > _AWAY and outside:
            visits.append([])
        visits[-1].append(b)
    return visits


def _stretches(work: Joining, group: list[int]) -> list[Stretch]:
    """A person's tracklets; those of one track that follow each other in it are one stretch."""
    sets, runs = work.tracklets, list[list[int]]()
    for member in group:
        near = runs[-1][-1] if runs else None
        if near is not None and near + 1 == member and sets.track[near] == sets.track[member]:
            runs[-1].append(member)
        else:
            runs.append([member])
    made = []
    for run in runs:
        rest = [member for member in group if member not in run]
        judged = work.judged(work.group(run), work.group(rest)) if rest else None
        tracks = {int(sets.track[member]) for member in rest}
        made.append(
            Stretch(
                begin=int(sets.begin[run[0]]),
                end=int(sets.end[run[-1]]),
                evidence=None if judged is None else judged[2],
                by_tracker=int(sets.track[run[0]]) in tracks,
            )
        )
    return made
