"""Decoding and suppression against deface's own code, on maps made at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator_face_analysis.decoding import decode, suppressed

centerface = pytest.importorskip("deface.centerface", reason="deface, the reference, is not installed")


def _reference(maps: tuple[Any, ...], threshold: float) -> tuple[np.ndarray, np.ndarray]:
    height, width = (4 * side for side in maps[0].shape)
    batched = maps[0][None, None], *(m[None] for m in maps[1:])
    decoder = object.__new__(centerface.CenterFace)  # decode() uses no state; __init__ would load the network
    boxes, landmarks = decoder.decode(*batched, (height, width), threshold=threshold)
    return np.asarray(boxes).reshape(-1, 5), np.asarray(landmarks).reshape(-1, 5, 2)


def _maps(seed: int, height: int, width: int) -> tuple[Any, ...]:
    random = np.random.default_rng(seed)
    heatmap = (random.random((height, width)) ** 6).astype(np.float32)
    scale = random.normal(1.5, 1.2, (2, height, width)).astype(np.float32)
    offset = random.normal(0, 0.4, (2, height, width)).astype(np.float32)
    landmarks = random.normal(0.5, 0.4, (10, height, width)).astype(np.float32)
    return heatmap, scale, offset, landmarks


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(2, 12), st.floats(0.0, 1.0))
def test_faces_are_those_of_deface(seed: int, height: int, width: int, threshold: float) -> None:
    maps = _maps(seed, height, width)
    boxes, landmarks = _reference(maps, threshold)
    found = decode(*maps, threshold=threshold, overlap=0.3)
    best_first = np.argsort(-boxes[:, 4])
    np.testing.assert_array_equal(found.scores, boxes[best_first, 4])
    np.testing.assert_allclose(found.boxes, boxes[best_first, :4], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found.landmarks, landmarks[best_first], rtol=1e-5, atol=1e-4)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.floats(0.05, 1.0))
def test_suppression_keeps_what_deface_keeps(seed: int, count: int, overlap: float) -> None:
    random = np.random.default_rng(seed)
    corner, size = random.random((count, 2)) * 60, random.random((count, 2)) * 40 + 1
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = random.permutation(np.linspace(0, 1, count)).astype(np.float32)
    kept = suppressed(boxes, scores, overlap)
    assert sorted(kept.tolist()) == centerface.CenterFace.nms(boxes, scores, overlap).tolist()
    assert (np.diff(scores[kept]) < 0).all()


def test_boxes_without_area_suppress_nothing() -> None:
    boxes = np.array([[8, 0, 8, 4], [8, 0, 8, 4]], dtype=np.float32)
    assert suppressed(boxes, np.array([0.9, 0.8], dtype=np.float32), 0.3).tolist() == [0, 1]


def test_one_face_is_where_the_maps_put_it() -> None:
    heatmap = np.zeros((16, 16), dtype=np.float32)
    scale, offset, landmarks = (np.zeros((n, 16, 16), dtype=np.float32) for n in (2, 2, 10))
    heatmap[8, 4] = 0.75
    scale[:, 8, 4] = np.log([6, 4])  # 24 tall, 16 wide
    offset[:, 8, 4] = 0.25, -0.25  # y, x
    landmarks[:, 8, 4] = [0.25, 0.75] * 5  # a quarter down, three quarters to the right
    found = decode(heatmap, scale, offset, landmarks, threshold=0.5, overlap=0.3)
    np.testing.assert_allclose(found.boxes, [[9, 23, 25, 47]], rtol=1e-6)
    np.testing.assert_allclose(found.landmarks, [[[21, 29]] * 5], rtol=1e-6)
    assert len(decode(heatmap, scale, offset, landmarks, threshold=0.75, overlap=0.3)) == 0
