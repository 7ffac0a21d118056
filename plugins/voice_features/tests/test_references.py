"""Real voices against Praat, and spectra against librosa and openSMILE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plugins.voice_features.tests.conftest import RATE, measure

Voices = Callable[[str], np.ndarray]
_NAMES = ["jfk.flac", "sample_two_speakers.wav", "ami_dev00.wav", "ami_trn05.wav", "ami_trn08.wav"]


@pytest.fixture(scope="module")
def praat() -> Any:
    return pytest.importorskip("parselmouth", reason="praat-parselmouth, the reference, is not installed (GPL)")


@pytest.mark.parametrize("name", _NAMES)
def test_pitch_voicing_and_noise_are_those_of_praat(voices: Voices, praat: Any, name: str) -> None:
    samples = voices(name)[: 15 * RATE]
    pitch = praat.Sound(samples.astype(float), RATE).to_pitch_ac(time_step=0.01, pitch_floor=60.0, pitch_ceiling=600.0)
    theirs, strength = pitch.selected_array["frequency"], pitch.selected_array["strength"]
    frames = measure(samples, {"measures": ["pitch", "quality"]}).frames
    near = np.abs(frames.time[None] - pitch.xs()[:, None]).argmin(axis=1)
    ours = np.nan_to_num(frames.f0[near])
    both = (ours > 0) & (theirs > 0)
    assert both.sum() > 100
    assert ((ours > 0) == (theirs > 0)).mean() > 0.96
    cents = np.abs(1200 * np.log2(ours[both] / theirs[both]))
    assert np.median(cents) < 0.5
    assert (cents > 315).mean() < 0.06
    expected = 10 * np.log10(strength[both] / (1 - strength[both]))
    assert np.median(np.abs(frames.hnr[near][both] - expected)) < 0.1


@pytest.mark.parametrize("name", ["sample_two_speakers.wav", "ami_trn05.wav"])
def test_jitter_and_shimmer_are_about_those_of_praat(voices: Voices, praat: Any, name: str) -> None:
    """Praat takes the amplitude of a period from a fifth of it, and starts pulses elsewhere."""
    samples = voices(name)[: 15 * RATE]
    sound = praat.Sound(samples.astype(float), RATE)
    points = praat.praat.call(
        [sound, sound.to_pitch_ac(time_step=0.01, pitch_floor=60.0, pitch_ceiling=600.0)], "To PointProcess (cc)"
    )
    jitter = praat.praat.call(points, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)
    shimmer = praat.praat.call([sound, points], "Get shimmer (local)", 0, 0, 0.0001, 0.02, 1.3, 1.6)
    settings = {"measures": ["pitch", "quality"], "segments": "fixed", "segment_duration": 60}
    (segment,) = measure(samples, settings).segments
    assert segment.jitter == pytest.approx(jitter, rel=0.2)
    assert segment.shimmer == pytest.approx(shimmer, rel=0.2)


@pytest.mark.slow
def test_spectral_measures_are_those_of_librosa(voices: Voices) -> None:
    librosa = pytest.importorskip(
        "librosa", reason="librosa, the reference, is not installed (numba compiles for minutes)"
    )
    samples = voices("jfk.flac")[: 4 * RATE]
    frames = measure(samples, {"measures": ["spectrum", "mfcc"]}).frames
    there = np.isfinite(frames.centroid)
    first = round((frames.time[there][0]) * RATE) - 200
    # librosa centres the window in the longer transform; a shift in time does not change magnitudes
    padded = np.concatenate([np.zeros(56), samples[first:], np.zeros(56)])
    magnitude = np.abs(librosa.stft(padded.astype(float), n_fft=512, win_length=400, hop_length=160, center=False))
    magnitude = magnitude[:, : there.sum()]
    count = magnitude.shape[1]
    expected = {
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=RATE)[0],
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, sr=RATE)[0],
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=RATE)[0],
        "flatness": librosa.feature.spectral_flatness(S=magnitude)[0],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(frames.column(name)[there][:count], values, rtol=1e-4, err_msg=name)
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=RATE, n_mels=40)
    mfcc = librosa.feature.mfcc(S=10 * np.log10(np.maximum(mel, 1e-10)), n_mfcc=14)[1:]
    ours = np.array([row.mfcc for row in frames if row.mfcc is not None])[:count]
    np.testing.assert_allclose(ours, mfcc.T, rtol=1e-3, atol=1e-3)


def test_tilt_goes_the_way_of_opensmile(voices: Voices) -> None:
    """Its windows are longer and it smooths, so the numbers differ; what is steep to one is steep to the other."""
    opensmile = pytest.importorskip("opensmile", reason="openSMILE, the reference, is not installed")
    samples = voices("sample_two_speakers.wav")[7 * RATE : 17 * RATE]
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
    theirs = smile.process_signal(samples, RATE)
    time = np.array([start.total_seconds() + 0.01 for start in theirs.index.get_level_values("start")])
    frames = measure(samples, {"measures": ["spectrum"]}).frames
    near = np.abs(frames.time[None] - time[:, None]).argmin(axis=1)
    for ours, name in (("alpha_ratio", "alphaRatio_sma3"), ("hammarberg_index", "hammarbergIndex_sma3")):
        values = frames.column(ours)[near]
        both = np.isfinite(values)
        assert np.corrcoef(values[both], theirs[name].to_numpy()[both])[0, 1] > 0.8, name
        assert np.median(values[both] - theirs[name].to_numpy()[both]) == pytest.approx(0, abs=3), name
