"""The rules that turn probabilities into regions, against silero-vad's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.errors import ConfigError
from videoannotator_voice_activity.config import VoiceActivityConfig
from videoannotator_voice_activity.regions import CHUNK, speech_regions

# few levels, so that runs above, between and below the two thresholds are common
_LEVELS = st.sampled_from([0.0, 0.05, 0.2, 0.34, 0.35, 0.4, 0.5, 0.6, 0.9, 1.0]) | st.floats(0, 1, width=32)
_RUNS = st.lists(st.tuples(_LEVELS, st.integers(1, 30)), max_size=40)


@st.composite
def _cases(draw: Any) -> tuple[list[float], int, dict[str, Any]]:
    probabilities = [level for level, length in draw(_RUNS) for _ in range(length)]
    cut_off = draw(st.integers(0, CHUNK - 1)) if probabilities else 0
    threshold = draw(st.floats(0.0, 1.0, width=32))
    milliseconds = st.integers(0, 1500)
    return (
        probabilities,
        len(probabilities) * CHUNK - cut_off,
        {
            "threshold": threshold,
            "neg_threshold": draw(st.none() | st.floats(0.0, threshold, width=32)),
            "min_speech_duration_ms": draw(milliseconds),
            "min_silence_duration_ms": draw(milliseconds),
            "speech_pad_ms": draw(st.integers(0, 400)),
            "max_speech_duration_s": draw(st.just(float("inf")) | st.integers(1, 20_000).map(lambda ms: ms / 1000)),
            "min_silence_at_max_speech": draw(st.integers(0, 500)),
        },
    )


def _ours(theirs: dict[str, Any]) -> VoiceActivityConfig:
    longest = theirs["max_speech_duration_s"]
    return VoiceActivityConfig(
        threshold=theirs["threshold"],
        neg_threshold=theirs["neg_threshold"],
        min_speech_duration=theirs["min_speech_duration_ms"] / 1000,
        min_silence_duration=theirs["min_silence_duration_ms"] / 1000,
        speech_pad=theirs["speech_pad_ms"] / 1000,
        max_speech_duration=None if longest == float("inf") else longest,
        min_silence_at_max_speech=theirs["min_silence_at_max_speech"] / 1000,
    )


@settings(max_examples=400, deadline=None)
@given(_cases())
def test_regions_are_those_of_silero_vad_to_the_sample(case: tuple[list[float], int, dict[str, Any]]) -> None:
    utils = pytest.importorskip(
        "silero_vad.utils_vad", reason="silero-vad, the reference, is not installed (needs torch)"
    )
    probabilities, samples, settings_ = case
    expected = utils.get_speech_timestamps_from_probs(probabilities, audio_length_samples=samples, **settings_)
    found = speech_regions(probabilities, samples, _ours(settings_))
    assert found == [(region["start"], region["end"]) for region in expected]


def test_speech_that_is_too_long_is_cut_at_its_pause_or_just_there() -> None:
    probabilities = [0.9] * 30 + [0.1] * 6 + [0.9] * 30
    config = VoiceActivityConfig(max_speech_duration=1.5, min_silence_duration=0.5, speech_pad=0.0)
    assert speech_regions(probabilities, 66 * CHUNK, config) == [(0, 30 * CHUNK), (36 * CHUNK, 66 * CHUNK)]
    without_pause = speech_regions([0.9] * 100, 100 * CHUNK, config)  # the rest is too short to be kept
    assert without_pause == [(0, 46 * CHUNK), (47 * CHUNK, 93 * CHUNK)]


@settings(max_examples=200, deadline=None)
@given(_cases())
def test_regions_ascend_do_not_overlap_and_stay_inside(case: tuple[list[float], int, dict[str, Any]]) -> None:
    probabilities, samples, settings_ = case
    edges = [edge for region in speech_regions(probabilities, samples, _ours(settings_)) for edge in region]
    assert edges == sorted(edges)
    assert all(0 <= edge <= samples for edge in edges)


def test_no_probabilities_no_regions() -> None:
    assert speech_regions([], 0, VoiceActivityConfig()) == []


def test_a_threshold_to_end_above_the_one_to_begin_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"neg_threshold must be at most threshold, got 0\.7 and 0\.5"):
        VoiceActivityConfig(neg_threshold=0.7)
