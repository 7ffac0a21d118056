"""How heads are turned: a mean face that is turned, seen, and measured again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from videoannotator_face_analysis.cropping import TEMPLATE
from videoannotator_face_analysis.pose import MEAN_FACE, angles, poses, rotations


def _seen(
    yaw: float, pitch: float, roll: float, scale: float = 10.0, shift: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.float64]:
    """The mean face's landmarks as a camera far away sees them: (1, 5, 2), y down."""
    (rotation,) = rotations(np.array([yaw]), np.array([pitch]), np.array([roll]))
    turned = MEAN_FACE @ rotation.T
    return np.asarray((turned[:, :2] * [1, -1] * scale + shift)[None])


def _away(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


_turns = st.tuples(st.floats(-80, 80), st.floats(-60, 60), st.floats(-180, 180))


@settings(max_examples=150, deadline=None)
@given(_turns, st.floats(0.5, 100), st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)))
def test_angles_of_a_turned_face_are_found(turn: Any, scale: float, shift: tuple[float, float]) -> None:
    pose = poses(_seen(*turn, scale, shift))
    for found, true in zip((pose.yaw[0], pose.pitch[0], pose.roll[0]), turn, strict=True):
        assert _away(found, true) < 0.01
    assert pose.misfit[0] < 1e-6


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-45, 45), st.floats(-35, 35), st.floats(-45, 45))
def test_landmarks_that_are_a_little_off_change_angles_a_little(
    seed: int, yaw: float, pitch: float, roll: float
) -> None:
    points = _seen(yaw, pitch, roll)  # 63 pixels from eye to eye, from the front
    points = points + np.random.default_rng(seed).normal(0, 0.5, points.shape)
    pose = poses(points)
    for found, true in zip((pose.yaw[0], pose.pitch[0], pose.roll[0]), (yaw, pitch, roll), strict=True):
        assert _away(found, true) < 8


@settings(max_examples=100, deadline=None)
@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_rotations_are_those_of_scipy(yaw: float, pitch: float, roll: float) -> None:
    """First roll about the axis out of the face, then pitch, then yaw, about axes that stay."""
    ours = rotations(np.array([yaw]), np.array([pitch]), np.array([roll]))
    expected = Rotation.from_euler("zxy", [roll, pitch, yaw], degrees=True).as_matrix()
    np.testing.assert_allclose(ours[0], expected, atol=1e-12)
    for found, true in zip(angles(ours), (yaw, pitch, roll), strict=True):
        assert _away(found[0], true) < 1e-5


def test_signs() -> None:
    """In pixels, y down: what a camera sees of a head that is turned, bowed, tilted."""
    right_eye, left_eye, nose = range(3)
    turned_left = _seen(30, 0, 0)[0]  # to its own left: the nose moves to the right of the picture
    assert turned_left[nose, 0] > turned_left[[right_eye, left_eye], 0].mean() + 5
    bowed = _seen(0, 30, 0)[0]  # the nose moves down, nearer to the mouth
    straight = _seen(0, 0, 0)[0]
    assert bowed[nose, 1] - bowed[right_eye, 1] > straight[nose, 1] - straight[right_eye, 1] + 5
    tilted = _seen(0, 0, 30)[0]  # to its own right shoulder: the right eye is the lower one
    assert tilted[right_eye, 1] > tilted[left_eye, 1] + 5


def test_a_mirrored_picture_shows_the_mirrored_head() -> None:
    points = _seen(25, 10, -15) + np.random.default_rng(3).normal(0, 0.7, (1, 5, 2))
    pose, mirrored = poses(points), poses((points * [-1, 1])[:, [1, 0, 2, 4, 3]])
    assert mirrored.yaw[0] == pytest.approx(-pose.yaw[0], abs=1e-3)
    assert mirrored.pitch[0] == pytest.approx(pose.pitch[0], abs=1e-3)
    assert mirrored.roll[0] == pytest.approx(-pose.roll[0], abs=1e-3)


def test_the_template_for_faces_from_the_front_is_from_the_front() -> None:
    """Two sources that know nothing of each other: ArcFace's template and MediaPipe's mean face."""
    pose = poses(TEMPLATE[None])
    assert abs(pose.yaw[0]) < 1
    assert abs(pose.pitch[0]) < 2
    assert abs(pose.roll[0]) < 1
    assert pose.misfit[0] < 0.03
    assert pose.facing[0] > 0.999


def test_what_cannot_be_told_is_not_told() -> None:
    same = np.full((5, 2), 40.0)
    line = np.stack([np.arange(5) * 10.0, np.zeros(5)], axis=1)
    shuffled = TEMPLATE[[2, 3, 0, 4, 1]].astype(float)
    mirrored = TEMPLATE[[1, 0, 2, 4, 3]].astype(float)  # eyes and corners of the mouth exchanged: seen from behind
    good = TEMPLATE.astype(float)
    pose = poses(np.stack([same, line, shuffled, mirrored, good]))
    for told in (pose.yaw, pose.pitch, pose.roll):
        assert np.isnan(told).tolist() == [True, True, True, True, False]
    assert poses(np.empty((0, 5, 2))).yaw.shape == (0,)


def test_faces_do_not_change_each_other() -> None:
    many = np.concatenate([_seen(a, b, c) for a, b, c in ((10, 5, 0), (-50, 20, 30), (0, -30, 90))])
    many = many + np.random.default_rng(0).normal(0, 1, many.shape)
    together = poses(many)
    for n in range(3):
        alone = poses(many[n : n + 1])
        assert together.yaw[n] == pytest.approx(alone.yaw[0], abs=1e-5)
        assert together.pitch[n] == pytest.approx(alone.pitch[0], abs=1e-5)
