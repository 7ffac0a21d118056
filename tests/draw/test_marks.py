"""What is drawn of things beside their boxes: areas, dense points, directions of gaze."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

import videoannotator as va
from videoannotator import draw
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Face
from videoannotator.data.table import Table
from videoannotator.draw.areas import pixels_of
from videoannotator.draw.style import track_color
from videoannotator.errors import DataError, MissingDependencyError
from videoannotator.testing.clips import write_clip

from .drawn import differing, make_result

WIDTH, HEIGHT = 320, 240
BOX = (100.0, 60.0, 180.0, 140.0)
EYES = (125.0, 90.0), (155.0, 90.0)
FIVE = np.array([*EYES, (140, 105), (128, 122), (152, 122)], dtype=np.float32)

Pixels = Annotated[float, va.Dtype("float32"), va.Unit("px")]
Degrees = Annotated[float, va.Unit("deg")]
Radians = Annotated[float, va.Unit("rad")]


@va.row
class Mesh:
    """Many points of a face that another pipeline found."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    points: Annotated[NDArray[np.float32], va.ArrayOf("float32", (None, 3))] | None


@va.row
class Look:
    """Where the eyes of a face look."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    gaze_yaw: Degrees | None
    gaze_pitch: Degrees | None


@va.row
class Unsaid:
    """The same in another unit."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    gaze_yaw: Radians
    gaze_pitch: Radians


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at ten frames a second, 320 x 240."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=20, rate=10, size=(WIDTH, HEIGHT))


def painted(result: Result, show: str, frame: int = 3, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(
        draw.frame(result, frame=frame, look=draw.Look(show=[part for part in show.split(",") if part], **options))
    )


def faces() -> Table[Any]:
    return Table.from_rows(Face, [Face(3, 0.3, 0.9, *BOX, 1, FIVE)])


def test_a_mask_is_glass_in_the_colour_of_the_track(clip: Path) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    inside = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    inside[60:140, 100:140] = 1  # the left half of the box
    mask = coco.encode(np.asfortranarray(inside))["counts"].decode()
    rows = [Detection(3, 0.3, "person", 0.9, *BOX, 1, None, mask), Detection(3, 0.3, "person", 0.9, *BOX, 2)]
    result = make_result(clip, {"person_tracking": Table.from_rows(Detection, rows)}, rate=2.0)
    plain, drawn = painted(result, ""), painted(result, "masks")
    expected = 0.6 * plain + 0.4 * np.array(track_color(1))
    covered = inside.astype(bool)
    assert np.abs(drawn[covered] - expected[covered]).max() < 2
    assert (drawn[~covered] == plain[~covered]).all()
    assert (painted(result, "masks", frame=4) == painted(result, "", frame=4)).all(), "it was not seen on that frame"
    half = np.asarray(draw.frame(result, frame=3, height=HEIGHT // 2, look=draw.Look(show=["masks"])))
    changed = differing(half, np.asarray(draw.frame(result, frame=3, height=HEIGHT // 2, look=draw.Look(show=[]))), 20)
    assert changed[32:68, 52:68].mean() > 0.95
    assert not changed[:, 72:].any()


def test_masks_that_cannot_be_drawn_are_said(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    larger = coco.encode(np.ones((HEIGHT, 2 * WIDTH), dtype=np.uint8, order="F"))["counts"].decode()
    with pytest.raises(DataError, match="320 x 240"):
        pixels_of(larger, WIDTH, HEIGHT)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(MissingDependencyError, match=r"videoannotator\[draw\]"):
        pixels_of("0", WIDTH, HEIGHT)


def test_dense_points_are_dots_where_they_are(clip: Path) -> None:
    across, down = np.meshgrid(np.linspace(105, 175, 22), np.linspace(65, 135, 22))
    points = np.stack([across.ravel(), down.ravel(), np.zeros(across.size)], axis=1).astype(np.float32)
    mesh = Table.from_rows(Mesh, [Mesh(3, 0.3, *BOX, points)])
    result = make_result(
        clip, {"face_landmarks": mesh, "face_analysis": Table.from_rows(Face, [Face(3, 0.3, 0.9, *BOX)])}
    )
    plain, drawn = painted(result, "faces"), painted(result, "faces,landmarks")
    changed = differing(plain, drawn, 20)
    for x, y, _ in points[::37]:
        assert changed[round(float(y)) - 1 : round(float(y)) + 2, round(float(x)) - 1 : round(float(x)) + 2].any()
    assert changed[65:136, 105:176].mean() < 0.6, "the face is still to be seen between them"
    assert not changed[:58].any()
    assert not changed[:, 184:].any()
    assert (painted(result, "faces,landmarks", pipelines=("face_analysis",)) == plain).all()


def test_dense_points_do_not_paint_over_small_faces(clip: Path) -> None:
    small = (100.0, 60.0, 120.0, 80.0)
    points = np.array([(100 + n % 20, 60 + n // 20, 0) for n in range(400)], dtype=np.float32)
    result = make_result(clip, {"meshes": Table.from_rows(Mesh, [Mesh(3, 0.3, *small, points)])})
    with_faces = make_result(
        clip,
        {
            "meshes": result["meshes"].rows,
            "face_analysis": Table.from_rows(Face, [Face(3, 0.3, 0.9, *small, 1, FIVE * 0 + 110)]),
        },
    )
    changed = differing(painted(with_faces, "faces"), painted(with_faces, "faces,landmarks"), 20)
    assert 0 < changed.sum() < 60, "the five landmarks, and no more"


@pytest.mark.parametrize(
    ("yaw", "pitch", "towards"), [(60, 0, (1, 0)), (-60, 0, (-1, 0)), (0, 60, (0, 1)), (0, -60, (0, -1))]
)
def test_gaze_is_an_arrow_from_between_the_eyes(clip: Path, yaw: float, pitch: float, towards: Any) -> None:
    gaze = Table.from_rows(Look, [Look(3, 0.3, *BOX, yaw, pitch)])
    result = make_result(clip, {"pyfeat": gaze, "face_analysis": faces()})
    changed = differing(painted(result, "faces"), painted(result, "faces,gaze"), 20)
    ys, xs = np.nonzero(changed)
    length = 80 * np.sin(np.radians(60))
    tip = np.array((140, 90)) + length * np.array(towards)
    far = np.array([xs - 140, ys - 90]).T @ np.array(towards)
    assert far.max() == pytest.approx(length, abs=4)
    assert far.min() > -6
    assert changed[round(tip[1]) - 3 : round(tip[1]) + 4, round(tip[0]) - 3 : round(tip[0]) + 4].any()


def test_a_gaze_into_the_camera_is_a_dot_and_a_missing_one_nothing(clip: Path) -> None:
    def changed(table: Table[Any]) -> NDArray[np.bool_]:
        result = make_result(clip, {"pyfeat": table, "face_analysis": faces()})
        return differing(painted(result, "faces"), painted(result, "faces,gaze"), 20)

    ys, xs = np.nonzero(changed(Table.from_rows(Look, [Look(3, 0.3, *BOX, 0.0, 0.0)])))
    assert (xs.mean(), ys.mean()) == pytest.approx((140, 90), abs=1.5)
    assert xs.max() - xs.min() < 12
    assert not changed(Table.from_rows(Look, [Look(3, 0.3, *BOX, None, None)])).any()
    assert not changed(Table.from_rows(Unsaid, [Unsaid(3, 0.3, *BOX, 1.0, 0.0)])).any(), "signs that nobody has told"


def test_a_gaze_without_other_faces_is_drawn_on_its_own_box(clip: Path) -> None:
    result = make_result(clip, {"pyfeat": Table.from_rows(Look, [Look(3, 0.3, *BOX, 60.0, 0.0)])})
    changed = differing(painted(result, "faces"), painted(result, "faces,gaze"), 20)
    assert np.nonzero(changed)[1].max() == pytest.approx(140 + 80 * np.sin(np.radians(60)), abs=4)
