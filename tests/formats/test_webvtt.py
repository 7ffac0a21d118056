"""WebVTT: our reader gives back what was written, to the millisecond; webvtt-py reads the same cues."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import attrs
import pysubs2
import pytest
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoannotator.data.rows import Shot, SpeechRegion, Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.webvtt import WebVtt
from videoannotator.testing.strategies import tables

from .examples import a_result, as_shared, only
from .speech import SPOKEN, cues_of_ffmpeg, spoken

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LONGEST = 3e13  # seconds; webvtt-py counts hours with ten digits


def _as_held(row: Any) -> Any:
    """``row`` without what the docstring says is lost."""
    kept = {"start": round(row.start, 3), "end": max(round(row.end, 3), round(row.start, 3) + 0.001)}
    for name in ("text", "speaker"):
        if getattr(row, name, None) is not None:
            kept[name] = getattr(row, name).replace("\0", "\ufffd")
    if isinstance(row, Utterance):
        figures = ("avg_logprob", "no_speech_prob", "compression_ratio", "temperature")
        kept |= {"words": (), **dict.fromkeys(figures)}
    return attrs.evolve(row, **kept)


def _close(left: Any, right: Any) -> bool:
    times = all(getattr(left, n) == pytest.approx(getattr(right, n), abs=1.1e-3) for n in ("start", "end"))
    return times and attrs.evolve(left, start=right.start, end=right.end) == right


@quick
@given(st.sampled_from([Utterance, Word, SpeechRegion, Shot]).flatmap(tables))
def test_rows_come_back(tmp_path: Path, table: Table[Any]) -> None:
    table = table[table.end < LONGEST]
    result = only("speech_recognition", out=table)
    (path,) = WebVtt().write(result, tmp_path, stem="s")
    read = WebVtt().read(path)
    back = read["speech_recognition"].out
    assert back.row_class is table.row_class
    assert all(_close(r, _as_held(w)) for r, w in zip(back, table, strict=True)), (list(back), list(table))
    rest = as_shared(result, "speech_recognition", clock=False)
    assert (read.media, read.provenance, read.coverage, read.failures) == (
        rest.media,
        rest.provenance,
        rest.coverage,
        rest.failures,
    )


@quick
@given(tables(Utterance))
def test_webvtt_py_reads_every_cue(tmp_path: Path, table: Table[Utterance]) -> None:
    table = table[table.end < LONGEST]
    (path,) = WebVtt().write(only("p", out=table), tmp_path, stem="s")
    cues = webvtt.read(str(path), strict=True)
    assert path.read_text("utf-8").split("\n")[0] == "WEBVTT"
    assert len(cues) == len(table)
    starts = [cue.start_time.in_milliseconds() for cue in cues]
    assert starts == sorted(starts)
    assert all(cue.end_time.in_milliseconds() > start for cue, start in zip(cues, starts, strict=True))
    assert sorted(html.unescape(c.text) for c in cues) == sorted(u.text.replace("\0", "\ufffd") for u in table)


@pytest.mark.parametrize("text", SPOKEN)
def test_speech_of_any_script_comes_back(tmp_path: Path, text: str) -> None:
    said = spoken(text)
    words = Table.from_rows(Word, [Word(u.start, u.end, u.text, 0.5, u.speaker) for u in said])
    for path, table in zip(
        WebVtt().write(only("p", utterances=said, words=words), tmp_path, stem="s"), (said, words), strict=True
    ):
        assert [(u.text, u.speaker) for u in next(WebVtt().read(path).tables())[2]] == [
            (u.text, u.speaker) for u in table
        ]


@pytest.mark.parametrize("text", SPOKEN)
def test_others_read_the_same(tmp_path: Path, text: str) -> None:
    (path,) = WebVtt().write(only("p", utterances=spoken(text)), tmp_path, stem="s")
    ours = sorted(WebVtt().read(path)["p"].utterances, key=lambda u: (u.start, u.end))
    shown = [f"<v {u.speaker}>{u.text}" if u.speaker else u.text for u in ours]
    times = [(round(u.start * 1000), round(u.end * 1000)) for u in ours]
    assert [(start, end, html.unescape(said)) for start, end, said in cues_of_ffmpeg(path)] == [
        (*span, said) for span, said in zip(times, shown, strict=True)
    ]
    theirs = pysubs2.load(str(path), format_="vtt", encoding="utf-8", keep_html_tags=True)
    assert [(e.start, e.end) for e in theirs] == times
    said = [html.unescape(e.text).replace("\\N", "\n") for e in theirs]
    assert said[:-1] == [text.replace("\\N", "\n") for text in shown[:-1]], "it knows no notes: ours is in the last"


def test_what_a_person_sees(tmp_path: Path) -> None:
    words = Table.of(
        Utterance,
        start=[61.0005, 3600],
        end=[61.0006, 3601.5],
        text=["x < y\n\n--> & z", "שלום 你好 👩‍👧"],
        speaker=["A <b>", None],
    )
    (path,) = WebVtt().write(only("speech_recognition", utterances=words), tmp_path, stem="s")
    lines = path.read_text("utf-8").split("\n")
    assert path.name == "s_speech_recognition.vtt"
    assert lines[:11] == [
        "WEBVTT",
        "",
        "NOTE speech_recognition.utterances of session 01.mp4, written by videoannotator",
        "",
        "1",
        "00:01:01.001 --> 00:01:01.002",
        "<v A &lt;b&gt;>x &lt; y&#10;&#10;--&gt; &amp; z",
        "",
        "2",
        "01:00:00.000 --> 01:00:01.500",
        "שלום 你好 👩‍👧",
    ]
    assert webvtt.read(str(path))[0].voice == "A &lt;b&gt;"


def test_shots_are_chapters_and_regions_are_cues(tmp_path: Path) -> None:
    paths = {path.name: path for path in WebVtt().write(a_result(), tmp_path, stem="s")}
    assert sorted(paths) == ["s_scene_detection.vtt", "s_speech_recognition.vtt", "s_voice_activity.vtt"]
    cues = webvtt.read(str(paths["s_scene_detection.vtt"]))
    assert [(c.start, c.end, c.text, c.identifier) for c in cues] == [
        ("00:00:00.000", "00:00:00.400", "Shot 1", "1 frames=0-4"),
        (
            "00:00:00.400",
            "00:00:01.000",
            "Shot 2: kitchen &amp; garden",
            "2 frames=4-10 label=kitchen%20%26%20garden score=31.5",
        ),
    ]
    assert WebVtt().read(paths["s_scene_detection.vtt"])["scene_detection"].shots == a_result()["scene_detection"].shots
    assert [c.text for c in webvtt.read(str(paths["s_voice_activity.vtt"]))] == ["speech"]


def test_several_tables_have_several_files(tmp_path: Path) -> None:
    result = only("p", said=Table.empty(Utterance), words=Table.empty(Word))
    paths = WebVtt().write(result, tmp_path, stem="s")
    assert [path.name for path in paths] == ["s_p_said.vtt", "s_p_words.vtt"]
    assert WebVtt().read(paths[1])["p"].words == Table.empty(Word)


FOREIGN = """WEBVTT - made elsewhere

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v.loud Mary Ann>Hello &amp; <i>good</i> <00:00:01.500>day</v>

00:00:03.000 --> 00:00:04.000
<v A>Yes</v>
<v B>No
"""


def test_other_peoples_files(tmp_path: Path) -> None:
    path = tmp_path / "film.vtt"
    path.write_text("\ufeff" + FOREIGN, "utf-8")
    read = WebVtt().read(path)
    assert list(read["webvtt"].utterances) == [
        Utterance(1.0, 2.5, "Hello & good day", speaker="Mary Ann"),
        Utterance(3.0, 4.0, "Yes", speaker="A"),
        Utterance(3.0, 4.0, "No", speaker="B"),
    ]
    assert (read.media.path, read.media.duration) == ("film", 4.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "not WebVTT"),
        ("WEBVTT\n\n00:00:02.000 -> 00:00:01.000\nx --> y\n", "not WebVTT"),
        ("WEBVTT\n\n00:00:02.000 --> 00:00:01.000\nx\n", "below"),
        ('WEBVTT\n\nNOTE videoannotator {"format": "videoannotator", "version": 9}\n', "version 9"),
        ("WEBVTT\n\nNOTE videoannotator {\n", "damaged"),
    ],
)
def test_what_is_no_webvtt_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "x.vtt").write_text(text)
    with pytest.raises(FormatError, match=says):
        WebVtt().read(tmp_path / "x.vtt")


def test_a_cue_that_lost_its_identifier_is_named(tmp_path: Path) -> None:
    (path, *_) = WebVtt().write(a_result(), tmp_path, stem="s")
    path.write_text(path.read_text("utf-8").replace("1 frames=0-4\n", ""), "utf-8")
    with pytest.raises(FormatError, match=r"cue at 00:00:00\.000"):
        WebVtt().read(path)


def test_a_time_past_the_last_timestamp_is_refused(tmp_path: Path) -> None:
    table = Table.of(Utterance, start=[1e14], end=[2e14], text="x")
    with pytest.raises(FormatError, match="could not be written"):
        WebVtt().write(only("p", out=table), tmp_path, stem="s")
    assert not list(tmp_path.iterdir())
