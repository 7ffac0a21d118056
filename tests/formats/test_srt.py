"""SubRip: our reader gives back what was written, to the millisecond; pysubs2 reads the same cues."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pysubs2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoannotator.data.rows import Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.exporting import read
from videoannotator.formats.srt import Srt
from videoannotator.testing.strategies import tables

from .examples import a_result, only
from .speech import SPOKEN, cues_of_ffmpeg, spoken

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _as_held(row: Any) -> tuple[float, float, str, str | None]:
    """``row`` without what the docstring says is lost."""
    start = round(row.start, 3)
    end = max(round(row.end, 3), start + 0.001)
    name = " ".join((row.speaker or "").split()).replace("[", "(").replace("]", ")").replace("\0", "\ufffd")
    text = "\n".join(filter(None, (line.strip() for line in row.text.replace("\0", "\ufffd").splitlines())))
    return start, end, text, name or None


def _plain(row: Any) -> bool:
    """True where the text is nothing that is taken for a speaker, for markup or for times."""
    return not re.search(r"[\[\]<>{}]|\d\D\d", row.text + (row.speaker or ""))


@quick
@given(st.sampled_from([Utterance, Word]).flatmap(tables))
def test_rows_come_back(tmp_path: Path, table: Table[Any]) -> None:
    table = table[table.end < 8e13]  # what a timedelta holds
    (path,) = Srt().write(only("speech_recognition", out=table), tmp_path, stem="s")
    assert path.name == "s_speech_recognition.srt"
    back = Srt().read(path)["srt"].utterances
    expected = sorted((_as_held(row), _plain(row)) for row in table)
    found = sorted((u.start, u.end, u.text, u.speaker or "") for u in back)
    assert len(found) == len(expected)
    assert [u.start for u in back] == sorted(u.start for u in back)
    for (start, end, text, speaker), (wanted, plain) in zip(found, expected, strict=True):
        assert (start, end) == pytest.approx(wanted[:2], abs=1.1e-3)
        assert not plain or (text, speaker or None) == wanted[2:]


@pytest.mark.parametrize("text", SPOKEN)
def test_speech_of_any_script_comes_back(tmp_path: Path, text: str) -> None:
    (path,) = Srt().write(only("p", utterances=spoken(text)), tmp_path, stem="s")
    (back,) = [u for u in Srt().read(path)["srt"].utterances if u.speaker == "Anna"]
    assert back.text == "\n".join(line for line in text.split("\n") if line)


@pytest.mark.parametrize("text", SPOKEN)
def test_others_read_the_same(tmp_path: Path, text: str) -> None:
    (path,) = Srt().write(only("p", utterances=spoken(text)), tmp_path, stem="s")
    theirs = pysubs2.load(str(path), format_="srt", encoding="utf-8", keep_html_tags=True)
    ours = Srt().read(path)["srt"].utterances
    times = [(round(u.start * 1000), round(u.end * 1000)) for u in ours]
    assert [(e.start, e.end) for e in theirs] == times
    assert all(end > start for start, end in times)
    said = [f"[{u.speaker}]: {u.text}".strip() if u.speaker else u.text for u in ours]
    assert [e.text.replace("\\N", "\n") for e in theirs] == [text.replace("\\N", "\n") for text in said]
    assert cues_of_ffmpeg(path) == [(*span, text) for span, text in zip(times, said, strict=True)]


@quick
@given(tables(Utterance))
def test_pysubs2_finds_every_cue(tmp_path: Path, table: Table[Utterance]) -> None:
    table = table[table.end < 359_999]  # it knows hours of two digits
    (path,) = Srt().write(only("p", out=table), tmp_path, stem="s")
    theirs = pysubs2.load(str(path), format_="srt", encoding="utf-8") if len(table) else ()
    assert len(theirs) == len(table)


def test_what_a_person_sees(tmp_path: Path) -> None:
    table = Table.of(
        Utterance,
        start=[3600, 61.0005, 360000],
        end=[3601.5, 61.0006, 360001],
        text=["שלום 你好 👩‍👧", "x < y\n\n--> z", "1:00:00 --> 2:00:00"],
        speaker=[None, "A [b]", "SPEAKER_00"],
    )
    (path,) = Srt().write(only("speech_recognition", utterances=table), tmp_path, stem="s")
    assert path.read_text("utf-8") == (
        "1\n00:01:01,001 --> 00:01:01,002\n[A (b)]: x < y\n--> z\n\n"
        "2\n01:00:00,000 --> 01:00:01,500\nשלום 你好 👩‍👧\n\n"
        "3\n100:00:00,000 --> 100:00:01,000\n[SPEAKER_00]: 1:00:00 -> 2:00:00\n\n"
    )


def test_looked_and_found_nothing_is_a_file(tmp_path: Path) -> None:
    (path,) = Srt().write(only("p", utterances=Table.empty(Utterance)), tmp_path, stem="s")
    assert Srt().read(path)["srt"].utterances == Table.empty(Utterance)
    assert [p.name for p in Srt().write(a_result(), tmp_path, stem="s")] == ["s_speech_recognition.srt"]


FOREIGN = """1\r
00:00:01,000 --> 00:00:02,500 X1:1 X2:2 Y1:1 Y2:2\r
<i>Good</i> {\\an8}<font color="#fff">morning</font>\r
\r
everybody\r
\r
7\r
0:0:3.250 --> 00:00:03,250\r
gone\r
\r
00:00:04,000 --> 00:00:05,000\r
[SPEAKER_01]: Yes\r
[no]: speaker\r
"""


def test_other_peoples_files(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_bytes(b"\xef\xbb\xbf" + FOREIGN.encode())
    result = read(path)
    assert list(result["srt"].utterances) == [
        Utterance(1.0, 2.5, "Good morning\n\neverybody"),
        Utterance(4.0, 5.0, "Yes\n[no]: speaker", speaker="SPEAKER_01"),
    ]
    assert (result.media.path, result.media.duration) == ("film", 5.0)
    assert result.media.notices[1] == "1 cues without duration were left out (cues 2)"
    assert result["srt"].coverage.spans == ()


@pytest.mark.parametrize(
    "text",
    ["hello", "1\n00:00:01,000 -> 00:00:02,000\nx\n", "WEBVTT\n", "1\n00:99999999999999:02,000 --> 00:00:01,000\nx\n"],
)
def test_what_is_no_subrip_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.srt").write_text(text)
    with pytest.raises(FormatError, match="is not SubRip"):
        read(tmp_path / "x.srt")


def test_text_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.srt").write_bytes("1\n00:00:01,000 --> 00:00:02,000\né\n".encode("latin-1"))
    with pytest.raises(FormatError, match="UTF-8"):
        Srt().read(tmp_path / "x.srt")


def test_a_time_past_the_last_one_is_refused(tmp_path: Path) -> None:
    table = Table.of(Utterance, start=[1e15], end=[2e15], text="x")
    with pytest.raises(FormatError, match="could not be written"):
        Srt().write(only("p", out=table), tmp_path, stem="s")
    assert not list(tmp_path.iterdir())


def test_a_word_is_a_cue(tmp_path: Path) -> None:
    words = Table.from_rows(Word, [Word(0.0, 0.5, " Hello", 0.5, "Anna")])
    (path,) = Srt().write(only("p", words=words), tmp_path, stem="s")
    (back,) = Srt().read(path)["srt"].utterances
    assert attrs.astuple(back)[:3] == (0.0, 0.5, "Hello")
