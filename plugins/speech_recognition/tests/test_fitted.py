"""A Whisper that knows one sentence says it through both engines, and its words are where they are spoken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import faster_whisper
import jiwer
import numpy as np
import pytest
import torch
import whisper
from numpy.typing import NDArray
from plugins.speech_recognition.tests import fitting

import videoannotator as va
from videoannotator_speech_recognition.converting import converted

pytestmark = pytest.mark.slow  # the fitting, once: about a minute of processor time

Samples = NDArray[np.float32]
_NEAR = 0.15  # s: the engines smooth attention over 140 ms


@pytest.fixture(scope="module")
def weights(assets: Path, pytestconfig: pytest.Config) -> Path:
    """The fitted checkpoint."""
    assert pytestconfig.cache is not None
    return fitting.checkpoint(assets, pytestconfig.cache.mkdir("whisper"))


@pytest.fixture(scope="module")
def recording(assets: Path) -> Samples:
    """From a moment before the first word on: an engine's first word begins where its window does."""
    return fitting.sound(assets)[round(0.3 * fitting.RATE) :]


@pytest.fixture(scope="module")
def speech(assets: Path) -> list[tuple[float, float]]:
    """Where `voice_activity` hears somebody, on the clock of `recording`."""
    with va.Annotator(["voice_activity"], cache=False) as annotator:
        found = annotator.annotate(assets / "audio" / "jfk.flac", progress=False)["voice_activity"].speech
    return [(row.start - 0.3, row.end - 0.3) for row in found]


@attrs.frozen
class Heard:
    """What an engine says: text, words (text, start, end), language, and how sure it is that nobody speaks."""

    text: str
    words: list[tuple[str, float, float]]
    language: str
    silent: list[float]


@attrs.frozen
class Engines:
    """Both with the same weights."""

    openai: Any
    faster: Any

    def hear(self, engine: str, samples: Samples) -> Heard:
        """Transcribe with beams of five, greedy about nothing."""
        chosen: dict[str, Any] = {"beam_size": 5, "word_timestamps": True, "condition_on_previous_text": False}
        if engine == "openai":
            found = self.openai.transcribe(samples, temperature=0.0, fp16=False, **chosen)
            segments, language = found["segments"], found["language"]
        else:
            rows, about = self.faster.transcribe(samples, temperature=[0.0], **chosen)
            segments = [attrs_of(row) for row in rows]
            language = about.language
        words = [(w["word"], float(w["start"]), float(w["end"])) for s in segments for w in s["words"]]
        text = "".join(s["text"] for s in segments)
        return Heard(text.strip(), words, language, [s["no_speech_prob"] for s in segments])


def attrs_of(segment: Any) -> dict[str, Any]:
    """A segment of faster-whisper's as openai-whisper gives it."""
    words = [{"word": w.word, "start": w.start, "end": w.end} for w in segment.words or ()]
    return {"text": segment.text, "no_speech_prob": segment.no_speech_prob, "words": words}


@pytest.fixture(scope="module")
def engines(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Engines:
    folder = converted(weights, tmp_path_factory.mktemp("fitted") / "converted")
    faster = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="float32", cpu_threads=1)
    return Engines(whisper.load_model(str(weights), device="cpu"), faster)


def check_inside(words: Sequence[tuple[str, float, float]], speech: Sequence[tuple[float, float]]) -> None:
    """Every word begins and ends while somebody speaks, and they follow each other."""
    for text, start, end in words:
        assert start < end, text
        for time in (start, end):
            assert any(a - _NEAR <= time <= b + _NEAR for a, b in speech), (text, time)
    starts = [start for _, start, _ in words]
    assert starts == sorted(starts)


@pytest.mark.parametrize("engine", ["openai", "faster"])
def test_the_sentence_comes_back(
    engine: str, engines: Engines, recording: Samples, speech: list[tuple[float, float]]
) -> None:
    heard = engines.hear(engine, recording)
    assert heard.text == fitting.SENTENCE
    assert jiwer.wer(fitting.SENTENCE, heard.text) == 0
    assert heard.language == "en"
    assert max(heard.silent) < 0.3
    check_inside(heard.words, speech)


@pytest.mark.parametrize("engine", ["openai", "faster"])
def test_twice_in_a_window(
    engine: str, engines: Engines, recording: Samples, speech: list[tuple[float, float]]
) -> None:
    pause = np.zeros(3 * fitting.RATE, dtype=np.float32)
    heard = engines.hear(engine, np.concatenate([recording, pause, recording]))
    assert heard.text.replace("  ", " ") == f"{fitting.SENTENCE} {fitting.SENTENCE}"
    later = len(recording) / fitting.RATE + 3
    check_inside(heard.words, [*speech, *((a + later, b + later) for a, b in speech)])


@pytest.mark.parametrize("engine", ["openai", "faster"])
def test_nothing_is_said_in_silence(engine: str, engines: Engines) -> None:
    assert engines.hear(engine, np.zeros(12 * fitting.RATE, dtype=np.float32)).text == ""


def test_both_engines_put_the_words_in_the_same_places(engines: Engines, recording: Samples) -> None:
    one, other = (engines.hear(engine, recording).words for engine in ("openai", "faster"))
    assert [word for word, _, _ in one] == [word for word, _, _ in other]
    for (word, *times), (_, *others) in zip(one, other, strict=True):
        assert times == pytest.approx(others, abs=0.1), word


def test_words_are_where_the_script_says(engines: Engines, recording: Samples) -> None:
    """The times that the attention was fitted to come out of the alignment."""
    wanted = [(text, start - 0.3) for text, start, _ in fitting.WORDS if text.strip(" ,.")]
    found = engines.hear("faster", recording).words
    assert [text.strip(" ,.") for text, _, _ in found] == [text.strip() for text, _ in wanted]
    for (text, start), (_, found_start, _) in zip(wanted, found, strict=True):
        assert found_start == pytest.approx(start, abs=_NEAR), text


def test_material_is_the_same_each_time(assets: Path) -> None:
    """Two first steps of fitting give the same numbers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        recording = fitting.sound(assets)
        one, other = (fitting.fit(recording, steps=2, size=1).state_dict() for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one[name], other[name]) for name in one)
