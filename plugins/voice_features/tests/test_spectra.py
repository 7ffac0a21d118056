"""Spectral measures against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest

from videoannotator_voice_features.rows import MFCC
from videoannotator_voice_features.spectrum import MELS, SpectralMeasures, mel_filters

RATE, LENGTH = 16000, 400


def _of(*frames: np.ndarray, cepstrum: bool = False) -> dict[str, np.ndarray]:
    return SpectralMeasures(RATE, LENGTH, 0.85, spectrum=True, cepstrum=cepstrum)(np.stack(frames))


def _tone(hertz: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(LENGTH) / RATE)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 3000.0])
def test_a_tone(hertz: float) -> None:
    found = _of(_tone(hertz), _tone(hertz, 0.1))
    assert found["centroid"] == pytest.approx([hertz, hertz], rel=0.06)
    assert found["rolloff"] == pytest.approx([hertz, hertz], abs=100)
    assert found["bandwidth"].max() < 350
    assert found["flatness"].max() < 0.01
    assert found["flux"][1] == pytest.approx(0, abs=1e-12)  # louder is no other spectrum
    assert np.isnan(found["flux"][0])


def test_noise_is_flat_and_a_tone_is_not() -> None:
    noise = np.random.default_rng(0).standard_normal((200, LENGTH))
    found = _of(*noise)
    assert found["flatness"].mean() == pytest.approx(np.exp(-0.5772), abs=0.06)  # of an exponential distribution
    assert found["centroid"].mean() == pytest.approx(RATE / 4, rel=0.02)
    assert found["rolloff"].mean() == pytest.approx(0.85 * RATE / 2, rel=0.03)
    assert found["slope_500_1500"].mean() == pytest.approx(0, abs=1.5)


def test_another_tone_is_another_spectrum() -> None:
    found = _of(_tone(500), _tone(2000))
    assert 0.2 < found["flux"][1] <= np.sqrt(2)


def test_alpha_ratio_and_hammarberg_index() -> None:
    """Two tones of which one lies below the border and is ten times as high: 20 dB."""
    found = _of(_tone(480, 0.5) + _tone(2480, 0.05), _tone(1480, 0.5) + _tone(2480, 0.05))
    assert found["alpha_ratio"][0] == pytest.approx(-20, abs=0.3)
    assert found["hammarberg_index"] == pytest.approx([20, 20], abs=0.3)
    assert found["alpha_ratio"][1] > 20


def test_the_slope_is_that_of_the_line_through_the_spectrum() -> None:
    """An impulse is flat; two of them d samples apart have the spectrum |1 + a e^(-i w d)|."""
    echo = np.zeros(LENGTH)
    echo[200], echo[203] = 1.0, 0.5
    flat = np.zeros(LENGTH)
    flat[200] = 1.0
    found = _of(flat, echo)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    hertz = np.arange(257) * RATE / 512
    spectrum = window[200] + 0.5 * window[203] * np.exp(-2j * np.pi * hertz * 3 / RATE)
    for name, low, high in (("slope_0_500", 1, 500), ("slope_500_1500", 500, 1500)):
        band = (hertz > low) & (hertz <= high)
        line = np.polyfit(hertz[band] / 1000, 20 * np.log10(np.abs(spectrum[band])), 1)
        assert found[name] == pytest.approx([0, line[0]], abs=1e-6)


def test_silence_has_no_spectrum() -> None:
    found = _of(np.zeros(LENGTH), _tone(300), cepstrum=True)
    assert all(np.isnan(values[0]).all() for values in found.values())
    assert all(np.isfinite(values[1]).all() for name, values in found.items() if name != "flux")
    assert found["mfcc"].shape == (2, MFCC)


def test_louder_does_not_change_the_cepstrum() -> None:
    noise = np.random.default_rng(0).standard_normal(LENGTH)
    found = _of(noise, 0.1 * noise, cepstrum=True)["mfcc"]
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_mel_bands_lie_side_by_side(rate: int) -> None:
    filters = mel_filters(rate, 2048)
    assert filters.shape == (MELS, 1025)
    peaks = filters.argmax(axis=1) * rate / 2048
    assert (np.diff(peaks) > 0).all()
    area = filters.sum(axis=1) * rate / 2048
    np.testing.assert_allclose(area, 1, rtol=0.2)
