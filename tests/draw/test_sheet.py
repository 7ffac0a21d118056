"""The contact sheet: the right frames, boxes in the right place, lanes that tell the truth."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator import row
from videoannotator.data.outcome import Failure
from videoannotator.data.rows import Detection, Face, Shot, Signal, SpeakerTurn, SpeechRegion
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.draw.lanes import Block, Lane, lanes
from videoannotator.draw.look import Look
from videoannotator.draw.people import People
from videoannotator.draw.scene import Scene
from videoannotator.draw.sheet import contact_sheet
from videoannotator.draw.style import FACE, FAILURE, font, shorten, track_color, wrap
from videoannotator.draw.tiles import choose_frames, tiles
from videoannotator.draw.timeline import timeline
from videoannotator.errors import UnreadableMediaError
from videoannotator.testing.clips import write_clip

from .drawn import make_result


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("sheet") / "clip.mp4", frames=40, rate=10)


def shots(*edges: float) -> Table[Shot]:
    pairs = list(pairwise(edges))
    return Table.from_rows(Shot, [Shot(a, b, round(a * 10), round(b * 10)) for a, b in pairs])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(1, 39), unique=True, max_size=8).map(sorted))
def test_every_shot_has_a_tile_if_there_are_not_too_many(clip: Path, count: int, cuts: list[int]) -> None:
    edges = [0.0, *(cut / 10 for cut in cuts), 4.0]
    result = make_result(clip, {"scene_detection": shots(*edges)})
    chosen = choose_frames(result, count)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= count
    if len(edges) - 1 <= count:
        for a, b in pairwise(edges):
            assert any(a <= frame / 10 < b for frame in chosen)


def test_tiles_show_frames_on_which_something_was_found(clip: Path) -> None:
    seen = [2, 17, 33]
    faces = Table.from_rows(Face, [Face(n, n / 10, 0.9, 10, 10, 50, 50) for n in seen])
    assert set(choose_frames(make_result(clip, {"face_analysis": faces}), 3)) == set(seen)


def test_boxes_are_drawn_where_they_are(clip: Path) -> None:
    marks = np.array([[70, 50], [90, 50], [80, 60], [72, 70], [88, 70]], dtype=np.float32)
    faces = Table.from_rows(Face, [Face(5, 0.5, 0.9, 60, 40, 100, 80, None, marks)])
    persons = Table.from_rows(Detection, [Detection(5, 0.5, "person", 0.8, 20, 10, 140, 110, 3)])
    result = make_result(clip, {"face_analysis": faces, "person_tracking": persons})
    ((time, tile),) = tiles(result, [5], 320)  # twice the size of the clip
    assert (time, tile.size) == (0.5, (320, 240))
    for at, colour in {
        (120, 120): FACE,
        (199, 120): FACE,
        (160, 80): FACE,
        (40, 120): track_color(3),
        (279, 120): track_color(3),
    }.items():
        assert np.abs(np.subtract(tile.getpixel(at), colour)).max() < 60, at
    plain = np.asarray(next(tiles(make_result(clip, {}), [5], 320))[1], dtype=int)
    different = np.abs(np.asarray(tile, dtype=int) - plain).max(axis=2) > 40
    ys, xs = np.nonzero(different)
    assert (xs.min(), xs.max()) == (pytest.approx(40, abs=3), pytest.approx(280, abs=3))
    assert ys.max() == pytest.approx(220, abs=3)


def test_rows_of_the_nearest_looked_at_frame_stand_for_a_frame_between(clip: Path) -> None:
    faces = Table.from_rows(Face, [Face(n, n / 10, 0.9, 10, 10, 50, 50) for n in (0, 5, 10)])
    blank = np.asarray(next(tiles(make_result(clip, {}), [6], 320))[1])
    sampled = make_result(clip, {"face_analysis": faces}, rate=2.0)
    everything = make_result(clip, {"face_analysis": faces})
    assert not np.array_equal(np.asarray(next(tiles(sampled, [6], 320))[1]), blank)
    assert np.array_equal(np.asarray(next(tiles(everything, [6], 320))[1]), blank), "looked at, and nobody there"


def test_lanes_tell_what_is_in_the_tables(clip: Path) -> None:
    tables: dict[str, Table[object]] = {
        "scene_detection": shots(0, 1.5, 4),
        "voice_activity": Table.of(SpeechRegion, start=[0.5], end=[1.0]),
        "speaker_diarization": Table.of(
            SpeakerTurn, start=[0.0, 1.0, 2.0], end=[1.0, 2.0, 3.0], speaker=["a", "b", "a"]
        ),
        "person_tracking": Table.from_rows(
            Detection, [Detection(n, n / 10, "person", 0.5, 0, 0, 9, 9, 1) for n in (0, 1, 2, 3, 20, 21)]
        ),
        "loudness": Table.of(Signal, time=[0.0, 1.0], name="loudness", value=[-3.0, 4.0]),
        "faces": Table.empty(Face),
    }
    drawn = {lane.label.strip(): lane for lane in lanes(make_result(clip, tables, rate=10.0))}
    assert [(b.start, b.end) for b in drawn["shots"].blocks] == [(0, 1.5), (1.5, 4)]
    assert [(b.start, b.end) for b in drawn["speech"].blocks] == [(0.5, 1.0)]
    assert [len(drawn[who].blocks) for who in "ab"] == [2, 1]
    assert [(b.start, b.end) for b in drawn["#1"].blocks] == [pytest.approx((0, 0.4)), pytest.approx((2.0, 2.2))]
    assert drawn["loudness"].curve == ((0.0, 0.0), (1.0, 1.0))
    assert drawn["faces"].note == "none"


@row
class _Thought:
    """Where a person is thought to be, as person_identity fills them in."""

    person: int
    frame: int
    time: float
    x1: float
    y1: float
    x2: float
    y2: float
    interpolated: bool = True


@row
class _Known:
    person: int
    track: int
    name: str


def test_where_a_person_is_thought_to_be_they_have_their_colour_and_no_lane(clip: Path) -> None:
    seen = Table.from_rows(Detection, [Detection(3, 0.3, "person", 0.9, 10, 10, 60, 60, track=7)])
    known = Table.from_rows(_Known, [_Known(2, 7, "Kim")])
    thought = Table.from_rows(_Thought, [_Thought(2, 4, 0.4, 10.0, 10.0, 60.0, 60.0)])
    plain = make_result(clip, {"tracking": seen, "identity": {"known": known}})
    result = make_result(clip, {"tracking": seen, "identity": {"known": known, "thought": thought}})
    assert [lane.label for lane in lanes(result)] == [lane.label for lane in lanes(plain)]
    empty = np.zeros((120, 160, 3), dtype=np.uint8)
    colours = [
        {tuple(pixel) for pixel in np.asarray(Scene(result, Look()).paint(empty, n, n / 10)).reshape(-1, 3).tolist()}
        for n in (3, 4)
    ]
    mine = People(result).persons[2].color
    assert tuple(mine) in colours[0] & colours[1]


def test_blocks_lie_at_their_time() -> None:
    picture = np.asarray(timeline([Lane("x", (Block(2.0, 3.0, (255, 0, 0)),))], TimeSpan(0, 4)))
    reds = np.nonzero((picture[13] == (255, 0, 0)).all(axis=1))[0]
    left, width = 262, 1600 - 32 - 262
    assert (reds.min(), reds.max()) == (
        pytest.approx(left + width / 2, abs=1),
        pytest.approx(left + width * 3 / 4, abs=2),
    )


def test_failures_are_on_the_sheet(clip: Path, tmp_path: Path) -> None:
    failure = Failure("pipeline_error", "it broke", TimeSpan(1, 2), "face_analysis")
    well = contact_sheet(make_result(clip, {"face_analysis": Table.empty(Face)}))
    path = tmp_path / "sheet.png"
    contact_sheet(make_result(clip, {"face_analysis": Table.empty(Face)}, failure=failure), path)
    from PIL import Image

    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert (pixels == FAILURE).all(axis=2).any()
    assert not (np.asarray(well) == FAILURE).all(axis=2).any()


def test_sound_alone_has_a_time_line_and_no_tiles(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        sound.writeframes(bytes(2 * 16000))
    result = make_result(path, {"voice_activity": Table.of(SpeechRegion, start=[0.2], end=[0.4])})
    assert choose_frames(result, 12) == []
    assert contact_sheet(result).height < 400


def test_a_media_file_that_is_gone_is_a_named_error(tmp_path: Path) -> None:
    gone = write_clip(tmp_path / "gone.mp4")
    result = make_result(gone, {})
    gone.unlink()
    with pytest.raises(UnreadableMediaError, match=r"gone\.mp4"):
        contact_sheet(result)


@given(st.text(max_size=40), st.floats(0, 300))
def test_shortened_text_fits(text: str, width: float) -> None:
    short = shorten(text, font(13), width)
    assert short == "" or font(13).getlength(short) <= width or short.endswith("...")
    assert text.startswith(short.removesuffix("..."))


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), max_size=30))
def test_wrapped_text_fits_and_loses_nothing(words: list[str]) -> None:
    lines = wrap(" ".join(words), font(14), 150)
    assert " ".join(lines).split() == words
    assert all(font(14).getlength(line) <= 150 for line in lines)
