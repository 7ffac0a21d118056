"""Voices whose pitch, jitter, shimmer and noise are known, because they are made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from scipy.signal import lfilter, resample_poly

from videoannotator.data.frames import AudioTrack
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator_voice_features import videoannotator_pipelines
from videoannotator_voice_features.pipeline import VoiceFeatures
from videoannotator_voice_features.rows import VoiceFrame, VoiceSegment

(SPEC,) = videoannotator_pipelines()
RATE = 16000


@attrs.frozen
class Made:
    """A made voice: float32 samples, and its true jitter and shimmer (local)."""

    samples: np.ndarray
    jitter: float
    shimmer: float


def made_voice(f0: float, *, jitter: float = 0.0, shimmer: float = 0.0, seconds: float = 2.0, seed: int = 0) -> Made:
    """Pulses at exact fractional times through three formants, at eight times the rate, then brought down to 16 kHz."""
    random, rate = np.random.default_rng(seed), 8 * RATE
    count = int(seconds * f0)
    period = (1 + jitter * random.standard_normal(count)) / f0
    height = 1 + shimmer * random.standard_normal(count)
    place = np.cumsum(period) * rate
    sound = np.zeros(int(place[-1]) + rate // 200)
    whole = place.astype(int)
    np.add.at(sound, whole, height * (1 - place + whole))
    np.add.at(sound, whole + 1, height * (place - whole))
    sound = lfilter([1], [1, -0.98], sound)
    for formant, width in ((600, 80), (1200, 100), (2500, 150)):
        radius = np.exp(-np.pi * width / rate)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2], sound)
    sound = resample_poly(sound, 1, 8)
    return Made(
        (0.5 * sound / np.abs(sound).max()).astype(np.float32),
        float(np.abs(np.diff(period)).mean() / period.mean()),
        float(np.abs(np.diff(height)).mean() / height.mean()),
    )


@attrs.frozen
class Measured:
    """What the pipeline gave, and what it said."""

    frames: Table[VoiceFrame]
    segments: Table[VoiceSegment]
    notices: list[str]
    progress: list[float]


def context_of(
    samples: np.ndarray, *, start: float = 0.0, rate: int = RATE, outputs: Mapping[str, PipelineResult] | None = None
) -> tuple[Context, list[str], list[float]]:
    """A context as the house makes it, with what is said in it."""
    audio = AudioTrack(samples.astype(np.float32), rate, start)
    end = start + samples.size / rate
    media = MediaInfo("/made.wav", 1, "wav", end, None, AudioInfo("pcm_f32le", rate, 1, start, end - start))
    said: list[str] = []
    reported: list[float] = []
    context = Context(
        media=media, span=media.span, report=reported.append, tell=said.append, audio=audio, outputs=outputs or {}
    )
    return context, said, reported


def measure(
    samples: np.ndarray,
    config: Mapping[str, Any] | None = None,
    *,
    start: float = 0.0,
    rate: int = RATE,
    outputs: Mapping[str, PipelineResult] | None = None,
) -> Measured:
    """The pipeline on these samples."""
    context, said, reported = context_of(samples, start=start, rate=rate, outputs=outputs)
    pipeline = VoiceFeatures(config_of(SPEC, config), context)
    pipeline.setup()
    pipeline.begin()
    pieces: list[Any] = list(pipeline.finish())
    pipeline.close()
    frames = [piece["frames"] for piece in pieces if "frames" in piece]
    segments = [piece["segments"] for piece in pieces if "segments" in piece]
    return Measured(
        Table.concat([Table.empty(VoiceFrame), *frames]),
        Table.concat([Table.empty(VoiceSegment), *segments]),
        said,
        reported,
    )


@pytest.fixture(scope="session")
def voices(assets: Path) -> Callable[[str], np.ndarray]:
    """Real voices: samples of a file of the test material as the house decodes it, 16 kHz."""
    kept: dict[str, np.ndarray] = {}

    def samples(name: str) -> np.ndarray:
        if name not in kept:
            import av

            with av.open(str(assets / "audio" / name)) as container:
                resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
                frames = [r for frame in container.decode(audio=0) for r in resampler.resample(frame)]
                frames += resampler.resample(None)
                kept[name] = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return kept[name]

    return samples
