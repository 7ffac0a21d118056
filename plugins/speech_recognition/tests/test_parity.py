"""What each engine gives is what its package's own ``transcribe`` gives with the same settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoannotator import Annotator, Utterance

_SETTINGS: list[dict[str, Any]] = [
    {"temperature": [0.0]},
    {"temperature": [0.0], "beam_size": 1, "condition_on_previous_text": True, "language": "ja"},
    {"temperature": [0.0], "initial_prompt": "Ask not", "suppress_tokens": [-1, 400], "max_initial_timestamp": 0.5},
    {"temperature": [0.0], "task": "translate", "length_penalty": 0.5, "patience": 1.6, "suppress_blank": False},
]
_IDS = ["defaults", "greedy", "prompt", "penalty"]


def _said(path: Path, weights: Path, engine: str, config: dict[str, Any], end: float | None = None) -> list[Utterance]:
    everything = {"weights": str(weights), "engine": engine, "vad_filter": False, "no_speech_threshold": None, **config}
    with Annotator(["speech_recognition"], config={"speech_recognition": everything}, cache=False) as annotator:
        result = annotator.annotate(path, end=end, progress=False)
    assert result.ok, result.failures
    return list(result["speech_recognition"].utterances)


def _equal(found: Sequence[Utterance], segments: Sequence[Any], end: float = 11.0) -> None:
    """All but what has no length, which the packages drop and we do not. ``end``: of the sound, s."""
    theirs = [s for s in segments if s["text"].strip() and min(s["end"], end) - s["start"] > 0.021]
    kept = [row for row in found if row.end - row.start > 0.021]
    assert [row.text for row in kept] == [segment["text"].strip() for segment in theirs]
    assert theirs
    for row, segment in zip(kept, theirs, strict=True):
        assert row.avg_logprob == pytest.approx(segment["avg_logprob"], abs=1e-5)
        assert row.no_speech_prob == pytest.approx(segment["no_speech_prob"], abs=1e-6)
        assert row.compression_ratio == pytest.approx(segment["compression_ratio"])
        words = [word for word in segment["words"] if word["word"].strip()]
        assert [word.text for word in row.words] == [word["word"].strip() for word in words]
        np.testing.assert_allclose([w.score for w in row.words], [w["probability"] for w in words], atol=1e-5)
        for mine, word in zip(row.words, words, strict=True):
            assert mine.start == pytest.approx(float(word["start"]))
            if word["start"] < word["end"]:
                assert mine.end == pytest.approx(min(float(word["end"]), end))  # the sound ends there


@pytest.mark.parametrize("settings", _SETTINGS, ids=_IDS)
def test_faster_whisper_is_that_of_the_package(
    assets: Path, jfk: np.ndarray, hub_folder: Path, settings: dict[str, Any]
) -> None:
    from dataclasses import asdict

    from faster_whisper import WhisperModel

    found = _said(assets / "audio" / "jfk.flac", hub_folder, "faster-whisper", settings)
    told = {name: list(value) if isinstance(value, list) else value for name, value in settings.items()}
    segments, info = WhisperModel(str(hub_folder), device="cpu", compute_type="float32", cpu_threads=1).transcribe(
        jfk,
        word_timestamps=True,
        no_speech_threshold=None,
        **{"condition_on_previous_text": False, **told},
    )
    _equal(found, [asdict(segment) for segment in segments])
    assert {row.language for row in found} == {"en" if settings.get("task") else info.language}


@pytest.mark.parametrize("settings", _SETTINGS[1:], ids=_IDS[1:])
def test_openai_whisper_is_that_of_the_package(
    assets: Path, jfk: np.ndarray, checkpoint: Path, settings: dict[str, Any]
) -> None:
    import whisper

    settings = {"beam_size": 2, **settings}  # with five the package takes minutes
    end = 4.0  # of eleven seconds the package makes minutes
    found = _said(assets / "audio" / "jfk.flac", checkpoint, "openai-whisper", settings, end)
    how = {"condition_on_previous_text": False, **settings}
    if how["beam_size"] == 1:
        del how["beam_size"]
    result = whisper.load_model(str(checkpoint), device="cpu").transcribe(
        jfk[: int(end * 16000)], word_timestamps=True, no_speech_threshold=None, fp16=False, **how
    )
    _equal(found, result["segments"], end)
    assert {row.language for row in found} == {"en" if settings.get("task") else result["language"]}
