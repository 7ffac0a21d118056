"""What needs no picture: places of labels, axes of heads, heads of bodies, what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from videoannotator.draw.canvas import Measures
from videoannotator.draw.hiding import grown, scramble
from videoannotator.draw.labels import Box, Room, places
from videoannotator.draw.look import PARTS, HideWith, Look
from videoannotator.draw.posing import head_axes, head_box
from videoannotator.draw.scene import time_text
from videoannotator.errors import ConfigError

edges = st.floats(-200, 900)
boxes = st.tuples(edges, edges, st.floats(0, 500), st.floats(0, 500)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
angles = st.floats(-90, 90)


def overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


@given(st.lists(boxes, max_size=12), st.integers(1, 640), st.integers(1, 480), st.floats(1, 120), st.floats(1, 30))
def test_labels_are_inside_and_not_over_each_other(
    found: list[Box], width: int, height: int, wide: float, high: float
) -> None:
    room = Room(width, height)
    placed: list[Box] = []
    for box in found:
        place = room.place(box, wide, high)
        if wide > width or high > height:
            assert place is None
        if place is None:
            continue
        mine = (*place, place[0] + wide, place[1] + high)
        assert 0 <= mine[0] <= mine[2] <= width + 1e-6
        assert 0 <= mine[1] <= mine[3] <= height + 1e-6
        # places are known to four pixels, so labels may touch; in labels that are smaller than that they may meet
        if min(wide, high) >= 12:
            assert all(overlap(mine, other) <= 0.5 * wide * high for other in placed)
        placed.append(mine)


def test_a_label_leaves_a_face_free() -> None:
    room = Room(640, 480)
    face = (100.0, 0.0, 160.0, 60.0)
    room.keep_clear(face)
    place = room.place((100.0, 0.0, 200.0, 300.0), 80, 16)  # above its box is no room, inside it is the face
    assert place is not None
    assert overlap((*place, place[0] + 80, place[1] + 16), face) == 0


def test_a_hundred_labels_in_one_place_are_not_all_written() -> None:
    room = Room(320, 240)
    given_places = [room.place((100.0, 100.0, 140.0, 180.0), 60, 14) for _ in range(100)]
    assert 4 <= sum(place is not None for place in given_places) < 20


@given(boxes, st.floats(1, 100), st.floats(1, 30), st.booleans())
def test_the_first_place_is_the_one_that_was_asked_for(box: Box, wide: float, high: float, below: bool) -> None:
    x, y = places(box, wide, high, below=below)[0]
    assert (x, y) == (box[0], box[3] if below else box[1] - high)


@given(angles, angles, angles)
def test_the_axes_of_a_head_are_those_of_a_rotation(yaw: float, pitch: float, roll: float) -> None:
    axes = head_axes(yaw, pitch, roll)
    assert np.allclose((axes**2).sum(axis=0), 1)  # columns of the three axes in two of three orthogonal directions
    assert np.isclose(axes[:, 0] @ axes[:, 1], 0)


@pytest.mark.parametrize(
    ("angles", "nose", "left", "up"),
    [
        ((0, 0, 0), (0, 0), (1, 0), (0, -1)),
        ((90, 0, 0), (1, 0), (0, 0), (0, -1)),  # to its own left is to the right of the picture
        ((0, 90, 0), (0, 1), (1, 0), (0, 0)),  # looking down
        ((0, 0, 90), (0, 0), (0, -1), (-1, 0)),  # to its own right shoulder: anticlockwise in the picture
    ],
)
def test_axes_point_where_the_head_does(
    angles: tuple[float, float, float], nose: tuple[int, int], left: tuple[int, int], up: tuple[int, int]
) -> None:
    assert np.allclose(head_axes(*angles), [left, up, nose], atol=1e-9)


def body(**points: tuple[float, float]) -> np.ndarray:
    names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"]
    keypoints = np.zeros((17, 3), dtype=np.float32)
    for name, (x, y) in points.items():
        keypoints[names.index(name)] = (x, y, 0.9)
    return keypoints


@given(st.floats(5, 400), st.floats(0, 1000), st.floats(0, 1000))
def test_a_head_holds_what_is_seen_of_it_and_moves_with_it(size: float, x: float, y: float) -> None:
    seen = {"nose": (0.0, 0.2), "left_eye": (0.25, 0.0), "right_eye": (-0.25, 0.0), "left_ear": (0.5, 0.1)}
    at = {name: (x + size * a, y + size * b) for name, (a, b) in seen.items()}
    box = head_box(body(**at), 0.3)
    assert box is not None
    for px, py in at.values():
        assert box[0] < px < box[2]
        assert box[1] < py < box[3]
    assert box[2] - box[0] == pytest.approx(2 * 0.9 * size * np.hypot(0.75, 0.1), rel=1e-2)


def test_heads_that_are_not_seen_have_no_box() -> None:
    assert head_box(body(), 0.3) is None
    assert head_box(body(left_shoulder=(0, 0), right_shoulder=(90, 0)), 0.3) is None
    assert head_box(np.zeros((5, 3), dtype=np.float32), 0.3) is None
    alone = head_box(body(nose=(50, 20), left_shoulder=(0, 80), right_shoulder=(100, 80)), 0.3)
    assert alone == pytest.approx((10, -20, 90, 60))


@settings(max_examples=60, deadline=None)
@given(boxes, st.sampled_from(["blur", "pixelate", "fill"]), st.integers(1, 80), st.integers(1, 60))
def test_hiding_changes_what_is_inside_and_nothing_else(box: Box, how: HideWith, width: int, height: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).copy()
    scramble(picture, box, how)
    after = np.asarray(picture)
    outside = np.ones((height, width), dtype=bool)
    x1, y1 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    outside[y1 : max(0, int(np.ceil(box[3]))), x1 : max(0, int(np.ceil(box[2])))] = False
    assert (after[outside] == noise[outside]).all()


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill"])
@pytest.mark.parametrize("size", [24, 60, 300])
def test_what_is_hidden_cannot_be_read(how: HideWith, size: int) -> None:
    """A fine chequered pattern, which any detail that was left would show."""
    pattern = np.indices((size, size)).sum(axis=0) // max(1, size // 24) % 2 * 255
    picture = Image.fromarray(np.repeat(pattern[..., None], 3, axis=2).astype(np.uint8)).copy()
    scramble(picture, (0, 0, size, size), how)
    left = np.asarray(picture).astype(float).mean(axis=2)
    shown = np.corrcoef(left.ravel(), pattern.ravel())[0, 1] if left.std() else 0.0
    assert abs(shown) < 0.2
    assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) <= 49 or how == "blur"


@given(boxes, st.floats(0, 1))
def test_grown_boxes_hold_the_box(box: Box, share: float) -> None:
    x1, y1, x2, y2 = grown(box, share)
    assert x1 <= box[0] <= box[2] <= x2
    assert y1 <= box[1] <= box[3] <= y2


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_letters_can_be_read(width: int, height: int) -> None:
    measures = Measures(width, height)
    assert 11 <= measures.letters <= 44
    assert measures.line >= 1.5


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.000 s"), (59.9994, "59.999 s"), (59.9996, "1:00.000"), (3723.4567, "1:02:03.457")]
)
def test_times_are_written_to_the_millisecond(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"show": "boxs"}, "did you mean 'boxes'"),
        ({"hide": "everyone"}, "hide must be one of nothing, faces, persons, all"),
        ({"hide_with": "stickers"}, "hide_with must be one of"),
        ({"hide_only": ["mother"]}, "hide must be 'faces' or 'persons'"),
        ({"keypoint_score": 2}, r"must be in \[0, 1\]"),
        ({"hide_hold": -1}, "must be 0 or more seconds"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Look(**options)  # type: ignore[arg-type]


def test_parts_are_given_as_text_or_as_a_list() -> None:
    assert Look(show="boxes, time").show == Look(show=["time", "boxes"]).show == {"boxes", "time"}
    assert Look().show == set(PARTS) - {"expressions", "scores"}
