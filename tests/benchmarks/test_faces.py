"""What the accuracy benchmark of faces calls the same face."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.accuracy.faces import agreement

from videoannotator import Face, Table

MARKS = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], dtype=np.float32)


def _faces(*places: tuple[int, float]) -> Table[Face]:
    """Faces of 40 pixels, by frame and place."""
    rows = [Face(frame, frame / 5, 0.9, x, 0, x + 40, 40, None, np.add(MARKS, [x, 0])) for frame, x in places]
    return Table.from_rows(Face, rows)


def test_faces_of_one_frame_that_overlap_by_half_are_the_same() -> None:
    one, other = _faces((0, 0), (0, 100), (1, 0), (2, 0)), _faces((0, 4), (1, 30), (3, 0))
    same = agreement(one, other)
    assert (same.faces, same.other, same.both) == (4, 3, 1)
    assert same.iou == pytest.approx(36 / 44)
    assert same.landmarks == pytest.approx(4 / 20)
    back = agreement(other, one)
    assert (back.faces, back.other, back.both) == (3, 4, 1)


def test_a_face_has_one_partner() -> None:
    same = agreement(_faces((0, 0), (0, 8)), _faces((0, 4)))
    assert (same.faces, same.both) == (2, 1)
    crossed = agreement(_faces((0, 0), (0, 10)), _faces((0, 10), (0, 20)))
    assert crossed.both == 2  # as many as can be, though one would fit better elsewhere


def test_nothing_is_nothing() -> None:
    same = agreement(_faces(), _faces((0, 0)))
    assert (same.faces, same.both) == (0, 0)
    assert math.isnan(same.iou)
