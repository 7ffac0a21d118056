"""The pipeline on real speech and on hard sounds, with a Whisper that says nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoannotator import Utterance
from videoannotator.data.frames import AudioTrack
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.data.table import Table
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, DataError, ModelError
from videoannotator_speech_recognition import videoannotator_pipelines
from videoannotator_speech_recognition.pipeline import SpeechRecognition

(SPEC,) = videoannotator_pipelines()
_QUICK: dict[str, Any] = {"temperature": [0.0], "beam_size": 1, "language": "en"}


def _made(samples: np.ndarray, weights: Path, *, start: float = 0.0, batch: int = 8, **config: Any) -> Any:
    audio = AudioTrack(np.asarray(samples, np.float32), 16000, start)
    end = start + samples.size / 16000
    media = MediaInfo("/made.wav", 1, "wav", end, None, AudioInfo("pcm_f32le", 16000, 1, start, end - start))
    context = Context(media=media, span=media.span, models=SPEC.models, audio=audio, batch=batch, threads=2)
    made = SpeechRecognition(config_of(SPEC, {"weights": str(weights), **_QUICK, **config}), context)
    made.setup()
    return made


def _run(*given: Any, **settings: Any) -> Table[Utterance]:
    made = _made(*given, **settings)
    return Table.concat([Table.empty(Utterance), *made.finish()])


def _tone(seconds: float, level: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * 16000)) / 16000
    return level * sum(np.sin(2 * np.pi * pitch * time) for pitch in (261.6, 329.6, 392.0)) / 3


@pytest.mark.parametrize(
    "sound",
    [np.zeros(0), np.zeros(1), np.ones(1), np.zeros(159), np.zeros(16000 * 20), _tone(5)],
    ids=["nothing", "one", "click", "short", "silence", "music"],
)
def test_where_nobody_speaks_nothing_is_transcribed(hub_folder: Path, sound: np.ndarray) -> None:
    assert len(_run(sound, hub_folder)) == 0


@pytest.mark.parametrize("samples", [1, 160, 480])
@pytest.mark.parametrize("engine", ["faster-whisper", "openai-whisper"])
def test_sound_of_hardly_any_length(hub_folder: Path, checkpoint: Path, engine: str, samples: int) -> None:
    weights = hub_folder if engine == "faster-whisper" else checkpoint
    for row in _run(np.ones(samples) * 0.1, weights, vad_filter=False, engine=engine):
        assert 0 <= row.start < row.end <= samples / 16000
        assert all(row.start <= word.start < word.end <= row.end for word in row.words)


def test_clipped_speech_that_begins_late(hub_folder: Path, jfk: np.ndarray) -> None:
    found = _run(np.clip(jfk * 50, -1, 1), hub_folder, start=7.25)
    assert len(found)
    assert found.start.min() >= 7.25
    assert found.end.max() <= 7.25 + jfk.size / 16000
    for row in found:
        starts = [word.start for word in row.words]
        assert starts == sorted(starts)
        place = 0
        for word in row.words:  # the words' texts come in the utterance's, in their order
            place = row.text.index(word.text, place) + len(word.text)


def _several(jfk: np.ndarray) -> np.ndarray:
    quiet = np.zeros(16000 * 3, np.float32)
    return np.concatenate([jfk[: 16000 * 4], quiet, jfk[16000 * 4 :], quiet, jfk[: 16000 * 6]])


def test_a_new_start_in_the_middle_changes_nothing(hub_folder: Path, jfk: np.ndarray) -> None:
    """Random numbers are drawn for every window: also these are the same again, whatever was heard before."""
    how: dict[str, Any] = {"chunk_length": 8.0, "temperature": [0.7], "best_of": 2, "hotwords": "Kennedy"}
    sound = _several(jfk)
    whole = _run(sound, hub_folder, batch=1, **how)
    assert {row.temperature for row in whole} == {0.7}
    first = _made(sound, hub_folder, batch=1, **how)
    pieces = first.finish()
    rows = [next(pieces)]
    second = _made(sound, hub_folder, batch=1, **how)
    second.restore(first.state())
    rows += list(second.finish())
    again = Table.concat(rows)
    assert [(r.start, r.end, r.text, r.words) for r in again] == [(r.start, r.end, r.text, r.words) for r in whole]
    assert _run(sound, hub_folder, batch=1, **{**how, "seed": 5}).text.tolist() != whole.text.tolist()


def test_stretches_that_are_heard_together_say_the_same(hub_folder: Path, jfk: np.ndarray) -> None:
    sound = _several(jfk)
    alone = _run(sound, hub_folder, batch=1, chunk_length=8.0)
    together = _run(sound, hub_folder, batch=3, chunk_length=8.0)
    assert len(alone)
    assert together.text.tolist() == alone.text.tolist()
    np.testing.assert_allclose(together.start, alone.start)


def test_what_was_said_prompts_what_follows(hub_folder: Path, jfk: np.ndarray) -> None:
    sound, how = _several(jfk), {"chunk_length": 8.0, "initial_prompt": "Ask not"}
    apart = _run(sound, hub_folder, **how)
    made = _made(sound, hub_folder, condition_on_previous_text=True, **how)
    pieces = list(made.finish())
    _, _, said = made.state()
    assert len(pieces) > 1
    assert said
    together = Table.concat(pieces)
    assert together.text.tolist()[0] == apart.text.tolist()[0]
    assert together.text.tolist() != apart.text.tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"beam_size": 3},
        {"initial_prompt": "Kennedy speaks"},
        {"hotwords": "Kennedy"},
        {"suppress_tokens": []},
        {"repetition_penalty": 1.5},
        {"no_repeat_ngram_size": 1},
        {"task": "translate"},
        {"language": "de"},
        {"max_initial_timestamp": 0.0},
        {"chunk_length": 4.0},
        {"vad_threshold": 0.95},
        {"vad_min_silence_duration": 0.1},
        {"vad_min_speech_duration": 30.0},
        {"vad_speech_pad": 0.05, "vad_min_silence_duration": 0.1},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_settings_act(hub_folder: Path, jfk: np.ndarray, settings: dict[str, Any]) -> None:
    assert _run(jfk, hub_folder, **settings) != _run(jfk, hub_folder)


def test_languages_are_detected_for_the_file_or_for_every_window(hub_folder: Path, jfk: np.ndarray) -> None:
    made = _made(jfk, hub_folder, language=None)
    told: list[str] = []
    made.context.tell = told.append
    (table,) = made.finish()
    assert len(set(table.language)) == 1
    assert any(f"language {made.state()[1]}, detected with a probability of" in text for text in told)
    each = _made(jfk, hub_folder, language=None, multilingual=True, chunk_length=5.0)
    assert all(row.language for table in each.finish() for row in table)
    assert each.state()[1] is None


def test_openais_file_is_converted_once_and_said(checkpoint: Path, jfk: np.ndarray, own_cache: Path) -> None:
    made = _made(jfk[:1600], checkpoint)
    assert made.context.dtype == "float32"
    (folder,) = (own_cache / "converted").glob("*-float32")
    written = (folder / "model.bin").stat().st_mtime_ns
    _made(jfk[:1600], checkpoint)
    assert (folder / "model.bin").stat().st_mtime_ns == written


def test_what_cannot_be_loaded_is_named(tmp_path: Path, hub_folder: Path, jfk: np.ndarray) -> None:
    nothing = tmp_path / "nothing.pt"
    nothing.write_bytes(b"no weights")
    for engine in ("faster-whisper", "openai-whisper"):
        with pytest.raises(ModelError, match=r"nothing\.pt"):
            _made(jfk, nothing, engine=engine)
    with pytest.raises(ModelError, match="choose the engine faster-whisper"):
        _made(jfk, hub_folder, engine="openai-whisper")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "model.bin").write_bytes((hub_folder / "model.bin").read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"has no config\.json"):
        _made(jfk, bare)
    with pytest.raises(ConfigError, match="knows no language 'yue'"):
        _made(jfk, hub_folder, language="yue")


def test_sound_at_another_rate_is_refused(hub_folder: Path) -> None:
    made = _made(np.zeros(800), hub_folder)
    made.context._audio = AudioTrack(np.zeros(800, np.float32), 8000)
    with pytest.raises(DataError, match="needs sound at 16000 Hz, got 8000 Hz"):
        next(made.finish())


def test_fast_computes_in_eight_bits(hub_folder: Path, jfk: np.ndarray) -> None:
    made = _made(jfk, hub_folder)
    told: list[str] = []
    made.context.precision, made.context.tell = "fast", told.append
    made.setup()
    assert made.context.dtype == "int8"
    assert any("int8" in text for text in told)
    assert sum(len(table) for table in made.finish())


@pytest.mark.parametrize(
    "text", ["قال مرحبا بالعالم", "שלום עולם", "今天天气很好。", "日本語です", "well 👩‍👩‍👧 done 🎉"]
)
def test_words_of_every_script_are_put_together_again(hub_folder: Path, checkpoint: Path, text: str) -> None:
    """The words that the tokenizers cut, as both engines' alignment does, make up the text."""
    from whisper.tokenizer import get_tokenizer

    language = "zh" if "天" in text else "ja" if "本" in text else "ar"
    ours: Any = _made(np.zeros(0), hub_folder, language=language)._engine.tokenizer(language)
    theirs = get_tokenizer(True, num_languages=99, language=language, task="transcribe")
    tokens = ours.encode(text)
    assert tokens == theirs.encode(text)
    words, parts = ours.split_to_word_tokens([*tokens, ours.eot])
    expected, expected_parts = theirs.split_to_word_tokens([*tokens, theirs.eot])
    assert (words[:-1], parts) == (expected[:-1], expected_parts)  # the last is the end of the text
    assert "".join(words[:-1]) == text
