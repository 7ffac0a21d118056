"""Which pictures become vectors, and which tracks are one face."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator_face_analysis.embedding import units
from videoannotator_face_analysis.gallery import Gallery, Shown, clustered, overlapping


def _shown(gallery: Gallery, track: int, time: float, quality: float, vector: Any = (1.0, 0.0)) -> None:
    if gallery.better(track, quality):
        gallery.show(Shown(track, round(time * 10), time, quality, None, np.array(vector, dtype=np.float32)))


def test_the_best_picture_of_every_window_counts() -> None:
    gallery = Gallery(1.0)
    out = []
    for time, tracks, quality in (
        (0.2, [1], 5),
        (0.4, [1, 2], 7),
        (0.8, [1, 2], 6),
        (1.2, [2], 3),
        (1.6, [2], 4),
        (3.1, [1], 1),
    ):
        gallery.look(time, tracks)
        out += gallery.closed()
        for track in tracks:
            _shown(gallery, track, time, quality + track / 10)
    out += gallery.closed(all_of_them=True)
    assert [(one.track, one.time) for one in out] == [(1, 0.4), (2, 0.4), (2, 1.6), (1, 3.1)]
    like = gallery.clusters(0.5)
    assert like.tracks.tolist() == [1, 2]
    assert like.counts.tolist() == [2, 2]
    assert like.clusters.tolist() == [0, 1]  # seen together, though they look the same
    assert np.isnan(like.similarity).all()


def test_tracks_without_vectors_have_no_cluster() -> None:
    gallery = Gallery(1.0)
    gallery.look(0.0, [1, 2])
    _shown(gallery, 2, 0.0, 1.0)
    gallery.closed(all_of_them=True)
    assert gallery.clusters(0.3).tracks.tolist() == [2]
    assert Gallery(1.0).clusters(0.3).tracks.tolist() == []


def test_another_gallery_goes_on() -> None:
    def scene(gallery: Gallery, first: int, last: int) -> list[Any]:
        out = []
        for index in range(first, last):
            tracks = [1 + index // 10, 7] if index % 4 else [7]
            gallery.look(index / 5, tracks)
            for track in tracks:
                _shown(gallery, track, index / 5, (index * 7919) % 13, (track % 3, index % 5 + 1))
            out += [(one.track, one.time, one.vector.tolist()) for one in gallery.closed() if one.vector is not None]
        return out

    whole = Gallery(1.0)
    expected = scene(whole, 0, 40)
    one, other = Gallery(1.0), Gallery(1.0)
    before = scene(one, 0, 17)
    state = pickle.loads(pickle.dumps(one.state()))
    scene(one, 17, 40)
    other.restore(state)
    assert before + scene(other, 17, 40) == expected
    whole.closed(all_of_them=True)
    other.closed(all_of_them=True)
    np.testing.assert_array_equal(other.clusters(0.5).clusters, whole.clusters(0.5).clusters)
    np.testing.assert_array_equal(other.clusters(0.5).similarity, whole.clusters(0.5).similarity)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_tracks_that_share_a_look_are_apart(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    looks, sets = [], []
    for _ in range(count):
        seen = np.flatnonzero(random.random(20) < 0.3)
        runs = np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1) if len(seen) else []
        looks.append([(int(run[0]), int(run[-1])) for run in runs])
        sets.append(set(seen.tolist()))
    apart = overlapping(looks)
    for one in range(count):
        for other in range(count):
            assert apart[one, other] == (one != other and bool(sets[one] & sets[other]))


def _people(seed: int, count: int, tracks: int, noise: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Sums of unit vectors, their numbers, and who each track is."""
    random = np.random.default_rng(seed)
    who = random.integers(0, count, tracks)
    faces = units(random.normal(size=(count, 64)))
    counts = random.integers(1, 6, tracks)
    totals = np.array(
        [
            units(faces[w] + noise * random.normal(size=(n, 64)) / 8).sum(axis=0)
            for w, n in zip(who, counts, strict=True)
        ]
    )
    return totals, counts, who


def _partition(groups: Any) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(np.asarray(groups) == group).tolist()) for group in np.unique(groups)}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 25))
def test_tracks_of_one_face_come_together(seed: int, count: int, tracks: int) -> None:
    totals, counts, who = _people(seed, count, tracks, noise=0.6)
    groups, similarity = clustered(totals, counts, np.zeros((tracks, tracks), bool), 0.5)
    assert _partition(groups) == _partition(who)
    alone = np.bincount(groups)[groups] == 1
    assert (np.isnan(similarity) == alone).all()
    assert (similarity[~alone] > 0.5).all()
    firsts = [int(np.flatnonzero(groups == group)[0]) for group in range(groups.max() + 1)]
    assert firsts == sorted(firsts)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 20))
def test_what_must_not_meet_does_not(seed: int, tracks: int) -> None:
    totals, counts, _ = _people(seed, 2, tracks, noise=1.0)
    random = np.random.default_rng(seed)
    apart = random.random((tracks, tracks)) < 0.2
    apart |= apart.T
    np.fill_diagonal(apart, False)
    groups, _ = clustered(totals, counts, apart, 0.1)
    one, other = np.nonzero(apart)
    assert (groups[one] != groups[other]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 20))
def test_the_order_of_the_tracks_does_not_matter(seed: int, tracks: int) -> None:
    totals, counts, _ = _people(seed, 4, tracks, noise=1.5)
    random = np.random.default_rng(seed)
    apart = random.random((tracks, tracks)) < 0.1
    apart |= apart.T
    order = random.permutation(tracks)
    straight, _ = clustered(totals, counts, apart, 0.3)
    mixed, _ = clustered(totals[order], counts[order], apart[np.ix_(order, order)], 0.3)
    assert _partition(straight[order]) == _partition(mixed)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_joining_is_that_of_scipy_where_nothing_is_forbidden(seed: int, tracks: int) -> None:
    """With one vector a track it is average linkage of cosine distances."""
    from scipy.cluster.hierarchy import fcluster, linkage

    totals = units(np.random.default_rng(seed).normal(size=(tracks, 6)))
    ones = np.ones(tracks, np.int64)
    groups, _ = clustered(totals, ones, np.zeros((tracks, tracks), bool), 0.2)
    theirs = fcluster(linkage(totals, "average", metric="cosine"), 0.8, criterion="distance")
    assert _partition(groups) == _partition(theirs)


def test_a_crowd_is_joined_in_no_time() -> None:
    from time import process_time

    totals, counts, who = _people(0, 40, 1500, noise=0.6)
    began = process_time()
    groups, _ = clustered(totals, counts, np.zeros((1500, 1500), bool), 0.5)
    assert process_time() - began < 30
    assert _partition(groups) == _partition(who)


def test_vectors_must_be_there_when_a_window_is_over() -> None:
    gallery = Gallery(1.0)
    gallery.look(0.0, [1])
    gallery.show(Shown(1, 0, 0.0, 1.0, np.zeros((112, 112, 3), np.uint8)))
    assert [one.track for one in gallery.waiting()] == [1]
    with pytest.raises(AssertionError):
        gallery.closed(all_of_them=True)
