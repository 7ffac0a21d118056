"""The pipeline: stretches, times, odd sounds, long ones, going on, settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugins.voice_features.tests.conftest import RATE, SPEC, context_of, made_voice, measure

from videoannotator import Annotator, SpeakerTurn, SpeechRegion, Table
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import config_of
from videoannotator.errors import ConfigError, DataError
from videoannotator_voice_features.frames import Grid
from videoannotator_voice_features.pipeline import VoiceFeatures

_ALL = ["loudness", "pitch", "quality", "spectrum", "mfcc"]
_GROUPS = {
    "loudness": ("rms", "loudness"),
    "pitch": ("f0", "voicing"),
    "quality": ("hnr", "jitter", "shimmer"),
    "spectrum": ("centroid", "flux", "alpha_ratio"),
    "mfcc": ("mfcc",),
}


def _turns(*rows: tuple[float, float, str], ok: bool = True) -> PipelineResult:
    table = Table.from_rows(SpeakerTurn, [SpeakerTurn(*row) for row in rows])
    failures = () if ok else (Failure("pipeline_error", "broken", None, "speaker_diarization"),)
    return PipelineResult("speaker_diarization", {"turns": table}, Coverage(), failures)


def _regions(*rows: tuple[float, float]) -> PipelineResult:
    return PipelineResult(
        "voice_activity", {"speech": Table.from_rows(SpeechRegion, [SpeechRegion(*row) for row in rows])}, Coverage()
    )


@pytest.fixture(scope="module")
def two_voices() -> np.ndarray:
    """A second of 110 Hz, half a second of silence, a second of 220 Hz, half as loud."""
    return np.concatenate(
        [
            made_voice(110, seconds=1).samples[:RATE],
            np.zeros(RATE // 2),
            0.5 * made_voice(220, seconds=1).samples[:RATE],
        ]
    )


def test_turns_are_summed_up(two_voices: np.ndarray) -> None:
    outputs = {
        "speaker_diarization": _turns((0, 1, "A"), (1.5, 2.5, "B"), (0, 2.5, "C")),
        "voice_activity": _regions((0, 0.5), (1.5, 2.5)),
    }
    measured = measure(two_voices, outputs=outputs)
    first, whole, second = measured.segments
    assert (first.speaker, whole.speaker, second.speaker) == ("A", "C", "B")
    assert first.f0_median == pytest.approx(110, rel=0.01)
    assert second.f0_median == pytest.approx(220, rel=0.01)
    assert whole.f0_range == pytest.approx(12, abs=0.2)
    assert second.speech_share == pytest.approx(1)
    assert first.speech_share == pytest.approx(0.5)
    assert whole.speech_share == pytest.approx(0.6)
    assert first.voiced_share > 0.9
    assert whole.voiced_share == pytest.approx(0.8, abs=0.06)
    assert first.frames == 100
    assert first.rms == pytest.approx(10 * np.log10((two_voices[:RATE].astype(np.float64) ** 2).mean()), abs=0.01)
    assert measured.notices == ["segments are the turns of speaker_diarization"]


def test_a_summary_is_that_of_the_frames_in_it(two_voices: np.ndarray) -> None:
    measured = measure(two_voices, {"measures": _ALL}, outputs={"speaker_diarization": _turns((0.2, 2.2, "A"))})
    (segment,), frames = measured.segments, measured.frames
    inside = frames[(frames.time >= 0.2) & (frames.time < 2.2)]
    voiced = inside[np.isfinite(inside.f0)]
    for name in ("loudness", "hnr", "centroid", "flux", "flatness"):
        assert getattr(segment, f"{name}_mean") == pytest.approx(np.nanmean(inside.column(name), dtype=float), rel=1e-4)
        assert getattr(segment, f"{name}_sd") == pytest.approx(np.nanstd(inside.column(name), dtype=float), rel=1e-3)
    for name in ("alpha_ratio", "slope_0_500"):
        assert getattr(segment, f"{name}_mean") == pytest.approx(np.nanmean(voiced.column(name), dtype=float), rel=1e-4)
    assert segment.f0_low == pytest.approx(np.nanpercentile(inside.f0, 5), rel=1e-4)
    assert segment.loudness_max == pytest.approx(np.nanmax(inside.loudness))
    cepstra = np.array([row.mfcc for row in inside if row.mfcc is not None])
    np.testing.assert_allclose(segment.mfcc_mean, cepstra.mean(axis=0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(segment.mfcc_sd, cepstra.std(axis=0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("outputs", "speakers", "notice"),
    [
        ({"voice_activity": _regions((0.0, 1.0))}, [None], "segments are the speech of voice_activity"),
        (
            {"speaker_diarization": _turns((0, 1, "A"), ok=False), "voice_activity": _regions((0.0, 1.0))},
            [None],
            "segments are the speech of voice_activity",
        ),
        ({}, [], "no segments: neither speaker_diarization nor voice_activity"),
    ],
)
def test_what_is_summed_up_where_there_are_no_turns(
    two_voices: np.ndarray, outputs: dict[str, PipelineResult], speakers: list[None], notice: str
) -> None:
    measured = measure(two_voices, {"measures": ["loudness"]}, outputs=outputs)
    assert [row.speaker for row in measured.segments] == speakers
    assert len(measured.frames) == 250
    assert measured.notices[0].startswith(notice)


@pytest.mark.parametrize(
    ("choice", "needs"),
    [
        ("auto", {"speaker_diarization": True, "voice_activity": True}),
        ("turns", {"speaker_diarization": False, "voice_activity": True}),
        ("speech", {"voice_activity": False}),
        ("fixed", {"voice_activity": True}),
        ("none", {}),
    ],
)
def test_what_is_summed_up_says_who_must_run(choice: str, needs: dict[str, bool]) -> None:
    _, *others = config_of(SPEC, {"segments": choice}).needs()
    assert {need.pipeline: need.optional for need in others} == needs


def test_fixed_stretches_cover_the_sound(two_voices: np.ndarray) -> None:
    segments = measure(two_voices, {"segments": "fixed", "segment_duration": 0.7}, start=2.0).segments
    np.testing.assert_allclose(segments.start, [2.0, 2.7, 3.4, 4.1])
    np.testing.assert_allclose(segments.end, [2.7, 3.4, 4.1, 4.5])
    assert segments.frames.tolist() == [70, 70, 70, 40]


def test_turns_beyond_the_sound_are_cut(two_voices: np.ndarray) -> None:
    outputs = {"speaker_diarization": _turns((0, 3, "A"), (4.0, 9.0, "B"), (20, 21, "C"))}
    segments = measure(two_voices, start=2.5, outputs=outputs).segments
    assert [(row.start, row.end) for row in segments] == [(2.5, 3.0), (4.0, 5.0)]


def test_times_are_on_the_files_clock(two_voices: np.ndarray) -> None:
    at_zero = measure(two_voices, {"segments": "fixed"})
    late = measure(two_voices, {"segments": "fixed"}, start=7.25)
    np.testing.assert_allclose(late.frames.time - 7.25, at_zero.frames.time)
    np.testing.assert_array_equal(late.frames.f0, at_zero.frames.f0)
    assert at_zero.frames.time[0] == pytest.approx(0.005)


@pytest.mark.parametrize("group", _ALL)
def test_only_what_is_asked_for_is_measured(two_voices: np.ndarray, group: str) -> None:
    measures = ["pitch", "quality"] if group == "quality" else [group]
    frames = measure(two_voices, {"measures": measures}).frames.to_arrow()
    for other, columns in _GROUPS.items():
        for column in columns:
            assert (frames.column(column).null_count < len(frames)) == (other in measures), column


@pytest.mark.parametrize("samples", [0, 1, 79, 80, 81, 400, 801])
def test_very_short_sounds(samples: int) -> None:
    measured = measure(np.full(samples, 0.1), {"measures": _ALL, "segments": "fixed"})
    assert len(measured.frames) == max(0, -(-(samples - 80) // 160))
    assert len(measured.segments) == (samples > 0)
    assert measured.progress[-1] == 1.0


def test_digital_silence_has_no_values_that_nobody_measured() -> None:
    measured = measure(np.zeros(RATE), {"measures": _ALL, "segments": "fixed"})
    (segment,) = measured.segments
    said = {name for name in measured.segments.columns if getattr(segment, name) is not None}
    assert said == {"start", "end", "frames", "voiced_share", "clipped", "voicing_mean"}
    assert segment.voiced_share == 0
    frames = measured.frames.to_arrow()
    assert {name for name in frames.column_names if frames.column(name).null_count < 100} == {
        "time",
        "clipped",
        "voicing",
    }


@given(
    st.lists(st.sampled_from([0.0, 1.0, -1.0, 1e-20, 0.3, -0.7, 1e-4]), min_size=1, max_size=40),
    st.integers(1, 97),
)
@settings(max_examples=25, deadline=None)
def test_whatever_is_heard_no_row_is_refused(pattern: list[float], repeat: int) -> None:
    """Rows with NaN, infinity or a value out of range cannot be made."""
    sound = np.resize(np.repeat(pattern, repeat), 6000)
    measured = measure(sound, {"measures": _ALL, "segments": "fixed", "segment_duration": 0.1})
    assert len(measured.frames) == 37
    assert len(measured.segments) == 4


@pytest.mark.parametrize(("block", "out"), [(1, 6000), (7, 40), (1000, 17)])
def test_blocks_do_not_change_a_bit(
    two_voices: np.ndarray, monkeypatch: pytest.MonkeyPatch, block: int, out: int
) -> None:
    """However much is measured at once and given at once."""
    config = {"measures": _ALL, "segments": "fixed", "segment_duration": 0.3}
    expected = measure(two_voices, config)
    plain = Grid.of

    def other(config: Any, samples: int) -> Grid:
        return attrs.evolve(plain(config, samples), together=block)

    monkeypatch.setattr(Grid, "of", staticmethod(other))
    monkeypatch.setattr("videoannotator_voice_features.pipeline._FRAMES", out)
    monkeypatch.setattr("videoannotator_voice_features.contour._BLOCK", 5000)
    found = measure(two_voices, config)
    assert found.frames == expected.frames
    for column in ("f0_median", "jitter", "shimmer", "loudness_max", "voiced_share", "clipped"):
        np.testing.assert_array_equal(found.segments.column(column), expected.segments.column(column))
    np.testing.assert_allclose(found.segments.centroid_mean, expected.segments.centroid_mean, rtol=1e-6)


def test_a_new_object_goes_on_where_the_first_was_stopped(
    two_voices: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoannotator_voice_features.pipeline._FRAMES", 70)
    monkeypatch.setattr("videoannotator_voice_features.pipeline._STRETCHES", 2)
    config = config_of(SPEC, {"segments": "fixed", "segment_duration": 0.5})

    def fresh() -> VoiceFeatures:
        made = VoiceFeatures(config, context_of(two_voices)[0])
        made.setup()
        made.begin()
        return made

    whole: list[Any] = list(fresh().finish())
    assert [next(iter(piece)) for piece in whole] == ["frames"] * 4 + ["segments"] * 3
    for stop in range(1, len(whole)):
        first, second = fresh(), fresh()
        pieces = first.finish()
        begun: list[Any] = [next(pieces) for _ in range(stop)]
        second.restore(first.state())
        assert begun + list(second.finish()) == whole


def test_a_cancelled_run_stops(two_voices: np.ndarray) -> None:
    class StopError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0.05:
            raise StopError(fraction)

    context = attrs.evolve(context_of(two_voices)[0])
    context.report = stop
    pipeline = VoiceFeatures(config_of(SPEC), context)
    pipeline.begin()
    with pytest.raises(StopError, match=r"0\.[0-3]"):
        list(pipeline.finish())


@pytest.mark.parametrize(
    "name", ["caregiver_infant.mp4", "sitcom_kitchen.avi", "speech_on_stage.mp4", "face_expressions.mp4"]
)
def test_videos(assets: Path, name: str) -> None:
    config = {"voice_features": {"measures": _ALL}}
    with Annotator(["voice_features", "voice_activity"], config=config, cache=False) as annotator:
        result = annotator.annotate(assets / "video" / name, progress=False)
    assert result.ok, result.failures
    frames, segments = (result["voice_features"].tables[output] for output in ("frames", "segments"))
    speech = result["voice_activity"].speech
    sound = result["voice_features"].coverage.spans[0]
    assert len(frames) == pytest.approx(sound.duration * 100, abs=1)
    assert frames.time[0] >= sound.start
    assert frames.time[-1] < sound.end
    np.testing.assert_array_equal(segments.start, speech.start)
    assert np.isfinite(frames.f0).any() == (name != "face_expressions.mp4")


def test_one_span_says_nothing_about_the_next(assets: Path) -> None:
    spans = [TimeSpan(0.0, 4.3), TimeSpan(4.6, 10.0)]
    with Annotator(["voice_features"], cache=False) as annotator:
        path = assets / "audio" / "jfk.flac"
        both = annotator.annotate(path, spans=spans, progress=False)["voice_features"].frames
        alone = annotator.annotate(path, spans=spans[1:], progress=False)["voice_features"].frames
    assert both[both.time >= 4.6] == alone


def test_another_rate_is_another_sound(assets: Path, run_alone: Callable[..., Any]) -> None:
    """At 48 kHz the spectrum reaches further, the pitch is the same."""
    path = assets / "audio" / "jfk.flac"
    with Annotator(["voice_features"], config={"voice_features": {"rate": 48000}}, cache=False) as annotator:
        high = annotator.annotate(path, progress=False)["voice_features"].frames
    low = measure_file(path)
    both = np.isfinite(high.f0[: len(low)]) & np.isfinite(low.f0)
    assert both.sum() > 300
    assert np.median(np.abs(1200 * np.log2(high.f0[: len(low)][both] / low.f0[both]))) < 2
    assert np.nanmax(high.rolloff) > 8000 > np.nanmax(low.rolloff)


def measure_file(path: Path) -> Any:
    with Annotator(["voice_features"], cache=False) as annotator:
        return annotator.annotate(path, progress=False)["voice_features"].frames


def test_sound_at_another_rate_is_refused() -> None:
    with pytest.raises(DataError, match="needs sound at 16000 Hz, got 8000 Hz"):
        measure(np.zeros(8000), rate=8000)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"f0_ceiling": 80}, "f0_ceiling must be at least 1.5 times f0_floor"),
        ({"measures": []}, "measures is empty"),
        ({"measures": ["quality"]}, "'quality' needs 'pitch'"),
        ({"measures": ["timbre"]}, "measures"),
        ({"step": 0}, r"voice_features\.step must be in \[0\.001, 1\]"),
        ({"rate": 8000}, r"voice_features\.rate must be in \[16000, 48000\]"),
        ({"f0_flor": 75}, "did you mean 'f0_floor'"),
    ],
)
def test_settings_out_of_range_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, config)


@pytest.mark.parametrize(
    ("setting", "column"),
    [
        ({"voicing_threshold": 0.95}, "f0"),
        ({"silence_threshold": 0.9}, "f0"),
        ({"octave_cost": 0.9}, "f0"),
        ({"octave_jump_cost": 9.0}, "f0"),
        ({"voiced_unvoiced_cost": 5.0}, "f0"),
        ({"f0_floor": 150}, "f0"),
        ({"f0_ceiling": 180}, "f0"),
        ({"window": 0.05}, "centroid"),
        ({"rolloff": 0.5}, "rolloff"),
        ({"step": 0.02}, "time"),
        ({"clip_level": 0.05}, "clipped"),
    ],
)
def test_every_setting_acts(rough: np.ndarray, setting: dict[str, Any], column: str) -> None:
    config = {"measures": ["pitch", "spectrum"]}
    plain, other = measure(rough, config).frames, measure(rough, config | setting).frames
    assert not np.array_equal(plain.column(column), other.column(column), equal_nan=True)


@pytest.fixture(scope="module")
def rough(voices: Callable[[str], np.ndarray]) -> np.ndarray:
    return voices("sample_two_speakers.wav")[7 * RATE : 12 * RATE]


def test_the_list_of_pipelines_imports_no_signal_processing() -> None:
    code = (
        "import sys, videoannotator_voice_features as p; p.videoannotator_pipelines();"
        "print(sorted({'scipy', 'pyloudnorm', 'torch', 'librosa'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
