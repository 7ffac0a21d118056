"""Stretches of sound that are measured one by one: whose they are, and that none reaches beyond the sound."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import videoannotator as va
from videoannotator.data.frames import AudioTrack
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult
from videoannotator.data.rows import Shot, SpeakerTurn, SpeechRegion
from videoannotator.data.time import TimeSpan
from videoannotator.discover.pipeline import Context
from videoannotator.discover.stretches import KINDS, Stretch, needs_of, stretches_of, windows, within
from videoannotator.testing.clips import write_clip

TURNS = va.Table.of(SpeakerTurn, start=[0.5, 0.0], end=[9.0, 0.25], speaker=["A", "B"])
SPEECH = va.Table.of(SpeechRegion, start=[0.25], end=[0.75])
SHOTS = va.Table.of(Shot, start=[0.0], end=[1.0], start_frame=[0], end_frame=[25])
OF = {
    "speaker_diarization": ("turns", TURNS),
    "voice_activity": ("speech", SPEECH),
    "scene_detection": ("shots", SHOTS),
}


@pytest.fixture
def heard(tmp_path: Path) -> Any:
    """A context with a second of sound, in which the named pipelines ran; those in ``failed`` failed."""
    media = va.probe(write_clip(tmp_path / "a.wav", frames=0, sound="tone"))

    def made(*names: str, failed: tuple[str, ...] = ()) -> Context:
        outputs = {}
        for name in (*names, *failed):
            output, table = OF[name]
            failures = (Failure("broken", "it broke", pipeline=name),) if name in failed else ()
            outputs[name] = PipelineResult(name, {output: table}, Coverage((media.span,)), failures)
        audio = AudioTrack(np.zeros(16000, dtype=np.float32), 16000)
        return Context(media=media, span=media.span, audio=audio, outputs=outputs)

    return made


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("speaker_diarization", "voice_activity", "scene_detection"), "turns"),
        (("voice_activity", "scene_detection"), "speech"),
        (("scene_detection",), "fixed"),
        ((), "fixed"),
    ],
)
def test_auto_takes_turns_then_speech_then_parts_of_one_length(heard: Any, names: tuple[str, ...], kind: str) -> None:
    found, told = stretches_of(heard(*names), "auto", duration=0.5)
    assert told == kind
    assert told in KINDS
    assert (
        found
        == {
            "turns": [Stretch(0.5, 9.0, "A"), Stretch(0.0, 0.25, "B")],
            "speech": [Stretch(0.25, 0.75)],
            "fixed": [Stretch(0.0, 0.5), Stretch(0.5, 1.0)],
        }[kind]
    )


def test_what_failed_says_nothing(heard: Any) -> None:
    context = heard("voice_activity", failed=("speaker_diarization",))
    assert stretches_of(context, "auto", duration=1.0) == ([Stretch(0.25, 0.75)], "speech")


@pytest.mark.parametrize("kind", ["turns", "speech", "shots", "fixed"])
def test_what_is_named_is_taken_whatever_else_runs(heard: Any, kind: str) -> None:
    assert stretches_of(heard(*OF), kind, duration=1.0)[1] == kind


def test_needs_name_who_says_it() -> None:
    told = {kind: [(need.pipeline, need.optional) for need in needs_of(kind)] for kind in ("auto", *KINDS)}
    assert told == {
        "auto": [("speaker_diarization", True), ("voice_activity", True)],
        "turns": [("speaker_diarization", False)],
        "speech": [("voice_activity", False)],
        "shots": [("scene_detection", False)],
        "fixed": [],
    }


@given(st.floats(0, 50), st.floats(0.001, 120), st.floats(0.2, 40), st.floats(0, 0.9))
def test_windows_cover_the_span_without_a_hole(start: float, length: float, duration: float, share: float) -> None:
    span = TimeSpan(start, start + length)
    found = windows(span, duration, share * duration)
    assert found[0].start == span.start
    assert found[-1].end == span.end
    for one, after in pairwise(found):
        assert after.start == pytest.approx(one.start + duration * (1 - share), abs=1e-6)
        assert after.start <= one.end + 1e-9
        assert one.end < span.end
    for one in found:
        assert 0 < one.duration <= duration + 1e-5


def test_there_are_no_windows_in_no_sound() -> None:
    assert windows(TimeSpan(2.0, 2.0), 1.0) == []


@given(st.lists(st.tuples(st.floats(0, 12), st.floats(0.01, 9))), st.floats(0, 3), st.integers(0, 160))
def test_nothing_reaches_beyond_the_sound(pairs: list[tuple[float, float]], start: float, count: int) -> None:
    audio = AudioTrack(np.zeros(count, np.float32), 16, start)
    given_ = [Stretch(first, first + length, "a") for first, length in pairs]
    found = within(given_, audio)
    assert sorted((one.start, one.end) for one in found) == [(one.start, one.end) for one in found]
    assert len(found) == sum(min(s.end, audio.span.end) > max(s.start, audio.span.start) for s in given_)
    for one in found:
        assert audio.span.start <= one.start < one.end <= audio.span.end
        first, last = one.samples_of(audio)
        assert 0 <= first <= last <= count
        assert last - first == pytest.approx(one.duration * 16, abs=1.0)
