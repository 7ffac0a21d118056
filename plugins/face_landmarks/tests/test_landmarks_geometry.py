"""What is measured from points and matrices; no network is needed for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator_face_landmarks.geometry import LEFT, POINTS, RIGHT, Square, best, eyes_of, pose_of, square
from videoannotator_face_landmarks.landmarker import snake
from videoannotator_face_landmarks.rows import BLENDSHAPES

degrees = st.floats(-179, 179)


def turned(yaw: float, pitch: float, roll: float) -> Any:
    """Roll first, then pitch, then yaw, each about its own axis: x to the right, y up, z to the viewer."""
    y, p, r = map(math.radians, (yaw, pitch, roll))
    about_y = [[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]]
    about_x = [[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]]
    about_z = [[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(about_y) @ about_x @ about_z
    return matrix


@settings(max_examples=200, deadline=None)
@given(degrees, st.floats(-89, 89), degrees, st.floats(0.01, 100))
def test_angles_come_back(yaw: float, pitch: float, roll: float, scale: float) -> None:
    matrix = turned(yaw, pitch, roll)
    matrix[:3, :3] *= scale
    found = pose_of(matrix)
    assert found is not None
    np.testing.assert_allclose(found, (yaw, pitch, roll), atol=1e-4)


@pytest.mark.parametrize(
    ("angles", "axis", "where"),
    [
        ((30, 0, 0), 2, (0.5, 0)),  # turned to its own left: the nose points to the right of the picture
        ((0, 30, 0), 2, (0, -0.5)),  # looking down: the nose points down, y is up
        ((0, 0, 30), 1, (-0.5, 0.866)),  # tilted to its own right: the top of the head goes to the left of the picture
    ],
)
def test_signs_are_those_of_iso_19794_5(angles: tuple[float, float, float], axis: int, where: Any) -> None:
    matrix = turned(*angles)
    np.testing.assert_allclose(matrix[:2, axis], where, atol=1e-3)
    np.testing.assert_allclose(pose_of(matrix) or (), angles, atol=1e-9)


def test_a_face_without_extent_has_no_pose() -> None:
    assert pose_of(np.zeros((4, 4))) is None
    assert pose_of(np.full((4, 4), np.nan)) is None


def face(openness: float = 0.3, iris: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Points of which the eyes are right: corners 40 px apart, the right eye on the left of the picture."""
    points = np.zeros((POINTS, 3))
    for eye, middle in ((RIGHT, 100.0), (LEFT, 200.0)):
        outward = -1 if eye is RIGHT else 1
        points[eye.outer, :2] = middle + outward * 20, 80
        points[eye.inner, :2] = middle - outward * 20, 80
        for number, offset in enumerate((-7, 7)):
            points[eye.upper[number], :2] = middle + offset, 80 - openness * 20
            points[eye.lower[number], :2] = middle + offset, 80 + openness * 20
        points[eye.iris, :2] = middle + 20 * iris[0], 80 + 20 * iris[1]
    return points


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), degrees, st.floats(0.2, 20), st.floats(-1000, 1000))
def test_eyes_do_not_change_when_the_picture_is_turned_and_grows(
    openness: float, x: float, y: float, roll: float, scale: float, shift: float
) -> None:
    turn = np.array(turned(0, 0, roll))[:2, :2]
    points = face(openness, (x, y))
    points[:, :2] = points[:, :2] @ turn.T * scale + shift
    found = eyes_of(points)
    for side in ("right", "left"):
        assert found[f"{side}_eye_open"] == pytest.approx(openness, abs=1e-6)
        assert found[f"{side}_iris_x"] == pytest.approx(x, abs=1e-6)
        assert found[f"{side}_iris_y"] == pytest.approx(y, abs=1e-6)


def test_an_iris_outside_of_its_eye_is_none() -> None:
    found = eyes_of(face(iris=(0.2, 4.0)))
    assert (found["right_iris_x"], found["left_iris_y"]) == (None, None)
    assert found["right_eye_open"] == pytest.approx(0.3)


def test_an_eye_without_width_is_not_measured() -> None:
    assert set(eyes_of(np.ones((POINTS, 3))).values()) == {None}


@settings(max_examples=200, deadline=None)
@given(st.integers(-30, 90), st.integers(-30, 90), st.integers(2, 60))
def test_a_part_is_the_picture_where_there_is_one(x: int, y: int, side: int) -> None:
    picture = np.random.default_rng(0).integers(1, 255, (50, 70, 3), dtype=np.uint8)
    part = Square(x, y, side).cut(picture)
    wide = np.pad(picture, ((200, 200), (200, 200), (0, 0)))
    np.testing.assert_array_equal(part, wide[200 + y : 200 + y + side, 200 + x : 200 + x + side])
    assert part.flags.c_contiguous


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 500), st.floats(-50, 500), st.floats(0, 300), st.floats(0, 300), st.floats(0, 2))
def test_the_square_holds_the_box_and_its_margin(
    x: float, y: float, width: float, height: float, margin: float
) -> None:
    found = square(np.array([x, y, x + width, y + height]), margin)
    assert found.side == max(2, round(max(width, height) * (1 + 2 * margin)))
    assert found.x + found.side / 2 == pytest.approx(x + width / 2, abs=1)
    assert found.y + found.side / 2 == pytest.approx(y + height / 2, abs=1)


def spread(x1: float, y1: float, x2: float, y2: float) -> Any:
    points = np.zeros((POINTS, 3), np.float32)
    points[:, :2] = np.linspace((x1, y1), (x2, y2), POINTS)
    return points


def test_the_face_in_the_box_is_chosen_whoever_is_beside_it() -> None:
    box = np.array([100, 100, 200, 220])
    beside, inside, around = spread(190, 90, 300, 230), spread(110, 120, 195, 215), spread(0, 0, 300, 320)
    assert best([beside, around, inside], box) == 2
    assert best([around], box) == 0
    assert best([beside], box) is None
    assert best([], box) is None


def test_columns_are_mediapipes_names() -> None:
    assert len(BLENDSHAPES) == 52
    assert [snake(name) for name in ("_neutral", "eyeLookInLeft", "jawOpen")] == [
        "neutral",
        "eye_look_in_left",
        "jaw_open",
    ]
    assert {"neutral", "eye_look_in_left", "jaw_open"} < set(BLENDSHAPES)
