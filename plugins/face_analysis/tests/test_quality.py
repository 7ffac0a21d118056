"""Distance of the eyes and sharpness."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator_face_analysis.quality import eye_distances, sharpness

MARKS = np.array([[(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]], dtype=np.float32)


def test_eyes_are_as_far_apart_as_they_are_seen() -> None:
    assert eye_distances(MARKS)[0] == pytest.approx(np.hypot(46, 3))
    assert eye_distances(2 * MARKS)[0] == pytest.approx(2 * np.hypot(46, 3))
    assert eye_distances(np.empty((0, 5, 2))).shape == (0,)


def test_a_blurred_face_is_less_sharp(astronaut: NDArray[np.uint8]) -> None:
    values = [sharpness(astronaut, MARKS)[0]]
    values += [sharpness(cv2.GaussianBlur(astronaut, (0, 0), s), MARKS)[0] for s in (1, 2, 4, 8)]
    assert all(a > 1.5 * b for a, b in itertools.pairwise(values))
    assert values[-1] > 0


def test_a_large_picture_of_a_face_is_as_sharp_as_its_smaller_copy(astronaut: NDArray[np.uint8]) -> None:
    """Measured at one size; a copy that was made small and large again has lost its detail."""
    whole = sharpness(astronaut, MARKS)[0]
    twice = cv2.resize(astronaut, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert sharpness(twice, 2 * MARKS)[0] == pytest.approx(whole, rel=0.35)
    tiny = cv2.resize(astronaut, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    assert sharpness(tiny, 0.2 * MARKS)[0] < whole / 4


def test_a_turned_picture_of_a_face_is_as_sharp(astronaut: NDArray[np.uint8]) -> None:
    turned = np.ascontiguousarray(np.rot90(astronaut))  # (x, y) -> (y, 511 - x)
    marks = np.stack([MARKS[..., 1], 511 - MARKS[..., 0]], axis=-1)
    assert sharpness(turned, marks)[0] == pytest.approx(sharpness(astronaut, MARKS)[0], rel=0.05)


def test_what_lies_outside_does_not_count(astronaut: NDArray[np.uint8]) -> None:
    """The border between the picture and the black beside it is no edge of the face."""
    grey = np.full((100, 100, 3), 128, np.uint8)
    assert sharpness(grey, MARKS - [203, 101] + [5, 30])[0] == pytest.approx(0, abs=1e-9)
    half = np.ascontiguousarray(astronaut[:, 215:])
    assert 0 < sharpness(half, MARKS - [215, 0])[0] < 4 * sharpness(astronaut, MARKS)[0]


def test_what_cannot_be_measured_is_not(astronaut: NDArray[np.uint8]) -> None:
    outside, point = MARKS + 2000, np.full((1, 5, 2), 100.0)
    values = sharpness(astronaut, np.concatenate([outside, point, MARKS]))
    assert np.isnan(values).tolist() == [True, True, False]
    assert sharpness(astronaut, np.empty((0, 5, 2))).shape == (0,)
