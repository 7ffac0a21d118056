"""Who speaks, on pictures and on time lines: rows are known by their columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

import videoannotator as va
from videoannotator import draw
from videoannotator.data.boxes import box_tables
from videoannotator.data.result import Result
from videoannotator.data.rows import Face
from videoannotator.data.table import Table
from videoannotator.draw.lanes import lanes
from videoannotator.draw.style import FAINT, SPEECH, UNKNOWN, track_color
from videoannotator.testing.clips import write_clip

from .drawn import make_result

Pixels = Annotated[float, va.Dtype("float32"), va.Unit("px")]
BOXES = {1: (60.0, 60.0, 120.0, 130.0), 2: (200.0, 60.0, 260.0, 130.0)}


@va.row
class Speaks:
    """Whether a face speaks in one frame."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int
    speaking: bool
    speaker: str | None = None


@va.row
class Seen:
    """Whose face a voice comes from."""

    start: float
    end: float
    on_screen: str
    speaker: str | None = None
    face: int | None = None
    person: int | None = None


@va.row
class Somebody:
    """A person with a name."""

    person: int
    name: str


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at ten frames a second, 320 x 240."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=20, rate=10, size=(320, 240))


def _result(clip: Path, speaker: str | None) -> Result:
    names = ("x1", "y1", "x2", "y2")
    faces, speaks = [], []
    for track, box in BOXES.items():
        place = dict(zip(names, box, strict=True))
        five = np.array([[75, 80], [105, 80], [90, 95], [78, 115], [102, 115]], dtype=np.float32)
        faces.append(Face(frame=5, time=0.5, score=0.9, track=track, landmarks=five, **place))
        said = track == 1
        speaks.append(Speaks(frame=5, time=0.5, track=track, speaking=said, speaker=speaker if said else None, **place))
    spans = [
        Seen(0.0, 0.5, "on_screen", speaker, face=1, person=7),
        Seen(0.5, 1.0, "on_screen", speaker, face=2),
        Seen(1.0, 1.5, "off_screen", speaker),
        Seen(1.5, 2.0, "unknown", speaker),
    ]
    told = {"frames": Table.from_rows(Speaks, speaks), "speaking": Table.from_rows(Seen, spans)}
    people = Table.from_rows(Somebody, [Somebody(7, "Ann")])
    return make_result(clip, {"found": Table.from_rows(Face, faces), "told": told, "known": people})


def _blue(result: Result, box: tuple[float, ...], look: draw.Look) -> float:
    """How much of the band just outside a box is of the colour of speech."""
    pixels = np.asarray(draw.frame(result, frame=5, look=look), dtype=int)
    x1, y1, x2, y2 = (round(edge) for edge in box)
    band = np.zeros(pixels.shape[:2], dtype=bool)
    band[y1 - 6 : y2 + 6, x1 - 6 : x2 + 6] = True
    band[y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = False
    return float((np.abs(pixels - np.array(SPEECH)).max(axis=2) < 30)[band].mean())


def test_the_face_that_speaks_has_a_frame_and_the_name_of_the_voice(clip: Path) -> None:
    result = _result(clip, "SPEAKER_00")
    plain = draw.Look(show=["faces", "speaking"])
    assert _blue(result, BOXES[1], plain) > 0.3
    assert _blue(result, BOXES[2], plain) == 0
    assert _blue(result, BOXES[1], draw.Look(show=["faces"])) == 0
    with_names, without = (
        np.asarray(draw.frame(result, frame=5, look=draw.Look(show=["faces", *more])), dtype=int)
        for more in (["speaking", "labels"], ["labels"])
    )
    assert (np.abs(with_names - without).max(axis=2) > 40)[:, 125:190].any()  # the label is longer


def test_lanes_say_whose_face_a_voice_comes_from(clip: Path) -> None:
    result = _result(clip, "SPEAKER_00")
    (lane,) = (lane for lane in lanes(result) if lane.label == "SPEAKER_00 seen")
    assert [block.text for block in lane.blocks] == ["Ann", "#2", "off screen", "?"]
    assert [block.color for block in lane.blocks[1:]] == [track_color(2), FAINT, UNKNOWN]
    assert [lane.label for lane in lanes(_result(clip, None)) if "seen" in lane.label] == ["speaker seen"]


def test_rows_of_who_speaks_are_no_faces_of_their_own_even_if_there_are_none(clip: Path) -> None:
    result = _result(clip, "A")
    empty = {"frames": Table.empty(Speaks)}
    faces = result["found"].tables["rows"]
    for told in (result["told"].tables, empty):
        tables = box_tables(make_result(clip, {"found": faces, "told": told}))
        assert [(table.pipeline, len(table.more)) for table in tables] == [("found", 1)]
