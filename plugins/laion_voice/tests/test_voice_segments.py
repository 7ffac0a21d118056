"""Which stretches are rated: settings, other pipelines' rows, and sounds that are hard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import videoannotator as va
from videoannotator import AudioTrack
from videoannotator.discover.stretches import Stretch
from videoannotator.errors import ConfigError
from videoannotator.testing.clips import tone, write_clip
from videoannotator_laion_voice.segments import choose


def run(path: Path, *others: str, **config: Any) -> va.Result:
    settings = {"laion_voice": config}
    with va.Annotator([*others, "laion_voice"], config=settings, cache=False, download=False) as annotator:
        return annotator.annotate(path, progress=False)


@pytest.fixture
def models(whisper: Path, few: Any) -> dict[str, Any]:
    return {"weights": str(few[0]), "encoder": str(whisper), "heads": ("awe",)}


def spans(table: va.Table[Any]) -> list[tuple[float, float]]:
    return [(row.start, row.end) for row in table]


def test_speech_is_rated_where_voice_activity_runs(assets: Path, models: dict[str, Any]) -> None:
    talk = assets / "audio" / "sample_two_speakers.wav"
    result = run(talk, "voice_activity", **models)
    assert result.ok, result.failures
    speech = spans(result["voice_activity"].speech)
    rated = result["laion_voice"]
    assert sorted(spans(rated.emotions) + spans(rated.left_out)) == speech
    assert all(end - start >= 1 for start, end in spans(rated.emotions))
    assert {row.speaker for row in rated.emotions} == {None}
    assert "segments are the speech of voice_activity" in result.provenance.pipelines[-1].notices
    fixed = run(talk, "voice_activity", **models, segments="fixed", segment_duration=20.0)
    assert spans(fixed["laion_voice"].emotions) == [(0.0, 20.0), (20.0, 30.0)]
    assert "segments are of fixed length" in fixed.provenance.pipelines[-1].notices
    cut = run(talk, "voice_activity", **models, segments="speech", max_segment_duration=5.0)["laion_voice"]
    assert len(cut.emotions) > len(rated.emotions)
    assert cut.left_out == rated.left_out
    assert max(end - start for start, end in spans(cut.emotions)) <= 5 + 1e-6


def test_shots_are_rated(assets: Path, models: dict[str, Any]) -> None:
    result = run(assets / "video" / "shot_change.mp4", "scene_detection", **models, segments="shots")
    assert result.ok, result.failures
    shots = spans(result["scene_detection"].shots)
    assert len(shots) == 2
    rated = result["laion_voice"]
    covered = result["laion_voice"].coverage.spans[0]
    expected = [(max(start, covered.start), min(end, covered.end)) for start, end in shots]
    assert spans(rated.emotions) == expected
    assert "segments are the shots of scene_detection" in result.provenance.pipelines[-1].notices


def test_silence_and_little_sound_are_said_to_be_left_out(tmp_path: Path, models: dict[str, Any]) -> None:
    quiet = run(write_clip(tmp_path / "quiet.mkv", frames=70, rate=10, sound="silence"), **models)
    assert quiet.ok, quiet.failures
    rated = quiet["laion_voice"]
    assert len(rated.emotions) == 0
    assert [row.reason for row in rated.left_out] == ["silence", "silence"]
    short = run(write_clip(tmp_path / "short.wav", frames=0, sound=np.ones(1, np.float32), sound_rate=16000), **models)
    assert short.ok, short.failures
    assert [row.reason for row in short["laion_voice"].left_out] == ["short"]
    mute = run(write_clip(tmp_path / "mute.mp4", frames=10, rate=10), **models)
    assert [failure.kind for failure in mute.failures] == ["no_audio"]


def test_sound_that_starts_late_is_rated_on_the_file_s_clock(tmp_path: Path, models: dict[str, Any]) -> None:
    beep = np.concatenate([tone(2.0, 16000), np.zeros(16000, np.float32), tone(0.5, 16000)])
    path = write_clip(
        tmp_path / "late.mkv",
        frames=60,
        rate=10,
        sound=beep,
        sound_rate=16000,
        sound_start=1.5,
        sound_codec="pcm_s16le",
    )
    result = run(path, **models, segment_duration=1.0, min_segment_duration=0.5)
    assert result.ok, result.failures
    rated = result["laion_voice"]
    assert spans(rated.emotions) == [(1.5, 2.5), (2.5, 3.5), (4.5, 5.0)]
    assert [(row.start, row.end, row.reason) for row in rated.left_out] == [(3.5, 4.5, "silence")]


@st.composite
def candidates(draw: st.DrawFn) -> list[Stretch]:
    pairs = draw(st.lists(st.tuples(st.floats(0, 12), st.floats(0.01, 9)), max_size=8))
    return [Stretch(start, start + length, draw(st.sampled_from(["a", "b", None]))) for start, length in pairs]


@given(candidates(), st.floats(0, 3), st.integers(0, 160), st.floats(0.1, 2), st.floats(2, 5))
def test_what_is_chosen_and_what_is_left_out_are_all_there_is(
    given_: list[Stretch], start: float, count: int, shortest: float, longest: float
) -> None:
    samples = np.zeros(count, np.float32)
    samples[: count // 2] = 0.5
    audio = AudioTrack(samples, 16, start)
    rated, left = choose(given_, audio, shortest=shortest, longest=longest)
    inside = [
        (max(one.start, audio.span.start), min(one.end, audio.span.end), one.speaker)
        for one in given_
        if min(one.end, audio.span.end) > max(one.start, audio.span.start)
    ]
    parts = [*rated, *(skipped.segment for skipped in left)]
    for speaker in ("a", "b", None):
        expected = sum(end - begin for begin, end, who in inside if who == speaker)
        assert sum(part.duration for part in parts if part.speaker == speaker) == pytest.approx(expected, abs=1e-6)
    for part in parts:
        assert audio.span.start <= part.start < part.end <= audio.span.end
        assert part.duration <= longest + 1e-5
    for part in rated:
        first, last = part.samples_of(audio)
        assert samples[first:last].any()
        assert part.duration >= shortest - 1e-5
    for skipped in left:
        first, last = skipped.segment.samples_of(audio)
        assert skipped.reason == "short" or not samples[first:last].any()
    assert [part.start for part in rated] == sorted(part.start for part in rated)


def test_settings_and_listing_import_no_model() -> None:
    code = "import sys, videoannotator_laion_voice as p, videoannotator_laion_voice.config, "
    code += "videoannotator_laion_voice.rows; p.videoannotator_pipelines(); "
    code += "print([m for m in ('torch', 'transformers', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"segment_duration": 0}, "segment_duration"),
        ({"segment_duration": 40.0}, "at most max_segment_duration"),
        ({"segment_duration": 0.5}, "at least min_segment_duration"),
        ({"segment_overlap": 5.0}, "must be less than segment_duration"),
        ({"segments": "scenes"}, "segments"),
        ({"heads": "anger"}, "heads"),
        ({"block": 0}, "block"),
        ({"segment_mode": "fixed"}, "no such setting"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        va.Annotator(["laion_voice"], config={"laion_voice": wrong})


def test_more_than_the_encoder_hears_at_a_time_is_refused(assets: Path, models: dict[str, Any]) -> None:
    (failure,) = run(assets / "audio" / "jfk.flac", **models, max_segment_duration=31.0).failures
    assert "the encoder hears 30 s at a time, got 31" in failure.message
