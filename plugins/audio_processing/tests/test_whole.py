"""Real recordings with real turns, from the sound to the files that people open."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pysubs2
import pytest
import webvtt
from pyannote.database.util import load_rttm

import videoannotator as va
from videoannotator import SpeakerTurn, Table, Utterance, Word
from videoannotator.discover.catalog import Catalog
from videoannotator.testing.contract import check_result

RECORDINGS = ["sample_two_speakers", "ami_dev00", "ami_trn05", "ami_trn08"]
STEP = 0.25


def _spoken(turns: Table[SpeakerTurn], end: float) -> list[Utterance]:
    """A transcript that knows nothing of speakers: a word in every quarter of a second in which somebody speaks,
    ten of them in an utterance."""
    at = [i * STEP for i in range(int(end / STEP)) if len(turns.during(i * STEP, (i + 1) * STEP))]
    words = [Word(start, start + STEP, f" {start:g}", 0.5) for start in at]
    parts = [tuple(words[i : i + 10]) for i in range(0, len(words), 10)]
    return [
        Utterance(part[0].start, part[-1].end, "".join(w.text for w in part), part, "en", avg_logprob=-0.5)
        for part in parts
    ]


@pytest.fixture(params=RECORDINGS)
def recording(request: pytest.FixtureRequest, assets: Path, tmp_path: Path) -> dict[str, Any]:
    """A recording with its turns, and a transcript made from them, as a file."""
    sound = assets / "audio" / f"{request.param}.wav"
    if not sound.is_file():
        pytest.skip(f"no {sound}")
    file = sound.with_suffix(".rttm")
    read = va.read(file)
    turns = next(read.tables())[2]
    turns = turns[turns.end <= va.probe(sound).duration]
    said = Table.from_rows(Utterance, _spoken(turns, va.probe(sound).duration))
    segments = [
        {
            "start": u.start,
            "end": u.end,
            "text": u.text,
            "avg_logprob": u.avg_logprob,
            "words": [{"word": w.text, "start": w.start, "end": w.end, "score": w.score} for w in u.words],
        }
        for u in said
    ]
    transcript = tmp_path / "said.json"
    transcript.write_text(json.dumps({"language": "en", "segments": segments}))
    return {"sound": sound, "rttm": file, "turns": turns, "said": said, "transcript": transcript}


def _run(recording: dict[str, Any], catalog: Catalog, exclusive: Path | None = None, **config: Any) -> va.Result:
    settings = {
        "speech_recognition": {"file": str(recording["transcript"])},
        "speaker_diarization": {"file": str(recording["rttm"]), "exclusive": str(exclusive or "")},
        "audio_processing": config,
    }
    with va.Annotator(["audio_processing"], config=settings, catalog=catalog, cache=False) as annotator:
        result = annotator.annotate(recording["sound"], progress=False)
    assert result.ok, result.failures
    check_result(result["audio_processing"], result.media)
    return result


def test_real_turns(recording: dict[str, Any], hearing: Callable[..., Catalog]) -> None:
    result = _run(recording, hearing(sound=True))
    found = result["audio_processing"]
    given = [word for utterance in recording["said"] for word in utterance.words]
    assert [(w.start, w.end, w.text.strip()) for w in found.words] == [(w.start, w.end, w.text.strip()) for w in given]
    assert " ".join(u.text for u in found.utterances).split() == [w.text.strip() for w in given]
    assert {word.language for word in found.words} == {"en"}
    alone = 0
    for word in found.words:
        inside = recording["turns"].during(word.start, word.end)
        assert {word.speaker, *(h.speaker for h in word.others)} == {turn.speaker for turn in inside}
        whole = [t for t in inside if t.start <= word.start and t.end >= word.end]
        if len({t.speaker for t in inside}) == 1 and whole:
            alone += 1
            assert (word.speaker, word.speaker_score, word.speaker_by) == (whole[0].speaker, 1.0, "turn")
    assert alone >= 20, "words that one person says alone"
    assert len(found.utterances) > len(recording["said"]), "speakers change inside utterances"
    assert {u.speaker for u in found.utterances} == {w.speaker for w in found.words}
    assert sorted(found.turns.start.tolist()) == sorted(
        recording["turns"].during(0, result.media.duration).start.tolist()
    )


@pytest.mark.parametrize("recording", ["sample_two_speakers"], indirect=True)
def test_files(recording: dict[str, Any], hearing: Callable[..., Catalog], tmp_path: Path) -> None:
    result = _run(recording, hearing(sound=True))
    found = result["audio_processing"]
    folder = tmp_path / "out"
    result.export(folder, ["native", "webvtt", "srt", "whisper_json", "rttm", "csv"])
    names = [path.name for path in folder.iterdir() if "audio_processing" in path.name]
    stem = "sample_two_speakers_audio_processing"
    assert sorted(names) == sorted(
        [f"{stem}{s}" for s in (".vtt", ".srt", ".whisper.json", ".rttm")]
        + [f"{stem}_{output}.csv" for output in ("utterances", "words", "turns")]
    ), "one file of subtitles, not two"

    cues = webvtt.read(str(folder / f"{stem}.vtt"), strict=True)
    assert [(cue.voice, cue.text.strip()) for cue in cues] == [(u.speaker, u.text.strip()) for u in found.utterances]
    assert f"<v {found.utterances[0].speaker}>" in (folder / f"{stem}.vtt").read_text("utf-8")
    subtitles = pysubs2.load(str(folder / f"{stem}.srt"))
    assert [e.text for e in subtitles] == [f"[{u.speaker}]: {u.text.strip()}" for u in found.utterances]
    segments = json.loads((folder / f"{stem}.whisper.json").read_text("utf-8"))["segments"]
    assert [word["speaker"] for segment in segments for word in segment["words"]] == found.words.speaker.tolist()
    (annotation,) = load_rttm(folder / f"{stem}.rttm").values()
    assert sorted(annotation.labels()) == sorted(set(found.turns.speaker))
    with (folder / f"{stem}_words.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == found.words.text.tolist()
    assert [int(row["utterance"]) for row in rows] == found.words.utterance.tolist()
    assert va.read(folder / "sample_two_speakers.videoannotator") == result
    for name in (".vtt", ".whisper.json", ".rttm"):
        assert len(next(va.read(folder / f"{stem}{name}").tables())[2]) in (len(found.utterances), len(found.turns))


def test_exclusive_turns_decide(assets: Path, hearing: Callable[..., Catalog], tmp_path: Path) -> None:
    sound = assets / "audio" / "jfk.flac"
    if not sound.is_file():
        pytest.skip(f"no {sound}")
    (tmp_path / "said.json").write_text(
        json.dumps(
            {
                "segments": [
                    {
                        "start": 1,
                        "end": 3,
                        "text": "one two",
                        "words": [{"word": "one", "start": 1, "end": 2}, {"word": "two", "start": 2, "end": 3}],
                    }
                ]
            }
        )
    )
    line = "SPEAKER f 1 {} {} <NA> <NA> {} <NA> <NA>\n"
    (tmp_path / "regular.rttm").write_text(line.format(1, 2, "A") + line.format(1, 2, "B"))
    (tmp_path / "exclusive.rttm").write_text(line.format(1, 1, "A") + line.format(2, 1, "B"))
    files = {"sound": sound, "transcript": tmp_path / "said.json", "rttm": tmp_path / "regular.rttm"}
    catalog = hearing(exclusive=True)
    for turns, wanted in {"auto": ["A", "B"], "exclusive": ["A", "B"], "regular": ["A", "A"]}.items():
        words = _run(files, catalog, tmp_path / "exclusive.rttm", turns=turns)["audio_processing"].words
        assert words.speaker.tolist() == wanted
        assert words.speaker_score.tolist() == [1.0, 1.0]
        assert [len(word.others) for word in words] == [1, 1]


def test_settings_act_and_are_told(assets: Path, hearing: Callable[..., Catalog], tmp_path: Path) -> None:
    sound = assets / "audio" / "jfk.flac"
    if not sound.is_file():
        pytest.skip(f"no {sound}")
    words = [("a", 1.0, 1.4), ("b", 1.5, 1.7), ("c", 1.8, 2.2), ("d", 5.0, 5.4), ("e", 8.0, 8.4)]
    said = {
        "start": 1,
        "end": 9,
        "text": "a b c d e",
        "words": [{"word": w, "start": start, "end": end} for w, start, end in words],
    }
    whole = {"start": 9, "end": 10, "text": "without words"}
    (tmp_path / "said.json").write_text(json.dumps({"segments": [said, whole]}))
    line = "SPEAKER f 1 {} {} <NA> <NA> {} <NA> <NA>\n"
    (tmp_path / "turns.rttm").write_text(
        line.format(1, 0.45, "A")
        + line.format(1.48, 0.24, "B")
        + line.format(1.75, 3, "A")
        + line.format(9.5, 1, "C")
        + line.format(10.75, 0.1, "D")
    )
    files = {"sound": sound, "transcript": tmp_path / "said.json", "rttm": tmp_path / "turns.rttm"}

    def told(**config: Any) -> tuple[list[tuple[str, str | None]], str]:
        result = _run(files, hearing_, **config)
        (record,) = (r for r in result.provenance.pipelines if r.name == "audio_processing")
        return [(u.text, u.speaker) for u in result["audio_processing"].utterances], " | ".join(record.notices)

    hearing_ = hearing()
    plain, notices = told()
    assert plain == [("a", "A"), ("b", "B"), ("c d", "A"), ("e", None), ("without words", "C")]
    assert "1 utterances have no words" in notices
    assert "during 2 of 5 words nobody speaks: 1 were given to the speaker of the nearest turn, 1 to nobody" in notices
    assert "speakers with turns and without words: D" in notices
    assert told(tolerance=0.1)[0] == [
        ("a", "A"),
        ("b", "B"),
        ("c", "A"),
        ("d e", None),
        ("without words", "C"),
    ]
    assert told(smooth=0.3)[0] == [("a b c d", "A"), ("e", None), ("without words", "C")]
    assert told(smooth=0.3, pause=2.0)[0] == [("a b c", "A"), ("d", "A"), ("e", None), ("without words", "C")]


def test_what_begins_a_sample_before_the_span_is_in_it(
    assets: Path, hearing: Callable[..., Catalog], tmp_path: Path
) -> None:
    sound = assets / "audio" / "jfk.flac"
    if not sound.is_file():
        pytest.skip(f"no {sound}")
    words = [{"word": "a", "start": 4.99999, "end": 5.5}, {"word": "b", "start": 5.5, "end": 6}]
    segments = [{"start": 4.99999, "end": 6, "text": "a b", "words": words}]
    (tmp_path / "said.json").write_text(json.dumps({"segments": segments}))
    (tmp_path / "turns.rttm").write_text("SPEAKER f 1 4.99999 2.0 <NA> <NA> A <NA> <NA>\n")
    settings = {
        "speech_recognition": {"file": str(tmp_path / "said.json")},
        "speaker_diarization": {"file": str(tmp_path / "turns.rttm")},
    }
    spans = [va.TimeSpan(0.0, 3.0), va.TimeSpan(5.0, 9.0)]
    with va.Annotator(["audio_processing"], config=settings, catalog=hearing(), cache=False) as annotator:
        found = annotator.annotate(sound, spans=spans, progress=False)["audio_processing"]
    assert [(w.text, w.speaker, w.utterance) for w in found.words] == [("a", "A", 1), ("b", "A", 1)]
    assert [turn.speaker for turn in found.turns] == ["A"]
