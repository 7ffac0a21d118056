"""JSON of transcripts: our reader gives every row back; files of Whisper and WhisperX are read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from videoannotator.data.rows import Detection, Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.exporting import export, read
from videoannotator.formats.whisper_json import WhisperJson
from videoannotator.testing.strategies import tables

from .examples import a_result, as_shared, only
from .speech import SPOKEN, spoken

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(tables(Utterance))
def test_rows_come_back_equal(tmp_path: Path, table: Table[Utterance]) -> None:
    result = only("speech_recognition", said=table)
    (path,) = WhisperJson().write(result, tmp_path, stem="s")
    assert path.name == "s_speech_recognition.whisper.json"
    back = read(path)
    assert back["speech_recognition"].said == table
    assert back == as_shared(result, "speech_recognition", clock=False)


@pytest.mark.parametrize("text", SPOKEN)
def test_speech_of_any_script_stays_readable(tmp_path: Path, text: str) -> None:
    (path,) = WhisperJson().write(only("p", utterances=spoken(text)), tmp_path, stem="s")
    assert json.dumps(text, ensure_ascii=False) in path.read_text("utf-8"), "as it is, not as \\u escapes"
    assert WhisperJson().read(path)["p"].utterances == spoken(text)


def test_what_whisperx_users_find(tmp_path: Path) -> None:
    words = (Word(0.1, 0.2, "Hello", 0.5, "Anna", 1.0), Word(0.2, 0.4, "you"))
    table = Table.from_rows(
        Utterance,
        [
            Utterance(0.1, 0.4, "Hello you", words, "en", "Anna", avg_logprob=-0.25, no_speech_prob=0.0),
            Utterance(0.5, 0.9, "", (), "en"),
        ],
    )
    (path,) = WhisperJson().write(only("speech_recognition", utterances=table), tmp_path, stem="s")
    plain = json.loads(path.read_text("utf-8"))
    assert plain["language"] == "en"
    assert plain["segments"] == [
        {
            "id": 0,
            "start": 0.1,
            "end": 0.4,
            "text": "Hello you",
            "words": [
                {"word": "Hello", "start": 0.1, "end": 0.2, "score": 0.5, "speaker": "Anna", "speaker_score": 1.0},
                {"word": "you", "start": 0.2, "end": 0.4},
            ],
            "language": "en",
            "speaker": "Anna",
            "avg_logprob": -0.25,
            "no_speech_prob": 0.0,
        },
        {"id": 1, "start": 0.5, "end": 0.9, "text": "", "language": "en"},
    ]


def test_several_languages_are_none_of_the_whole(tmp_path: Path) -> None:
    table = Table.of(Utterance, start=[0.0, 1.0], end=[1.0, 2.0], text=["yes", "ja"], language=["en", "de"])
    (path,) = WhisperJson().write(only("p", utterances=table), tmp_path, stem="s")
    assert json.loads(path.read_text("utf-8"))["language"] is None
    assert WhisperJson().read(path)["p"].utterances == table


def test_it_stands_beside_coco(tmp_path: Path) -> None:
    both = only("p", seen=Table.empty(Detection), said=Table.empty(Utterance))
    paths = export(both, tmp_path, ["coco", "whisper_json"])
    assert [path.name for path in paths] == ["session 01_p.json", "session 01_p.whisper.json"]
    assert [list(read(path)["p"].tables) for path in paths] == [["seen"], ["said"]]


WHISPER = {
    "text": " And so",
    "segments": [
        {
            "id": 0,
            "seek": 0,
            "start": 0.0,
            "end": 1.5,
            "text": " And so",
            "tokens": [50364, 400, 370],
            "temperature": 0.2,
            "avg_logprob": -0.25,
            "compression_ratio": 0.75,
            "no_speech_prob": 0.01,
            "words": [
                {"word": " And", "start": 0.0, "end": 1.0, "probability": 0.5},
                {"word": " so", "start": 1.0, "end": 1.0, "probability": 0.25},
            ],
        },
        {"start": 2.0, "end": 2.0, "text": " gone"},
    ],
    "language": "en",
}

WHISPERX = {
    "segments": [
        {
            "start": 819.734,
            "end": 820.755,
            "text": "Avec 1 voisin.",
            "words": [
                {"word": "Avec", "start": 819.734, "end": 820.294, "score": 0.54, "speaker": "SPEAKER_00"},
                {"word": "1"},
                {"word": "voisin.", "start": 820.474, "end": 820.695, "score": 0.294},
            ],
            "speaker": "SPEAKER_00",
        }
    ],
    "word_segments": [],
    "language": "fr",
}


def _written(tmp_path: Path, plain: Any) -> Path:
    path = tmp_path / "film.json"
    path.write_text(json.dumps(plain), "utf-8")
    return path


def test_files_of_whisper(tmp_path: Path) -> None:
    result = read(_written(tmp_path, WHISPER))
    assert list(result["whisper"].utterances) == [
        Utterance(
            0.0,
            1.5,
            "And so",
            (Word(0.0, 1.0, "And", 0.5),),
            "en",
            avg_logprob=-0.25,
            no_speech_prob=0.01,
            compression_ratio=0.75,
            temperature=0.2,
        )
    ]
    assert result.media.notices[1:] == (
        "1 segments without duration were left out",
        "1 words without times or duration were left out; the utterances have their text",
    )
    assert (result.media.path, result["whisper"].coverage.spans) == ("film", ())


def test_files_of_whisperx(tmp_path: Path) -> None:
    (row,) = read(_written(tmp_path, WHISPERX))["whisper"].utterances
    assert (row.speaker, row.language, row.text) == ("SPEAKER_00", "fr", "Avec 1 voisin.")
    assert row.words == (Word(819.734, 820.294, "Avec", 0.54, "SPEAKER_00"), Word(820.474, 820.695, "voisin.", 0.294))


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ([], "no JSON of Whisper"),
        ({"segments": {}}, "no JSON of Whisper"),
        ({"segments": [{"start": 0, "end": 1}]}, "lacks 'text'"),
        ({"segments": [{"start": 0, "end": 1, "text": 1}]}, "cannot|can be read"),
        ({"segments": [{"start": 0, "end": 1, "text": "x", "avg_logprob": math.nan}]}, "NaN is not JSON"),
        ({"segments": [{"start": 0, "end": 1, "text": "x", "avg_logprob": 3}]}, "avg_logprob"),
        ({"segments": [], "videoannotator": {"format": "videoannotator", "version": 9}}, "version 9"),
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path: Path, plain: Any, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        WhisperJson().read(_written(tmp_path, plain))


def test_a_file_that_lost_a_row_is_damaged(tmp_path: Path) -> None:
    (path,) = WhisperJson().write(a_result(), tmp_path, stem="s")
    plain = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**plain, "segments": []}))
    with pytest.raises(FormatError, match="0 rows instead of 1"):
        WhisperJson().read(path)


def test_columns_of_a_class_of_ones_own_are_left_out(tmp_path: Path) -> None:
    @attrs.frozen(kw_only=True)
    class Mine(Utterance):
        mood: str

    table = Table.of(Mine, start=[0.0], end=[1.0], text="x", mood="good")
    (path,) = WhisperJson().write(only("p", utterances=table), tmp_path, stem="s")
    assert list(WhisperJson().read(path)["p"].utterances) == [Utterance(0.0, 1.0, "x")]
