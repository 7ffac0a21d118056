"""Faces laid onto the template, and cut out, against OpenCV's and scikit-image's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator_face_analysis.cropping import (
    TEMPLATE,
    TEMPLATE_SIZE,
    aligned,
    clipped,
    cut,
    similarities,
    squares,
)


def _moved(points: NDArray[Any], angle: float, scale: float, shift: tuple[float, float]) -> NDArray[Any]:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


_moves = st.tuples(
    st.floats(-np.pi, np.pi),
    st.floats(0.1, 10),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)


@settings(max_examples=100, deadline=None)
@given(_moves)
def test_a_moved_template_is_laid_back(move: Any) -> None:
    points = _moved(TEMPLATE.astype(float), *move)
    (matrix,) = similarities(points[None], TEMPLATE)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], TEMPLATE, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), _moves)
def test_transforms_are_those_of_scikit_image(seed: int, move: Any) -> None:
    transform = pytest.importorskip("skimage.transform", reason="scikit-image, the reference, is not installed")
    points = _moved(TEMPLATE + np.random.default_rng(seed).normal(0, 6, TEMPLATE.shape), *move)
    expected = transform.SimilarityTransform.from_estimate(points, TEMPLATE.astype(float)).params[:2]
    np.testing.assert_allclose(similarities(points[None], TEMPLATE)[0], expected, rtol=1e-6, atol=1e-6)


def test_landmarks_in_one_point_lie_nowhere() -> None:
    assert np.isnan(similarities(np.full((1, 5, 2), 7.0), TEMPLATE)).all()
    assert similarities(np.empty((0, 5, 2)), TEMPLATE).shape == (0, 2, 3)


def test_aligned_faces_are_those_of_opencv(astronaut: NDArray[np.uint8], yunet: Path, tmp_path: Path) -> None:
    """`cv2.FaceRecognizerSF` needs a network to be made; which one plays no part in `alignCrop`."""
    recognizer = cv2.FaceRecognizerSF.create(str(yunet), "")
    marks = np.array([(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)], dtype=np.float32)
    for angle, size in ((0.0, 1.0), (0.6, 0.7), (-2.0, 0.4), (0.2, 0.25)):
        moved = _moved(marks - [225, 120], angle, size, (256, 256)).astype(np.float32)
        (transform,) = similarities(marks[None], moved)
        picture = cv2.warpAffine(astronaut, transform, (512, 512))
        face = np.concatenate([np.zeros(4), moved.ravel(), [0.9]]).astype(np.float32)[None]
        theirs = recognizer.alignCrop(picture, face).astype(int)
        (ours,) = aligned(picture, moved[None])
        difference = np.abs(ours.astype(int) - theirs)
        assert difference.max() <= 3, (angle, size, difference.max())
        assert difference.mean() < 0.1


def test_a_larger_crop_shows_the_same(astronaut: NDArray[np.uint8]) -> None:
    marks = np.array([[(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]], dtype=np.float32)
    (small,), (large,) = aligned(astronaut, marks), aligned(astronaut, marks, size=2 * TEMPLATE_SIZE)
    assert np.abs(cv2.resize(large, (112, 112)).astype(int) - small).mean() < 4


_coordinates = st.floats(-200, 200, width=32)
_boxes = st.tuples(_coordinates, _coordinates, st.floats(0.5, 200, width=32), st.floats(0.5, 200, width=32)).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]], dtype=np.float32)
)


@settings(max_examples=100, deadline=None)
@given(_boxes, st.floats(0, 1))
def test_squares_hold_their_boxes_in_the_middle(box: NDArray[np.float32], margin: float) -> None:
    (square,) = squares(box[None], margin).astype(float)
    sides = square[2:] - square[:2]
    np.testing.assert_allclose(sides, (box[2:] - box[:2]).max() * (1 + 2 * margin), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose((square[:2] + square[2:]) / 2, (box[:2] + box[2:]) / 2, atol=1e-2)


@settings(max_examples=100, deadline=None)
@given(_boxes)
def test_a_cut_shows_what_is_there_and_black_around_it(box: NDArray[np.float32]) -> None:
    picture = np.random.default_rng(0).integers(1, 256, (60, 80, 3), dtype=np.uint8)
    part = cut(picture, box)
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    assert part.shape == (max(y2 - y1, 1), max(x2 - x1, 1), 3)
    for y, x in ((0, 0), (part.shape[0] - 1, part.shape[1] - 1), (part.shape[0] // 2, part.shape[1] // 2)):
        there = 0 <= y1 + y < 60 and 0 <= x1 + x < 80
        expected = picture[y1 + y, x1 + x] if there else [0, 0, 0]
        np.testing.assert_array_equal(part[y, x], expected)
    assert cut(picture, box, 24).shape == (24, 24, 3)
    inside = clipped(box[None], 80, 60)
    assert (inside >= 0).all()
    assert (inside[0, 2:] <= [80, 60]).all()
