"""Tracks: ids, births, gaps and ends, in seconds, over batches, spans and resumes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.data.rows import Gap, Track
from videoannotator_person_tracking_rtm.config import PersonTrackingRTMConfig
from videoannotator_person_tracking_rtm.following import Follower


def person(x: float, score: float = 0.9) -> tuple[list[float], float]:
    return [x, 10.0, x + 40.0, 110.0], score


def follow(follower: Follower, times: list[float], scene: Any, first: int = 0) -> tuple[list[list[int]], list[Track]]:
    """Ids by frame, and the tracks that were over by then. ``scene``: the persons of a frame, by its time."""
    ids, over = [], []
    for number, time in enumerate(times, start=first):
        persons = scene(time)
        boxes = np.array([box for box, _ in persons], dtype=np.float32).reshape(-1, 4)
        found, tracks = follower.update(boxes, np.array([s for _, s in persons], dtype=np.float32), number, time)
        ids.append(found.tolist())
        over += list(tracks)
    return ids, over


def seconds(count: int, rate: float) -> list[float]:
    return [n / rate for n in range(count)]


def two(time: float) -> list[tuple[list[float], float]]:
    return [person(20 + 30 * time), person(300 - 30 * time)]


def test_who_is_seen_twice_has_an_id_and_keeps_it() -> None:
    follower = Follower(PersonTrackingRTMConfig(), 10.0)
    ids, over = follow(follower, seconds(30, 10.0), two)
    assert ids[0] == [0, 0], "seen once is no track"
    assert ids[1:] == [[1, 2]] * 29
    assert over == []
    tracks = list(follower.rest())
    assert [(t.track, t.start, t.end, t.start_frame, t.end_frame, t.frames) for t in tracks] == [
        (n, 0.1, 2.9, 1, 29, 29) for n in (1, 2)
    ]
    assert tracks[0].label == "person"
    assert tracks[0].score == pytest.approx(0.9)
    assert tracks[0].gaps == ()
    assert list(follower.rest()) == []


@pytest.mark.parametrize("rate", [5.0, 10.0, 30.0])
@pytest.mark.parametrize(("away", "same"), [(0.6, True), (1.6, False)])
def test_lost_after_is_in_seconds_at_any_rate(rate: float, away: float, same: bool) -> None:
    follower = Follower(PersonTrackingRTMConfig(lost_after=1.0), rate)
    times = seconds(round(5 * rate), rate)
    ids, over = follow(follower, times, lambda t: [] if 2.0 <= t < 2.0 + away else [person(50)])
    tracks = over + list(follower.rest())
    if same:
        (track,) = tracks
        before, after = max(t for t in times if t < 2.0), min(t for t in times if t >= 2.0 + away)
        assert track.gaps == (Gap(before, after),)
        assert track.frames == sum(bool(frame and frame[0]) for frame in ids)
    else:
        assert [t.track for t in tracks] == [1, 2]
        assert len(over) == 1, "the first is told as soon as it is over"
        assert tracks[0].end < 2.0 < 2.0 + away <= tracks[1].start


def test_a_weak_detection_keeps_a_track_and_opens_none() -> None:
    follower = Follower(PersonTrackingRTMConfig(), 10.0)
    ids, _ = follow(follower, seconds(20, 10.0), lambda t: [person(50, 0.9 if t < 1.0 else 0.2), person(300, 0.3)])
    assert all(frame == [1, 0] for frame in ids[1:])
    (track,) = follower.rest()
    assert track.score == pytest.approx((9 * 0.9 + 10 * 0.2) / 19)


def test_ids_are_not_used_twice_and_nobody_is_followed_into_another_stretch() -> None:
    follower = Follower(PersonTrackingRTMConfig(), 10.0)
    first, _ = follow(follower, seconds(10, 10.0), two)
    follower.rest()
    follower.forget()
    second, _ = follow(follower, [t + 1.0 for t in seconds(10, 10.0)], two, first=10)
    assert second[0] == [0, 0]
    assert second[1:] == [[3, 4]] * 9
    assert first[-1] == [1, 2]


def test_nobody_is_followed_in_an_empty_picture() -> None:
    follower = Follower(PersonTrackingRTMConfig(), None)
    assert follow(follower, seconds(5, 30.0), lambda t: []) == ([[]] * 5, [])
    assert list(follower.rest()) == []


scenes = st.lists(
    st.lists(
        st.tuples(st.sampled_from([10.0, 120.0, 240.0, 400.0]), st.sampled_from([0.15, 0.5, 0.65, 0.9])), max_size=4
    ),
    min_size=2,
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(scenes, st.data())
def test_a_state_goes_on_anywhere_and_tracks_tell_what_rows_tell(scene: Any, data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.sampled_from([0.04, 0.2, 0.9, 2.0]), min_size=len(scene), max_size=len(scene)))
    times = np.cumsum(gaps).tolist()
    by_time = dict(zip(times, [[person(*one) for one in frame] for frame in scene], strict=True))
    config = PersonTrackingRTMConfig()
    whole = Follower(config, 10.0)
    ids, over = follow(whole, times, by_time.__getitem__)
    over += list(whole.rest())

    cut = data.draw(st.integers(0, len(times)))
    first, then = Follower(config, 10.0), Follower(config, 10.0)
    before = follow(first, times[:cut], by_time.__getitem__)
    kept = first.state()
    follow(first, times[cut:], by_time.__getitem__, first=cut)  # what comes later does not change what was kept
    then.restore(kept)
    after = follow(then, times[cut:], by_time.__getitem__, first=cut)
    assert before[0] + after[0] == ids
    assert before[1] + after[1] + list(then.rest()) == over

    seen = {n: [frame for frame, found in enumerate(ids) if n in found] for found in ids for n in found if n}
    assert sorted(track.track for track in over) == sorted(seen)
    for track in over:
        own = seen[track.track]
        assert (track.start_frame, track.end_frame, track.frames) == (own[0], own[-1], len(own))
        assert (track.start, track.end) == (times[own[0]], times[own[-1]])
        steps = [(a, b) for a, b in itertools.pairwise(own) if b > a + 1]
        assert track.gaps == tuple(Gap(times[a], times[b]) for a, b in steps)
    for found in ids:
        given_ids = [n for n in found if n]
        assert len(given_ids) == len(set(given_ids)), "nobody is in a frame twice"


def test_a_crowd_is_followed() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 3000, (800, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (800, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(0.7, 1.0, 800).astype(np.float32)
    follower = Follower(PersonTrackingRTMConfig(), 25.0)
    ids = [follower.update(boxes + step, scores, step, step / 25)[0] for step in range(3)]
    assert len(set(ids[1].tolist())) == 800
    assert (ids[1] == ids[2]).mean() > 0.95, "they stand so close that a few may be taken for each other"
    assert sum(track.frames for track in follower.rest()) == 1600
