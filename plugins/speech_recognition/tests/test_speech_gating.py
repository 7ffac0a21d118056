"""Stretches of speech, and the way back from their times to the file's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.data.frames import AudioTrack
from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.gating import RATE, Stretch, Voice, joined, stretches
from videoannotator_speech_recognition.hearing import Decoded, Utterances
from videoannotator_speech_recognition.placing import placed, rows, suspected
from videoannotator_speech_recognition.timing import Part, Spoken

_GAPS = st.lists(st.tuples(st.integers(0, 80_000), st.integers(1, 80_000)), min_size=1, max_size=8)
_TIMES = st.floats(-1, 60) | st.integers(0, 500).map(lambda step: step / 50)
SILENT = Voice(np.zeros(4000, np.float32), 4000 * 512)


def _regions(gaps: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found, at = [], 0
    for gap, length in gaps:
        found.append((at + gap, at + gap + length))
        at = found[-1][1]
    return tuple(found)


@settings(max_examples=300, deadline=None)
@given(_GAPS, st.lists(st.tuples(_TIMES, _TIMES), max_size=30))
def test_every_word_has_a_length_and_lies_where_something_was_heard(
    gaps: list[tuple[int, int]], times: list[tuple[float, float]]
) -> None:
    stretch = Stretch(_regions(gaps), gated=True)
    found = placed(times, stretch)
    assert len(found) == len(times)
    for span in found:
        assert span.start < span.end
        assert any(start <= span.start and span.end <= end for start, end in stretch.regions)
    starts = [span.start for span in found]
    assert starts == sorted(starts)


@settings(max_examples=200, deadline=None)
@given(_GAPS, st.data())
def test_times_inside_are_mapped_exactly(gaps: list[tuple[int, int]], data: st.DataObject) -> None:
    stretch = Stretch(_regions(gaps), gated=True)
    region = data.draw(st.integers(0, len(stretch.regions) - 1))
    start, end = stretch.regions[region]
    sample = data.draw(st.integers(start, end - 1))
    before = sum(b - a for a, b in stretch.regions[:region])
    time = (before + sample - start) / RATE
    assert abs(stretch.region_at(time) - region) <= (sample == start)  # where two meet, rounding may choose
    assert stretch.sample(time, region) == pytest.approx(sample, abs=1e-3)


@given(_GAPS, st.integers(16_000, 480_000))
def test_stretches_hold_all_speech_once_in_order(gaps: list[tuple[int, int]], most: int) -> None:
    regions = list(_regions(gaps))
    packed = joined(regions, most)
    assert [region for stretch in packed for region in stretch.regions] == regions
    assert all(len(stretch) <= most or len(stretch.regions) == 1 for stretch in packed)


def test_the_sound_of_a_stretch_is_that_of_its_regions() -> None:
    samples = np.arange(100, dtype=np.float32)
    assert Stretch(((3, 5), (50, 52)), gated=True).of(samples).tolist() == [3, 4, 50, 51]


def test_without_the_filter_everything_is_heard_cut_where_it_is_quiet() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(RATE * 700).astype(np.float32)
    sound[RATE * 290 : RATE * 290 + 8000] = 0
    parts = stretches(Voice(np.zeros(0, np.float32), sound.size), sound, SpeechRecognitionConfig(vad_filter=False))
    regions = [region for part in parts for region in part.regions]
    assert (regions[0][0], regions[-1][1]) == (0, sound.size)
    assert all(before[1] == after[0] for before, after in pairwise(regions))
    assert all(end - start <= 300 * RATE for start, end in regions)
    assert 290 <= regions[0][1] / RATE <= 290.5


@pytest.mark.parametrize("samples", [0, 1, 511, 512])
def test_sound_of_hardly_any_length(samples: int) -> None:
    sound = np.ones(samples, np.float32)
    voice = Voice(np.zeros(-(-samples // 512), np.float32), samples)
    assert stretches(voice, sound, SpeechRecognitionConfig()) == []
    assert len(stretches(voice, sound, SpeechRecognitionConfig(vad_filter=False))) == bool(samples)


@pytest.mark.parametrize(
    ("given_", "reasons"),
    [
        ({}, []),
        ({"compression_ratio": 2.5}, ["repeats"]),
        ({"avg_logprob": -1.2}, ["unlikely"]),
        ({"avg_logprob": -1.2, "no_speech_prob": 0.7}, ["no_speech", "unlikely"]),
        ({"no_speech_prob": 0.99}, []),  # the text is probable: Whisper keeps it
        ({"voice": 0.4}, ["no_voice"]),
        ({"pace": 11.5}, ["too_fast"]),
        ({"no_speech_prob": None, "pace": None}, []),
    ],
)
def test_reasons_to_suspect(given_: dict[str, float | None], reasons: list[str]) -> None:
    told = {"compression_ratio": 1.5, "avg_logprob": -0.3, "no_speech_prob": 0.1, "voice": 0.9, "pace": 3.0, **given_}
    assert suspected(**told, config=SpeechRecognitionConfig()) == reasons  # type: ignore[arg-type]  # mixed on purpose


def test_thresholds_that_are_unset_suspect_nothing() -> None:
    config = SpeechRecognitionConfig(
        compression_ratio_threshold=None, logprob_threshold=None, no_speech_threshold=None, vad_threshold=0.0
    )
    told = {"compression_ratio": 9.0, "avg_logprob": -9.0, "no_speech_prob": 1.0, "voice": 0.0, "pace": 1.0}
    assert suspected(**told, config=config) == []


def _one(words: list[Spoken], text: str, *, start: float = 0.0, end: float = 1.0, probability: float = 0.5) -> list:
    decoded = Decoded((1,), -0.2, probability, 0.0, 1.0)
    found = [Utterances(decoded, "jw", (Part(start, end, [1], words),), (text,))]
    track = AudioTrack(np.zeros(5 * RATE, np.float32), RATE, start=7.0)
    stretch = Stretch(((RATE, 3 * RATE),), gated=True)
    return rows(found, stretch, track, SILENT, SpeechRecognitionConfig(), multilingual=True)


def test_rows_are_on_the_files_clock_and_say_only_what_was_measured() -> None:
    nan = float("nan")
    (row,) = _one([Spoken(" a", 0.5, 0.5, nan), Spoken(" b", 0.5, 0.9, 0.25)], " a b", probability=nan)
    assert [(w.text, w.score) for w in row.words] == [("a", None), ("b", 0.25)]
    assert [(w.start, w.end) for w in row.words] == [(8.5, 8.52), (8.5, pytest.approx(8.9))]
    assert (row.start, row.end, row.text, row.score) == (8.5, pytest.approx(8.9), "a b", 0.25)
    assert (row.language, row.no_speech_prob, row.suspected) == ("jv", None, "no_voice")


def test_an_utterance_without_words_keeps_the_time_of_its_timestamps() -> None:
    (row,) = _one([], "...", start=0.25, end=0.75)
    assert (row.start, row.end, row.words, row.score) == (8.25, 8.75, (), None)


def test_a_timestamp_behind_the_sound_moves_nothing_that_is_heard_later() -> None:
    """Whisper may give a text without words a time in the silence behind the sound, and go on where it was."""
    decoded = Decoded((1,), -0.5, 0.1, 0.0, 1.0)
    beyond = Part(20.0, 28.0, [1])
    later = Part(3.0, 4.0, [1], [Spoken(" yes", 3.0, 3.5, 0.9), Spoken(" so", 3.5, 4.0, 0.9)])
    found = [Utterances(decoded, "en", (beyond,), ("!!",)), Utterances(decoded, "en", (later,), (" yes so",))]
    track = AudioTrack(np.zeros(11 * RATE, dtype=np.float32), RATE)
    stretch = Stretch(((0, 11 * RATE),), gated=False)
    made = rows(found, stretch, track, SILENT, SpeechRecognitionConfig(), multilingual=True)
    assert [(row.text, row.start, row.end) for row in made] == [("yes so", 3.0, 4.0), ("!!", 10.98, 11.0)]
    assert [(word.start, word.end) for word in made[0].words] == [(3.0, 3.5), (3.5, 4.0)]
