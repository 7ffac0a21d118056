"""Faces in heads, and roles from bodies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator import Detection, Face, Table
from videoannotator_person_identity.faces import head_fit, placed
from videoannotator_person_identity.roles import Sight, roles
from videoannotator_person_identity.tracks import tracks_of

LABELS = ("infant", "child", "adult")


def standing(
    height: float, head: float, *, x: float = 300, foot: float = 700, score: float = 0.9, n: int = 20, ears: float = 24
) -> Sight:
    """Somebody upright: ``head``: head length in body lengths. Trunk and shoulders in proportion to the height."""
    top = foot - height
    points = np.zeros((17, 3))
    points[:, 2] = score
    eyes = top + head * height / 2
    points[[0, 1, 2, 3, 4], 1] = eyes
    points[1, 0], points[2, 0], points[0, 0] = x + 5, x - 5, x
    points[3, 0], points[4, 0] = x + ears / 2, x - ears / 2
    for joints, y, half in (([5, 6], 0.2, 0.11), ([7, 8], 0.35, 0.13), ([9, 10], 0.48, 0.13), ([11, 12], 0.5, 0.07)):
        points[joints, 1], points[joints[0], 0], points[joints[1], 0] = (
            top + y * height,
            x + half * height,
            x - half * height,
        )
    for joints, y in (([13, 14], 0.75), ([15, 16], 0.96)):
        points[joints, 1], points[joints[0], 0], points[joints[1], 0] = top + y * height, x + 20, x - 20
    box = np.array([x - 0.2 * height, top, x + 0.2 * height, foot])
    return Sight(np.arange(n), np.tile(box, (n, 1)), np.tile(points, (n, 1, 1)))


@pytest.mark.parametrize(("head", "role"), [(1 / 3.9, "infant"), (1 / 9.0, "adult")])
def test_proportions_tell(head: float, role: str) -> None:
    found = roles({1: standing(500, head)}, LABELS, 0.8)
    assert (found[1].role, found[1].method) == (role, "proportions")
    assert found[1].score >= 0.8


def test_between_two_roles_there_is_none() -> None:
    assert roles({1: standing(500, 1 / 6.75)}, LABELS, 0.8) == {}
    assert roles({1: standing(500, 1 / 5.8)}, LABELS, 0.8) == {}  # so measured a grown woman with her hair
    assert roles({1: standing(500, 1 / 5.8)}, LABELS, 0.5)[1].role == "child"


def test_who_is_not_seen_whole_and_alone_has_no_role() -> None:
    sight = standing(500, 1 / 7.6)
    sight.keypoints[:, 15:, 2] = 0.1  # no feet
    assert roles({1: sight}, LABELS, 0.8) == {}
    assert roles({1: standing(500, 1 / 4, score=0.2)}, LABELS, 0.8) == {}
    assert roles({1: standing(500, 1 / 4, n=3)}, LABELS, 0.8) == {}


def _seated(height: float, x: float, ears: float = 24) -> Sight:
    sight = standing(height, 1 / 7, x=x, ears=ears)
    sight.keypoints[:, 13:, 2] = 0.0
    return sight


def test_size_beside_another_tells_both() -> None:
    found = roles({1: _seated(500, 300), 2: _seated(230, 450)}, LABELS, 0.8)
    assert {person: (role.role, role.method) for person, role in found.items()} == {
        1: ("adult", "size"),
        2: ("infant", "size"),
    }
    two = roles({1: _seated(500, 300), 2: _seated(230, 450)}, ("small", "tall"), 0.8)
    assert {person: role.role for person, role in two.items()} == {1: "tall", 2: "small"}


def test_equals_have_no_role_at_any_distance() -> None:
    assert roles({1: _seated(500, 300), 2: _seated(480, 450)}, LABELS, 0.8) == {}
    assert roles({1: _seated(500, 300), 2: _seated(250, 450, ears=12)}, LABELS, 0.8) == {}  # twice as far away


def test_smaller_never_makes_older() -> None:
    chances = []
    for height in range(150, 480, 20):
        found = roles({1: _seated(500, 300), 2: _seated(height, 450)}, ("small", "tall"), 0.0)
        chances.append(found[2].score if found[2].role == "small" else 1 - found[2].score) if 2 in found else None
    assert len(chances) > 5
    assert all(a >= b - 1e-12 for a, b in pairwise(chances))


# faces --------------------------------------------------------------------------------------------------------------


def test_a_face_belongs_where_the_head_is_and_not_where_boxes_overlap_most() -> None:
    """A child in front of an adult: the adult's face lies above the child's box, the child's inside both."""
    bodies = np.array([[100, 100, 300, 700], [120, 350, 260, 700]], dtype=float)
    faces = np.array([[160, 120, 230, 200], [160, 360, 220, 430]], dtype=float)
    fit = head_fit(faces, bodies, None)
    assert fit[0].argmax() == 0
    assert fit[1].argmax() == 1
    assert fit[0, 1] == 0


def test_keypoints_decide_between_two_boxes_that_hold_a_face() -> None:
    bodies = np.array([[100, 100, 300, 700], [110, 110, 310, 690]], dtype=float)
    face = np.array([[160, 120, 230, 200]], dtype=float)
    points = np.zeros((2, 17, 3))
    points[..., 2] = 0.9
    points[0, :5, :2] = [195, 160]
    points[1, :5, :2] = [290, 160]
    fit = head_fit(face, bodies, points)
    assert fit[0, 0] == pytest.approx(1)
    assert fit[0, 1] == 0


box = st.tuples(*[st.floats(0, 1000)] * 2, *[st.floats(1, 500)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(st.lists(box, min_size=1, max_size=5), st.lists(box, min_size=1, max_size=5))
def test_a_fit_is_a_share(faces: list[tuple[float, ...]], bodies: list[tuple[float, ...]]) -> None:
    fit = head_fit(np.array(faces), np.array(bodies), None)
    assert fit.shape == (len(faces), len(bodies))
    assert ((fit >= 0) & (fit <= 1)).all()


def _rows(kind: type, boxes: NDArray[np.float64], **more: object) -> Table:  # type: ignore[type-arg]  # of either kind
    columns = {name: boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))}
    return Table.of(kind, frame=np.zeros(len(boxes), int), time=np.zeros(len(boxes)), score=0.9, **columns, **more)


def test_each_face_has_one_person_and_each_person_one_face() -> None:
    tracks = tracks_of(
        _rows(Detection, np.array([[0, 0, 100, 300.0], [150, 0, 260, 300]]), label="person", track=[4, 9])
    )
    faces = _rows(Face, np.array([[30, 20, 70, 60.0], [35, 30, 75, 70], [180, 20, 220, 60], [800, 20, 840, 60]]))
    found = placed(faces, tracks, None)
    given_to = [None if row < 0 else tracks.names[tracks.track[row]] for row in found.row.tolist()]
    assert sorted(name for name in given_to if name is not None) == [4, 9]
    assert given_to[2:] == [9, None]
    assert found.company.all()
