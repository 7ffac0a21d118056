"""RTTM: our reader gives back what was written; pyannote.database reads the same turns."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyannote.database.util import load_rttm

from videoannotator.data.rows import SpeakerTurn, SpeechRegion
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.rttm import Rttm
from videoannotator.testing.strategies import tables, texts

from .examples import a_result, only

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
stems = st.sampled_from(["session 01", "nan", "母 子", "100%_done", 'say "hi"'])


@quick
@given(tables(SpeakerTurn) | tables(SpeechRegion), stems)
def test_turns_come_back_equal(tmp_path: Path, table: Table[SpeakerTurn] | Table[SpeechRegion], stem: str) -> None:
    paths = Rttm().write(only("speaker_diarization", out=table), tmp_path, stem=stem)
    assert len(paths) == (len(table) > 0), "nothing is written for an empty table"
    for path in paths:
        assert path.name == f"{stem}_speaker_diarization.rttm"
        read = Rttm().read(path)
        ((pipeline, _, turns),) = read.tables()
        assert (pipeline, read.media.path, turns) == ("speaker_diarization", stem, table)


@quick
@given(tables(SpeakerTurn), stems)
def test_pyannote_reads_every_turn(tmp_path: Path, table: Table[SpeakerTurn], stem: str) -> None:
    for path in Rttm().write(only("p", out=table), tmp_path, stem=stem):
        (annotation,) = load_rttm(path).values()
        found = sorted((segment.start, label) for segment, _, label in annotation.itertracks(yield_label=True))
        # pyannote.core takes turns shorter than a microsecond for empty, and drops them
        lasting = [row for row in table if row.end - row.start > 1e-5]
        assert len(found) >= len(lasting)
        for row in lasting:
            if row.speaker.isascii() and row.speaker.isalpha():
                assert row.speaker in {unquote(label) for label in annotation.labels()}


def test_what_a_person_sees(tmp_path: Path) -> None:
    (turns, regions) = Rttm().write(a_result(), tmp_path, stem="session 01")[::-1]
    assert turns.read_text() == (
        "SPEAKER session%2001 1 0.1 0.3 <NA> <NA> Mary%20Ann <NA> <NA>\n"
        "SPEAKER session%2001 1 0.3 0.6 <NA> <NA> %4EA 0.25 <NA>\n"
    )
    assert regions.name == "session 01_voice_activity.rttm"
    assert regions.read_text() == "SPEAKER session%2001 1 0.1 0.3 <NA> <NA> SPEECH 0.97 <NA>\n"
    ((uri, annotation),) = load_rttm(turns).items()
    assert uri == "session%2001"
    assert sorted(annotation.labels()) == ["%4EA", "Mary%20Ann"]


def test_overlapping_and_equal_turns_of_one_speaker_survive(tmp_path: Path) -> None:
    turns = Table.of(SpeakerTurn, start=[0.0, 0.5, 0.5], end=[1.0, 2.0, 2.0], speaker="A")
    (path,) = Rttm().write(only("d", turns=turns), tmp_path, stem="s")
    assert Rttm().read(path)["d"].turns == turns
    assert len(list(load_rttm(path)["s"].itertracks())) == 3


def test_a_speaker_called_speech_is_no_region(tmp_path: Path) -> None:
    turns = Table.of(SpeakerTurn, start=[0.0], end=[1.0], speaker="SPEECH")
    (path,) = Rttm().write(only("d", turns=turns), tmp_path, stem="s")
    assert Rttm().read(path)["d"].turns == turns


@given(texts())
def test_a_name_is_one_word(name: str) -> None:
    from videoannotator.formats.rttm import _name, _word

    assert len(_word(name).split()) == 1
    assert _name(_word(name)) == name


def test_other_peoples_files(assets: Path) -> None:
    for reference in sorted(assets.glob("audio/*.rttm")):
        read = Rttm().read(reference)
        ((_, output, turns),) = read.tables()
        (annotation,) = load_rttm(reference).values()
        theirs = sorted(
            (round(s.start, 6), round(s.end, 6), who) for s, _, who in annotation.itertracks(yield_label=True)
        )
        assert output == "turns"
        assert sorted((round(t.start, 6), round(t.end, 6), t.speaker) for t in turns) == theirs
        assert "only its name is known" in read.media.notices[0]
        assert read.coverage["rttm"].spans == ()


def test_turns_without_duration_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.rttm"
    path.write_text(
        ";; a comment\nSPKR-INFO f 1 <NA> <NA> <NA> unknown A <NA>\n"
        "SPEAKER f 1 0 0.000 <NA> <NA> A <NA> <NA>\r\nSPEAKER f 1 1 2 <NA> <NA> A <NA>\n"
    )
    read = Rttm().read(path)
    assert list(read["rttm"].turns) == [SpeakerTurn(1.0, 3.0, "A")]
    assert read.media.notices[1] == "1 turns without duration were left out (lines 3)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no turns"),
        ("SPEAKER f 1 0 1 <NA> <NA>\n", "line 1 is not RTTM"),
        ("hello\n", "line 1 is not RTTM"),
        ("SPEAKER f 1 zero 1 <NA> <NA> A <NA> <NA>\n", "no number"),
        ("SPEAKER f 1 nan 1 <NA> <NA> A <NA> <NA>\n", "no number"),
        ("SPEAKER f 1 -2 5 <NA> <NA> A <NA> <NA>\n", "must be in"),
        ("SPEAKER f 1 0 1 <NA> <NA> A <NA> <NA>\nSPEAKER g 1 0 1 <NA> <NA> A <NA> <NA>\n", "2 recordings"),
    ],
)
def test_what_is_no_rttm_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.rttm").write_text(text)
    with pytest.raises(FormatError, match=says):
        Rttm().read(tmp_path / "x.rttm")
