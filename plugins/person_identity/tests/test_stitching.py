"""Scenes with known truth: who leaves and comes back, who crosses whom, who is like whom."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator_person_identity.filling import filled
from videoannotator_person_identity.likeness import Gauge, Looks, Space, measured, shrunk
from videoannotator_person_identity.tracks import overlaps

Make = Callable[..., Any]


def same_partition(one: NDArray[np.intp], other: NDArray[np.intp]) -> bool:
    """Two numberings of rows mean the same persons."""
    pairs = np.unique(np.stack([one, other], axis=1), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def three(walk: Any) -> list[Any]:
    """Three persons who go about at once, each lost once and found again elsewhere."""
    return [
        walk(1, 0, (0, 80), ((200, 360), (400, 360))),
        walk(2, 1, (0, 120), ((900, 300), (800, 420))),
        walk(3, 2, (10, 70), ((600, 200), (640, 260))),
        walk(4, 0, (140, 220), ((1000, 200), (900, 260))),
        walk(5, 2, (150, 230), ((300, 500), (360, 420))),
        walk(6, 1, (170, 240), ((640, 560), (600, 500))),
    ]


def test_everybody_is_found_again(make_scene: Make, walk: Any) -> None:
    made = make_scene(three(walk))
    found = made.solved()
    assert same_partition(made.persons(found), made.who)
    assert found.gauges["appearance"].measured
    assert all(stretch.evidence.score > 0.5 for person in found.persons for stretch in person)


def test_without_looks_absences_end_in_new_persons(make_scene: Make, walk: Any) -> None:
    made = make_scene(three(walk))
    assert len(made.solved(looks=False).persons) == 6


def test_a_short_gap_is_closed_by_motion_alone(make_scene: Make, walk: Any) -> None:
    walks = [
        walk(1, 0, (0, 40), ((200, 360), (360, 360))),
        walk(2, 0, (48, 90), ((392, 360), (560, 360))),
        walk(3, 1, (0, 90), ((900, 360), (900, 400))),
    ]
    made = make_scene(walks)
    found = made.solved(looks=False)
    assert same_partition(made.persons(found), made.who)
    (first,) = [person for person in found.persons if len(person) == 2]
    assert first[0].evidence.motion > 0


def test_nobody_is_so_fast(make_scene: Make, walk: Any) -> None:
    """The same looks, five body heights away a fifth of a second later."""
    walks = [walk(1, 0, (0, 60), ((100, 360), (140, 360))), walk(2, 0, (62, 120), ((1140, 360), (1180, 360)))]
    walks += [walk(3, 1, (0, 120), ((600, 360), (640, 360))), walk(4, 2, (0, 120), ((600, 120), (640, 120)))]
    walks += [walk(5, 3, (0, 120), ((500, 600), (540, 600)))]
    made = make_scene(walks)
    whose = made.persons(made.solved())
    assert len(np.unique(whose[made.who == 0])) == 2
    assert len(np.unique(whose[made.persons(made.solved(speed=60.0)) >= 0])) == 5
    assert same_partition(made.persons(made.solved(speed=60.0)), made.who)


def test_a_track_that_goes_over_to_another_is_cut(make_scene: Make, walk: Any) -> None:
    """The tracker leaves person 0 for person 1, who comes the other way; person 0 goes on under another number."""
    walks = [
        walk(1, 0, (0, 100), ((200, 360), (600, 360))),
        walk(1, 1, (100, 200), ((600, 380), (200, 380))),
        walk(2, 0, (100, 200), ((604, 360), (1000, 360))),
        *(walk(i, i - 1, (0, 200), ((180 * i - 440, 120), (180 * i - 400, 120))) for i in range(3, 9)),
    ]
    made = make_scene(walks, noise=0.5)
    whose = made.persons(made.solved())
    for person in range(8):
        shares = np.bincount(whose[made.who == person]) / (made.who == person).sum()
        assert shares.max() > 0.93, person
    assert len(np.unique(whose)) == 8


def test_similar_clothes_keep_their_owners_apart(make_scene: Make, walk: Any) -> None:
    """Everybody looks much alike, as in uniforms: what differs all the same is found out."""
    made = make_scene(three(walk), likeness=0.75, noise=0.1)
    plain = made.looks.vector
    assert (plain[made.looks.group == 0] @ plain[made.looks.group == 1].T).mean() > 0.6
    assert same_partition(made.persons(made.solved()), made.who)


def test_across_a_cut_place_says_nothing(make_scene: Make, walk: Any) -> None:
    """After the cut another stands where the first stood; looks tell, also where the tracker went on."""
    walks = [
        walk(1, 0, (0, 60), ((400, 360), (420, 360))),
        walk(2, 1, (0, 60), ((800, 360), (820, 360))),
        walk(1, 1, (60, 120), ((420, 360), (440, 360))),
        walk(2, 0, (60, 120), ((820, 360), (840, 360))),
        walk(3, 2, (0, 120), ((600, 120), (640, 120))),
    ]
    made = make_scene(walks, noise=0.5)
    assert same_partition(made.persons(made.solved(cuts=[6.0])), made.who)


def test_who_left_the_picture_may_be_new(make_scene: Make, walk: Any) -> None:
    walks = [
        walk(1, 0, (0, 60), ((400, 360), (1270, 360))),
        walk(2, 0, (120, 180), ((1270, 360), (600, 360))),
        walk(3, 1, (0, 180), ((200, 200), (260, 200))),
        walk(4, 2, (0, 180), ((200, 560), (260, 560))),
        walk(5, 3, (0, 180), ((640, 560), (700, 560))),
    ]
    made = make_scene(walks)
    assert len(made.solved().persons) == 4
    assert len(made.solved(reentry_is_new=True).persons) == 5


@settings(max_examples=15, deadline=None)
@given(names=st.permutations(list(range(1, 7))), seed=st.integers(0, 5))
def test_the_trackers_numbers_mean_nothing(make_scene: Make, walk: Any, names: list[int], seed: int) -> None:
    walks = three(walk)
    renamed = [walk(names[w.track - 1], w.who, w.frames, w.way) for w in walks]
    one, other = make_scene(walks, seed=seed), make_scene(renamed, seed=seed)
    assert np.array_equal(one.persons(one.solved()), other.persons(other.solved()))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_nobody_is_in_two_places(make_scene: Make, walk: Any, data: st.DataObject) -> None:
    """Whatever the walks are: in no frame has a person two rows, and every row has one person."""
    walks = []
    for track in range(data.draw(st.integers(1, 7))):
        start = data.draw(st.integers(0, 60))
        place = st.tuples(st.floats(50, 1200), st.floats(120, 600))
        length = data.draw(st.integers(1, 60))
        way = data.draw(place), data.draw(place)
        walks.append(walk(track + 1, data.draw(st.integers(0, 3)), (start, start + length), way))
    made = make_scene(walks, seed=data.draw(st.integers(0, 3)))
    whose = made.persons(made.solved(cuts=data.draw(st.lists(st.floats(1, 10), max_size=2))))
    assert (whose >= 0).all()
    assert len(np.unique(np.stack([whose, made.tracks.frame], axis=1), axis=0)) == len(whose)


def test_somebody_else_far_away_changes_nothing(make_scene: Make, walk: Any) -> None:
    walks = three(walk)
    alone = make_scene(walks)
    more = make_scene([*walks, walk(7, 9, (0, 240), ((60, 640), (80, 640)), 60.0)])
    known = more.who != 9
    assert same_partition(alone.persons(alone.solved()), more.persons(more.solved())[known])


def test_a_crowd_does_not_take_minutes(make_scene: Make, walk: Any) -> None:
    """3000 tracks of a busy place: some seconds, and in one thread."""
    rng = np.random.default_rng(0)
    walks = []
    for track in range(3000):
        x, y, start = rng.uniform(50, 1200), rng.uniform(120, 600), int(rng.integers(0, 1250))
        walks.append(walk(track, track, (start, start + 12), ((x, y), (x + 20, y)), 60.0))
    made = make_scene(walks)
    began, passed = time.process_time(), time.perf_counter()
    found = made.solved()
    used, passed = time.process_time() - began, time.perf_counter() - passed
    assert used < 15  # 4 on a quiet machine
    assert used < 1.2 * passed + 0.5
    assert len(found.persons) > 100


def test_no_tracks_no_persons(make_scene: Make, walk: Any) -> None:
    empty = make_scene([walk(1, 0, (0, 1), ((100, 100), (100, 100)))])
    found = empty.solved()
    assert len(found.persons) == 1
    assert found.persons[0][0].evidence is None


# likeness ---------------------------------------------------------------------------------------------------------


def test_a_gauge_is_even_in_the_middle_and_grows_with_what_was_seen() -> None:
    gauge = Gauge(same=0.4, other=0.0, spread=0.1, noise=0.1, measured=True)
    assert gauge(np.array(0.2), np.array(5.0)) == pytest.approx(0)
    ratios = [float(gauge(np.array(0.3), np.array(seen))) for seen in (1.0, 2.0, 5.0, 20.0)]
    assert all(a < b for a, b in pairwise(ratios))
    assert gauge(np.array(0.3), np.array(5.0)) == pytest.approx(-gauge(np.array(0.1), np.array(5.0)))


def test_the_covariance_is_that_of_ledoit_and_wolf() -> None:
    reference = pytest.importorskip("sklearn.covariance", reason="scikit-learn, the reference, is not installed")
    data = np.random.default_rng(0).normal(size=(40, 12)) * np.arange(1, 13)
    theirs = reference.LedoitWolf(assume_centered=True).fit(data).covariance_
    np.testing.assert_allclose(shrunk(data), theirs, rtol=1e-6, atol=1e-6)


def test_a_space_leaves_persons_and_takes_away_what_varies_within_them() -> None:
    rng = np.random.default_rng(0)
    persons, loud = rng.normal(size=(5, 16)), rng.normal(size=16) * 5
    group = np.repeat(np.arange(5), 20)
    raw = persons[group] + rng.normal(size=(100, 1)) * loud + 0.1 * rng.normal(size=(100, 16))
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    space = Space.of(Looks(raw, np.ones(100), np.arange(100.0), group))
    new = persons[group] + rng.normal(size=(100, 1)) * loud
    new = space(new / np.linalg.norm(new, axis=1, keepdims=True))
    same = group[:, None] == group
    assert (new @ new.T)[same].mean() > (new @ new.T)[~same].mean() + 0.4


def test_too_little_falls_back_to_the_published_threshold() -> None:
    looks = Looks(np.eye(4)[[0, 0, 1]], np.ones(3), np.array([0.0, 3.0, 0.0]), np.array([0, 0, 1]))
    spaces, gauge = measured(looks, [(0, 1)], threshold=0.75)
    assert not gauge.measured
    assert gauge(np.array(0.75), np.array(3.0)) == pytest.approx(0)
    assert gauge(np.array(0.9), np.array(3.0)) > 0
    np.testing.assert_array_equal(spaces[0](looks.vector), looks.vector)


# who hides whom -----------------------------------------------------------------------------------------------------


def test_the_one_nearer_to_the_camera_hides_the_other() -> None:
    frame = np.array([0, 0, 1])
    box = np.array([[0, 0, 10, 20], [5, 5, 15, 30], [0, 0, 10, 20]], dtype=float)
    hidden, met = overlaps(frame, box)
    np.testing.assert_allclose(hidden, [5 * 15 / 200, 0, 0])
    np.testing.assert_allclose(met, [5 * 15 / 200, 5 * 15 / 200, 0])


# absences filled in ---------------------------------------------------------------------------------------------------


def _filled(made: Any, most: float, cuts: tuple[float, ...] = (), rate: float = 10.0) -> Any:
    whose = made.persons(made.solved(cuts=cuts))
    times = np.arange(400) / rate
    return filled(made.tracks, whose, first=5, times=times, cuts=cuts, most=most)


def test_a_person_is_filled_in_from_one_track_to_the_next(make_scene: Make, walk: Any) -> None:
    walks = [
        walk(1, 0, (0, 41), ((200, 360), (360, 360))),
        walk(2, 0, (48, 90), ((392, 360), (556, 360))),
        walk(3, 1, (0, 90), ((900, 360), (900, 400))),
    ]
    made = make_scene(walks)
    rows = _filled(made, 1.0)
    assert rows.frame.tolist() == list(range(41, 48))
    assert len(np.unique(rows.person)) == 1
    np.testing.assert_allclose((rows.x1 + rows.x2) / 2, 360 + 4 * np.arange(1, 8), atol=0.01)
    np.testing.assert_allclose(rows.time, rows.frame / 10)
    assert len(_filled(made, 0.5)) == 0  # longer away than that
    assert len(_filled(made, 1.0, cuts=(4.3,))) == 0  # another shot


def test_where_every_third_frame_is_looked_at_every_third_is_filled_in(make_scene: Make, walk: Any) -> None:
    made = make_scene([walk(1, 0, (0, 30), ((200, 360), (260, 360))), walk(2, 0, (34, 60), ((268, 360), (320, 360)))])
    tracks = attrs.evolve(made.tracks, frame=made.tracks.frame * 3)
    rows = filled(tracks, np.zeros(len(tracks), dtype=int), first=1, times=np.arange(200) / 30, cuts=(), most=1.0)
    assert rows.frame.tolist() == [90, 93, 96, 99]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_filled_rows_lie_between_and_never_where_somebody_is_seen(
    make_scene: Make, walk: Any, data: st.DataObject
) -> None:
    walks = []
    for track in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, 40))
        place = st.tuples(st.floats(100, 1100), st.floats(120, 600))
        length = data.draw(st.integers(1, 30))
        way = data.draw(place), data.draw(place)
        walks.append(walk(track + 1, data.draw(st.integers(0, 2)), (start, start + length), way))
    made = make_scene(walks)
    whose = made.persons(made.solved()) + 5
    rows = _filled(made, data.draw(st.sampled_from([0.3, 1.0, 3.0])))
    seen = set(zip(made.tracks.frame.tolist(), whose.tolist(), strict=True))
    for row in rows:
        assert (row.frame, row.person) not in seen
        mine = made.tracks.frame[whose == row.person]
        assert mine.min() < row.frame < mine.max()
