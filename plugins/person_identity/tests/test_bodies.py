"""Faces in heads, and roles from bodies."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator import Detection, Face, Table
from videoannotator_person_identity.faces import head_fit, placed
from videoannotator_person_identity.roles import Sight, roles
from videoannotator_person_identity.tracks import tracks_of

LABELS = ("infant", "child", "adult")


@attrs.frozen
class Body:
    """Somebody's measures: length in m, all else in body lengths, heights from the top of the head down."""

    length: float
    head: float
    shoulders: float
    hips: float
    across: float
    ears: float


# about the middle of their age; lengths: WHO's growth standards and reference (medians); adults: 7.5 heads long
ADULT = Body(1.70, 1 / 7.6, 0.18, 0.48, 0.20, 0.090)
TALL, SHORT = attrs.evolve(ADULT, length=1.95), attrs.evolve(ADULT, length=1.50, ears=0.098)
CHILD = Body(1.15, 1 / 6, 0.205, 0.515, 0.205, 0.126)
INFANT = Body(0.75, 1 / 4.6, 0.25, 0.60, 0.22, 0.173)


def seen(
    body: Body, *, away: float = 3.0, above: float = 0.0, legs: bool = True, score: float = 0.9, n: int = 20
) -> Sight:
    """Somebody upright who faces a camera of 1000 px focal length, ``away`` metres from it, for two seconds.

    ``above``: degrees by which the camera looks down on them. ``legs``: in the picture.
    """
    forward = 0.055  # eyes and nose before the middle of the body, in body lengths
    eyes, nose = body.head / 2, body.head * 0.62
    joints = np.zeros((17, 3))  # aside, down, forward
    joints[0] = 0, nose, forward * 1.3
    joints[1], joints[2] = (body.ears / 4.8, eyes, forward), (-body.ears / 4.8, eyes, forward)
    joints[3], joints[4] = (body.ears / 2, eyes, 0), (-body.ears / 2, eyes, 0)
    for left, down, half in ((5, body.shoulders, 1.0), (7, 0.36, 1.2), (9, 0.48, 1.2), (11, body.hips, 0.6)):
        joints[left], joints[left + 1] = (half * body.across / 2, down, 0), (-half * body.across / 2, down, 0)
    for left, down in ((13, (body.hips + 0.955) / 2), (15, 0.955)):
        joints[left], joints[left + 1] = (0.05, down, 0), (-0.05, down, 0)
    turn, scale = np.radians(above), 1000 * body.length / away
    points = np.zeros((17, 3))
    points[:, 0] = 640 + scale * joints[:, 0]
    points[:, 1] = 100 + scale * (joints[:, 1] * np.cos(turn) + joints[:, 2] * np.sin(turn))
    points[:, 2] = score
    if not legs:
        points[13:, 2] = 0.0
    crown = 100 - scale * body.head / 3 * np.sin(turn)  # the back of the head comes up over its top
    foot = 100 + scale * ((1.0 if legs else body.hips + 0.1) * np.cos(turn))
    box = np.array([640 - 0.2 * scale, crown, 640 + 0.2 * scale, foot])
    return Sight(np.arange(n) / 10, np.tile(box, (n, 1)), np.tile(points, (n, 1, 1)))


def told(*sights: Sight, labels: tuple[str, ...] = LABELS, least: float = 0.8) -> list[str | None]:
    """Roles in the order of the persons."""
    found = roles(dict(enumerate(sights)), labels, least)
    return [found[i].role if i in found else None for i in range(len(sights))]


@pytest.mark.parametrize("away", [(3.0, 3.0), (2.0, 4.0), (4.0, 2.0)])
def test_an_adult_and_an_infant_at_any_distance(away: tuple[float, float]) -> None:
    found = roles({1: seen(ADULT, away=away[0]), 2: seen(INFANT, away=away[1])}, LABELS, 0.8)
    assert {person: role.role for person, role in found.items()} == {1: "adult", 2: "infant"}
    assert found[2].method == "proportions+size"
    assert min(role.score for role in found.values()) >= 0.8


@pytest.mark.parametrize("away", [(1.5, 1.5), (1.0, 2.0), (2.0, 1.0)])
def test_seen_to_the_hips_size_beside_another_tells(away: tuple[float, float]) -> None:
    pair = seen(ADULT, away=away[0], legs=False), seen(INFANT, away=away[1], legs=False)
    assert told(*pair, labels=("small", "tall")) == ["tall", "small"]
    assert told(*pair) == ["adult", None]  # infant or child: the size alone does not say it surely
    assert {role.method for role in roles(dict(enumerate(pair)), LABELS, 0.8).values()} == {"size"}


@pytest.mark.parametrize("legs", [True, False])
@pytest.mark.parametrize("away", [(3.0, 3.0, 3.0), (1.5, 3.0, 6.0), (6.0, 1.5, 3.0)])
def test_adults_are_no_children_at_any_distance(away: tuple[float, float, float], legs: bool) -> None:
    sights = [seen(body, away=d, legs=legs) for body, d in zip((ADULT, TALL, SHORT), away, strict=True)]
    assert set(told(*sights)) <= {"adult", None}
    assert set(told(*sights, labels=("small", "tall"))) <= {"tall", None}
    if not legs:
        assert told(*sights) == [None] * 3


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_adult_is_ever_called_small(data: st.DataObject) -> None:
    """Of any build, with hair, near or far, seen from any height, alone or in company, whole or not."""
    sights = []
    for _ in range(data.draw(st.integers(1, 4))):
        vary = st.floats(0.95, 1.05)
        body = attrs.evolve(
            ADULT,
            length=data.draw(st.floats(1.5, 2.0)),
            head=ADULT.head * data.draw(st.floats(0.93, 1.2)),
            across=ADULT.across * data.draw(vary),
            hips=ADULT.hips * data.draw(vary),
            ears=ADULT.ears * data.draw(vary),
        )
        sights.append(
            seen(
                body,
                away=data.draw(st.floats(1, 20)),
                above=data.draw(st.floats(0, 75)),
                legs=data.draw(st.booleans()),
            )
        )
    assert set(told(*sights)) <= {"adult", None}


def test_a_crowd_of_equals_has_its_largest_and_smallest() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(50):
        crowd = [
            seen(attrs.evolve(ADULT, ears=ADULT.ears * np.exp(rng.normal(0, 0.13))), legs=False) for _ in range(12)
        ]
        wrong += sum(role is not None for role in told(*crowd, labels=("small", "tall")))
    assert wrong <= 0.02 * 50 * 12


def test_a_child_is_no_adult_and_no_infant() -> None:
    assert set(told(seen(CHILD), seen(ADULT))) <= {"child", "adult", None}
    assert told(seen(CHILD))[0] in {"child", None}
    assert told(seen(attrs.evolve(CHILD, head=CHILD.head * 1.1)), least=0.5) == ["child"]  # with hair


def test_one_who_is_alone_and_not_seen_whole_has_no_role() -> None:
    for body in (ADULT, CHILD, INFANT):
        assert told(seen(body, legs=False)) == [None]


def test_what_is_too_small_too_short_or_unsure_tells_nothing() -> None:
    assert told(seen(INFANT)) == ["infant"]
    assert told(seen(INFANT, away=10)) == [None]
    assert told(seen(INFANT, n=5)) == [None]
    assert told(seen(INFANT, score=0.4)) == [None]
    still = seen(INFANT)
    assert told(attrs.evolve(still, time=still.time / 10)) == [None]  # for a fifth of a second


def test_seen_from_above_nobody_is_told() -> None:
    """Heads seen from above look as large as infants': the mistake that was made of a crowd in the street."""
    plain = seen(ADULT, above=50)
    box, points = plain.box[0], plain.keypoints[0]
    assert 2 * (points[1, 1] - box[1]) / (box[3] - box[1]) > 1 / 5  # an infant's head
    assert told(plain) == [None]


def test_points_that_are_no_body_tell_nothing() -> None:
    """What a pose network draws into a chair: sure of itself, and nothing is where it must be."""
    for change in ("nose above the eyes", "ears together", "hips above", "shoulders together"):
        sight = seen(INFANT)
        points = sight.keypoints
        if change == "nose above the eyes":
            points[:, 0, 1] = points[:, 1, 1] - 10
        elif change == "ears together":
            points[:, 3:5, 0] = 640
        elif change == "hips above":
            points[:, 11:13, 1] = points[:, 5:7, 1] - 5
        else:
            points[:, 5:7, 0] = 640
        assert told(sight) == [None], change


def test_measures_that_disagree_say_nothing() -> None:
    """An infant's head on long legs: a mask, a hat, a wrong box."""
    large = attrs.evolve(INFANT, head=1 / 4.3, shoulders=0.26)
    assert told(seen(large)) == ["infant"]
    assert told(seen(attrs.evolve(large, shoulders=0.27, hips=0.5))) == [None]


def test_smaller_never_makes_older() -> None:
    chances = []
    for ears in np.linspace(0.09, 0.20, 23):
        pair = {1: seen(ADULT, legs=False), 2: seen(attrs.evolve(ADULT, ears=float(ears)), legs=False)}
        found = roles(pair, ("small", "tall"), 0.0)
        if 2 in found:
            chances.append(found[2].score if found[2].role == "small" else 1 - found[2].score)
    assert len(chances) > 5
    assert all(a <= b + 1e-12 for a, b in pairwise(chances))


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
