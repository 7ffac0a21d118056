"""Pitch, jitter, shimmer, noise and loudness against voices and tones of which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from plugins.voice_features.tests.conftest import RATE, made_voice, measure

_QUALITY = {"measures": ["pitch", "quality"], "segments": "fixed", "segment_duration": 60}


def _tone(frequency: float, seconds: float = 1.5, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


@pytest.mark.parametrize("f0", [70.3, 97.31, 201.7, 331.3, 560.9])
def test_the_pitch_of_a_steady_voice_is_its_own(f0: float) -> None:
    frames = measure(made_voice(f0, seconds=1).samples, {"measures": ["pitch"]}).frames
    inner = frames[(frames.time > 0.1) & (frames.time < 0.8)]
    assert np.abs(1200 * np.log2(inner.f0 / f0)).max() < 3  # cents
    assert inner.voicing.min() > 0.97


@pytest.mark.parametrize("f0", [450.0, 803.7, 1203.1])
def test_the_cry_of_an_infant_needs_a_higher_ceiling(f0: float) -> None:
    sound = sum(_tone(k * f0, 1, 0.3 / k) for k in range(1, 6))
    high = measure(sound, {"measures": ["pitch"], "f0_floor": 150, "f0_ceiling": 1500}).frames
    assert np.nanmedian(high.f0) == pytest.approx(f0, rel=0.002)
    low = measure(sound, {"measures": ["pitch"], "f0_ceiling": 400}).frames
    assert not (np.abs(low.f0 / f0 - 1) < 0.1).any()


def test_a_glide_is_followed() -> None:
    time = np.arange(2 * RATE) / RATE
    f0 = 120 * 2 ** (time / 2)  # an octave in two seconds
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    frames = measure(sum(0.3 / k * np.sin(k * phase) for k in range(1, 8)), {"measures": ["pitch"]}).frames
    there = np.isfinite(frames.f0)
    assert there.sum() > 190
    assert np.abs(1200 * np.log2(frames.f0[there] / (120 * 2 ** (frames.time[there] / 2)))).max() < 10


@pytest.mark.parametrize(("jitter", "shimmer"), [(0.0, 0.0), (0.005, 0.0), (0.02, 0.0), (0.0, 0.03), (0.0, 0.1)])
def test_jitter_and_shimmer_are_those_the_voice_was_made_with(jitter: float, shimmer: float) -> None:
    """At 97 Hz one period has faded when the next begins; in higher voices they run into one another."""
    made = made_voice(97.31, jitter=jitter, shimmer=shimmer, seconds=3)
    (segment,) = measure(made.samples, _QUALITY).segments
    assert segment.jitter == pytest.approx(made.jitter, rel=0.12, abs=0.0008)
    if not jitter:  # else a late pulse meets less of the one before, and is lower
        assert segment.shimmer == pytest.approx(made.shimmer, rel=0.12, abs=0.003)


def test_perturbation_of_frames_is_about_that_of_the_whole() -> None:
    made = made_voice(201.7, jitter=0.01, shimmer=0.05)
    measured = measure(made.samples, _QUALITY)
    frames, (segment,) = measured.frames, measured.segments
    assert np.nanmean(frames.jitter) == pytest.approx(segment.jitter, rel=0.15)
    assert np.nanmean(frames.shimmer) == pytest.approx(segment.shimmer, rel=0.15)


@pytest.mark.parametrize("ratio", [0.0, 10.0, 20.0, 30.0])
def test_the_ratio_of_harmonics_to_noise_is_that_of_their_energies(ratio: float) -> None:
    """Boersma 1993: white noise added so that the energies have this ratio."""
    random = np.random.default_rng(1)
    voice = sum(_tone(k * 200.7, 2, 0.1) for k in range(1, 12))
    noise = random.standard_normal(voice.size)
    noise *= np.sqrt((voice**2).mean() / 10 ** (ratio / 10) / (noise**2).mean())
    settings = {**_QUALITY, "voicing_threshold": 0.2}
    (segment,) = measure(0.1 * (voice + noise), settings).segments
    assert segment.hnr_mean == pytest.approx(ratio, abs=1.0)


def test_white_noise_is_unvoiced() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    measured = measure(noise, _QUALITY)
    assert measured.segments[0].voiced_share < 0.05
    assert np.nanmax(measured.frames.voicing) < 0.6
    assert measured.frames.to_arrow().column("f0").null_count > 180


@pytest.mark.parametrize("amplitude", [1.0, 0.1])
def test_a_sine_of_1_khz_has_the_loudness_of_bs_1770(amplitude: float) -> None:
    """ITU-R BS.1770-4: 997 Hz at full scale in one channel: -3.01 LKFS. And the level of a sine is 3.01 dB down."""
    frames = measure(_tone(997, 1.5, amplitude), {"measures": ["loudness"]}).frames
    level = 20 * np.log10(amplitude) - 3.01
    assert np.nanmedian(frames.loudness) == pytest.approx(level, abs=0.05)
    assert np.nanmedian(frames.rms) == pytest.approx(level, abs=0.05)


def test_momentary_loudness_is_that_of_pyloudnorm() -> None:
    """Its blocks of 400 ms, ours around their middles: the same filter, the same mean square."""
    import pyloudnorm

    sound = np.random.default_rng(0).standard_normal(2 * RATE) * np.repeat([0.01, 0.1, 0.03, 0.2], RATE // 2)
    meter = pyloudnorm.Meter(RATE, filter_class="DeMan")
    meter.integrated_loudness(sound)
    frames = measure(sound, {"measures": ["loudness"], "step": 0.2}).frames  # centres at 0.1, 0.3, 0.5, ...
    assert np.isnan(frames.loudness[0])
    np.testing.assert_allclose(frames.loudness[1:9], meter.blockwise_loudness[1::2], atol=1e-4)


def test_clipped_samples_are_counted() -> None:
    sound = np.clip(_tone(200, 1, 1.5), -1, 1)
    share = float((np.abs(sound) >= 0.99).mean())
    measured = measure(sound, {"measures": ["loudness"], "segments": "fixed"})
    assert measured.segments[0].clipped == pytest.approx(share, abs=1e-6)
    assert np.nanmean(measured.frames.clipped) == pytest.approx(share, abs=0.01)
    assert (
        measure(sound, {"measures": ["loudness"], "segments": "fixed", "clip_level": 1.0}).segments[0].clipped < share
    )
