"""Faces followed through made scenes whose truth is known, and through real videos."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator.data.rows import Track
from videoannotator_face_analysis.cropping import TEMPLATE
from videoannotator_face_analysis.following import Follower, change, thumbnail

SIZE = 80.0
_FACE = np.concatenate([[[0.0, 0.0], [112.0, 112.0]], TEMPLATE]) / 112


def _faces(centres: Any, size: float = SIZE) -> tuple[NDArray[np.float64], NDArray[np.float64], list[float]]:
    """Boxes, landmarks and scores of faces of one size around some places."""
    places = np.reshape(centres, (-1, 1, 2)).astype(float)
    points = places + (_FACE - 0.5) * size
    return points[:, :2].reshape(-1, 4), points[:, 2:], [0.9] * len(points)


def _follow(follower: Follower, scene: Iterator[Any] | list[Any], rate: float = 5.0) -> tuple[list[Any], list[Track]]:
    """The numbers in every picture and the tracks. ``scene``: centres of the faces in each."""
    numbers, tracks = [], []
    for index, centres in enumerate(scene):
        given, ended = follower.update(index, index / rate, *_faces(centres), None)
        numbers.append(given)
        tracks += ended
    return numbers, tracks + follower.rest()


@pytest.mark.parametrize("rate", [2.0, 5.0, 25.0])
def test_two_people_who_move_keep_their_numbers(rate: float) -> None:
    """They sway by half a face and walk by a face a second, at whatever rate they are looked at."""
    times = np.arange(0, 8, 1 / rate)
    one = np.stack([100 + 80 * times, 200 + 40 * np.sin(2 * times)], axis=1)
    other = np.stack([900 - 40 * np.sin(3 * times), 220 + 10 * times], axis=1)
    numbers, tracks = _follow(Follower(1.0, None), [np.stack(both) for both in zip(one, other, strict=True)], rate)
    assert numbers == [[1, 2]] * len(times)
    assert [(row.frames, row.gaps, row.start) for row in tracks] == [(len(times), (), 0)] * 2
    assert [row.end for row in tracks] == pytest.approx([times[-1]] * 2)
    assert {row.label for row in tracks} == {"face"}
    assert tracks[0].score == pytest.approx(0.9)


def test_the_order_of_the_faces_does_not_matter() -> None:
    random = np.random.default_rng(1)
    scene = [np.array([[100 + 9 * n, 100], [300, 100 + 7 * n], [600 - 8 * n, 300]]) for n in range(20)]
    orders = [random.permutation(3) for _ in scene]
    straight, _ = _follow(Follower(1.0, None), scene)
    mixed, _ = _follow(Follower(1.0, None), [centres[order] for centres, order in zip(scene, orders, strict=True)])
    first = {mixed[0][place]: straight[0][who] for place, who in enumerate(orders[0])}
    for numbers, order in zip(mixed, orders, strict=True):
        assert [first[number] for number in numbers] == [straight[0][who] for who in order]


def test_a_face_comes_back_in_time_or_is_another() -> None:
    here, nobody = np.array([[200.0, 200.0]]), np.empty((0, 2))
    numbers, tracks = _follow(Follower(1.0, None), [here, here, nobody, nobody, here, here])
    assert numbers == [[1], [1], [], [], [1], [1]]
    (track,) = tracks
    assert [(gap.start, gap.end) for gap in track.gaps] == [(0.2, 0.8)]
    assert track.frames == 4

    numbers, tracks = _follow(Follower(0.5, None), [here, here, nobody, nobody, nobody, here])
    assert numbers[-1] == [2]
    assert [(row.track, row.start, row.end, row.end_frame) for row in tracks] == [(1, 0.0, 0.2, 1), (2, 1.0, 1.0, 5)]


def test_a_face_far_away_or_of_another_size_is_another() -> None:
    follower = Follower(1.0, None)
    follower.update(0, 0.0, *_faces([[200, 200]]), None)
    numbers, _ = follower.update(1, 0.2, *_faces([[200 + 3 * SIZE, 200]]), None)
    assert numbers == [2]
    numbers, _ = follower.update(2, 0.4, *_faces([[200, 200]], size=6 * SIZE), None)
    assert numbers == [3]


def test_faces_are_matched_all_at_once() -> None:
    """The nearer of two tracks goes without its face where that leaves less distance in all: nobody changes places."""
    follower = Follower(1.0, None)
    follower.update(0, 0.0, *_faces([[100, 100], [180, 100]]), None)
    numbers, _ = follower.update(1, 0.2, *_faces([[150, 100], [230, 100]]), None)
    assert numbers == [1, 2]


def test_at_a_cut_all_tracks_end(astronaut: NDArray[np.uint8]) -> None:
    dark = np.zeros_like(astronaut)
    follower, ended = Follower(1.0, 0.7), []
    for index, picture in enumerate([astronaut, astronaut, dark, astronaut, astronaut]):
        faces = _faces([[100, 100]] if picture is astronaut else [])
        numbers, over = follower.update(index, index / 5, *faces, thumbnail(picture))
        ended += [(row.track, index) for row in over]
        assert numbers == ([] if picture is dark else [1 if index < 2 else 2])
    assert ended == [(1, 2)]


def test_what_is_a_change_of_the_whole_picture(astronaut: NDArray[np.uint8]) -> None:
    here = thumbnail(astronaut)
    flat = np.full_like(here, 30)
    noisy = (flat + np.random.default_rng(0).normal(0, 3, here.shape)).astype(np.uint8)
    assert change(here, here) < 0.01
    assert change(here, thumbnail(np.roll(astronaut, 20, axis=1))) < 0.4  # the camera moves
    assert change(here, thumbnail((astronaut * 0.6 + 90).astype(np.uint8))) < 0.3  # a light goes on
    assert change(noisy, flat) < 0.3
    assert change(flat, flat) == 0
    assert change(here, thumbnail(astronaut[:, ::-1])) > 0.3
    assert change(here, flat) > 0.9
    assert change(thumbnail(np.zeros((1, 1, 3), np.uint8)), thumbnail(np.full((1, 1, 3), 9, np.uint8))) == 0


def test_thumbnails_of_thin_pictures() -> None:
    for shape in ((1, 1, 3), (16, 400, 3), (240, 16, 3)):
        assert thumbnail(np.full(shape, 90, np.uint8)).ndim == 2


def test_pictures_at_one_time_do_no_harm() -> None:
    """As a sick file may have them."""
    follower = Follower(1.0, None)
    with np.errstate(all="raise"):
        for time in (0.0, 0.2, 0.2, 0.4):
            numbers, _ = follower.update(round(time * 10), time, *_faces([[100 + 50 * time, 100]]), None)
            assert numbers == [1]


def test_numbers_are_not_given_twice() -> None:
    follower = Follower(1.0, None)
    _follow(follower, [np.array([[100, 100], [400, 100]])] * 3)
    follower.forget()
    numbers, tracks = _follow(follower, [np.array([[100, 100]])] * 2)
    assert numbers == [[3], [3]]
    assert [row.track for row in tracks] == [3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 29))
def test_another_goes_on_as_if_it_were_the_first(seed: int, border: int) -> None:
    random = np.random.default_rng(seed)
    scene = [random.uniform(0, 600, (random.integers(0, 5), 2)) for _ in range(30)]

    def rows(follower: Follower, first: int, last: int) -> list[Any]:
        return [follower.update(index, index / 5, *_faces(scene[index]), None) for index in range(first, last)]

    whole = Follower(1.0, None)
    expected = rows(whole, 0, 30), whole.rest()
    one, other = Follower(1.0, None), Follower(1.0, None)
    before = rows(one, 0, border)
    state = pickle.loads(pickle.dumps(one.state()))
    rows(one, border, 30)  # what is done afterwards does not change what was told
    other.restore(state)
    assert (before + rows(other, border, 30), other.rest()) == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_number_stands_twice_in_a_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    numbers, tracks = _follow(Follower(1.0, None), [random.uniform(0, 300, (5, 2)) for _ in range(15)])
    assert all(len(set(given)) == 5 for given in numbers)
    assert sum(row.frames for row in tracks) == 75
    assert sorted(row.track for row in tracks) == list(range(1, len(tracks) + 1))
    for row in tracks:
        edges = [row.start, *(edge for gap in row.gaps for edge in (gap.start, gap.end)), row.end]
        assert edges == sorted(edges)


def test_a_crowd_is_followed_in_no_time() -> None:
    """4000 faces close to each other; all pairs would be 16 million distances a picture."""
    from time import process_time

    grid = np.stack(np.meshgrid(np.arange(80) * 90.0, np.arange(50) * 90.0), axis=-1).reshape(-1, 2)
    follower, began = Follower(1.0, None), process_time()
    for index in range(3):
        numbers, _ = follower.update(index, index / 5, *_faces(grid + 5 * index), None)
        assert numbers == list(range(1, 4001))
    assert process_time() - began < 30


@pytest.mark.parametrize(
    ("name", "tracks"), [("face_expressions.mp4", 1), ("shot_change.mp4", 0), ("sitcom_kitchen.avi", 8)]
)
def test_real_faces_have_few_tracks(assets: Path, yunet: Path, run_alone: Any, name: str, tracks: int) -> None:
    """One man who speaks, nobody, and a kitchen with three people in the first of three shots."""
    tables = run_alone(_spec(), assets / "video" / name, {"weights": str(yunet), "rate": 2.0}).tables
    assert len(tables["tracks"]) == np.unique(tables["faces"].track.compressed()).size <= tracks
    assert (len(tables["tracks"]) == 0) == (tracks == 0)
    if name == "sitcom_kitchen.avi":  # cuts, found in the picture by eye: between 6.5 and 6.6, 12.0 and 12.1 seconds
        for row in tables["tracks"]:
            assert not any(row.start < cut < row.end for cut in (6.55, 12.1))


def _spec() -> Any:
    from videoannotator_face_analysis import videoannotator_pipelines

    return next(spec for spec in videoannotator_pipelines() if spec.name == "face_analysis")
