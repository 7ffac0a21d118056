"""What is said and who speaks is drawn once, in the colours of the speakers."""

from __future__ import annotations

from pathlib import Path

import pytest

import videoannotator as va
from videoannotator.data.result import Result
from videoannotator.data.rows import SpeakerTurn, SpeechRegion, Utterance, Word
from videoannotator.data.table import Table
from videoannotator.draw.fonts import _INSTALLED, _file, _has, font_for
from videoannotator.draw.lanes import lanes, span_lanes
from videoannotator.draw.look import Look
from videoannotator.draw.style import SPEECH, font, track_color
from videoannotator.testing.clips import write_clip

from .drawn import make_result

A, B = track_color(0), track_color(1)


@va.row
class SaidWord:
    """A word of an utterance, with its speaker."""

    utterance: int
    start: float
    end: float
    text: str
    speaker: str | None = None


@va.row
class Mood:
    """Something that is measured of every turn."""

    start: float
    end: float
    speaker: str | None
    value: float


@va.row
class Seen:
    """Who of those in the picture speaks: drawn as other rows of persons are."""

    start: float
    end: float
    speaker: str
    person: int


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("voices") / "clip.mp4", frames=40, rate=10, size=(320, 240))


def _heard() -> Table[Utterance]:
    return Table.of(Utterance, start=[0.0, 2.0], end=[2.0, 4.0], text=[" Do you know Yes", " I know"])


def _said() -> Table[Utterance]:
    return Table.of(
        Utterance,
        start=[0.0, 1.5, 2.0, 3.5],
        end=[1.5, 2.0, 3.5, 4.0],
        text=[" Do you know", "Yes", " I", "know"],
        speaker=["Anna", "Ben", "Ben", None],
    )


def _words() -> Table[SaidWord]:
    texts = ["Do", "you", "know", "Yes", "I", "know"]
    at = [0.0, 0.5, 1.0, 1.5, 2.0, 3.5]
    who = ["Anna", "Anna", "Anna", "Ben", "Ben", None]
    return Table.of(
        SaidWord, utterance=[1, 1, 1, 2, 3, 4], start=at, end=[t + 0.5 for t in at], text=texts, speaker=who
    )


def _turns() -> Table[SpeakerTurn]:
    return Table.of(SpeakerTurn, start=[0.0, 1.4, 1.5], end=[1.6, 3.5, 1.6], speaker=["Anna", "Ben", "Anna"])


def _whole(clip: Path) -> Result:
    return make_result(
        clip,
        {
            "speech_recognition": {"utterances": _heard()},
            "speaker_diarization": {"turns": _turns(), "exclusive": _turns()[:2]},
            "active_speaker": {"speaking": Table.of(Seen, start=[0.0], end=[1.0], speaker="Dora", person=[1])},
            "audio_processing": {"utterances": _said(), "words": _words(), "turns": _turns()},
            "laion_voice": {
                "moods": Table.of(Mood, start=[0.0, 2.0], end=[1.0, 3.0], speaker=["Ben", "Dora"], value=1)
            },
        },
    )


def test_every_speaker_and_every_text_has_one_lane(clip: Path) -> None:
    result = _whole(clip)
    drawn = lanes(result)
    assert [lane.label for lane in drawn] == ["Anna", "Ben", "utterances", "Dora"]
    assert [lane.label for lane in span_lanes(result, Look())] == [lane.label for lane in drawn]
    anna, ben, said, _ = drawn
    assert [(b.start, b.end, b.color) for b in anna.blocks] == [(0.0, 1.6, A), (1.5, 1.6, A)]
    assert {b.color for b in ben.blocks} == {B}
    assert [(b.text, b.color) for b in said.blocks] == [(" Do you know", A), ("Yes", B), (" I", B), ("know", SPEECH)]


def test_what_is_said_by_nobody_known_is_drawn_alone(clip: Path) -> None:
    look = Look(pipelines=("speech_recognition",))
    (lane,) = lanes(_whole(clip), look)
    assert (lane.label, [b.color for b in lane.blocks]) == ("speech recognition", [SPEECH, SPEECH])
    assert [b.text for b in lane.blocks] == [" Do you know Yes", " I know"]


def test_another_text_keeps_its_lane(clip: Path) -> None:
    other = Table.of(Utterance, start=[0.0], end=[2.0], text="Weisst du das?")
    result = make_result(clip, {"speech_recognition": other, "audio_processing": _said()})
    assert [lane.label for lane in lanes(result)] == ["speech recognition", "audio processing"]
    words = Table.of(Word, start=[0.0], end=[1.0], text="Hello")
    result = make_result(clip, {"words": words, "regions": Table.of(SpeechRegion, start=[0.0], end=[1.0])})
    assert [lane.label for lane in lanes(result)] == ["words", "regions"]


def test_turns_of_nobody_known_are_not_called_none(clip: Path) -> None:
    moods = Table.of(Mood, start=[0.0], end=[1.0], speaker=[None], value=1.0)
    (lane,) = lanes(make_result(clip, {"laion_voice": moods}))
    assert (lane.label, lane.blocks[0].color) == ("laion voice", SPEECH)


def test_ascii_is_pillows_everywhere() -> None:
    assert font_for("Anna: where is mummy?") == ""
    assert font(20, "Anna").getname() == font(20).getname()


@pytest.mark.parametrize("text", ["naïve café", "שלום", "Ελένη", "Юля"])
def test_letters_of_others_are_drawn(text: str) -> None:
    if not any(map(_file, _INSTALLED)):
        pytest.skip("none of the fonts is installed")
    file = font_for(text)
    assert file
    assert all(_has(file, letter) for letter in text if not letter.isspace())
    assert not any(_has("", letter) for letter in text if not letter.isascii())
    assert font(20, text).path == file


def test_a_letter_that_no_font_has_is_a_box() -> None:
    assert font_for("\U0010fffd") == ""
    assert font(20, "\U0010fffd").getlength("\U0010fffd") > 0
