"""What the spectrum of a frame looks like. Definitions and sources: `videoannotator_voice_features.rows`.

The spectrum is that of a frame under a Hann window. Nothing here uses BLAS, whose sums depend on the threads it has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import get_window
from scipy.sparse import csr_array

from videoannotator_voice_features.rows import MFCC

__all__ = ["MELS", "SpectralMeasures", "mel_filters"]

Floats = NDArray[np.float64]

MELS = 40
"""Mel bands under the cepstrum."""
_LEAST = 1e-10  # of power, where a logarithm is taken (librosa's amin)


class SpectralMeasures:
    """Measures frames of ``length`` samples. ``rolloff``: the part of the magnitudes below the rolloff.

    ``cepstrum``: also the mel-frequency cepstral coefficients; ``spectrum``: everything else.
    """

    def __init__(self, rate: int, length: int, rolloff: float, *, spectrum: bool, cepstrum: bool) -> None:
        self._length, self._rolloff, self._spectrum = length, rolloff, spectrum
        self._size = 1 << (length - 1).bit_length()
        self._window = get_window("hann", length)
        self._hertz = fft.rfftfreq(self._size, 1 / rate)
        self._mel = csr_array(mel_filters(rate, self._size)) if cepstrum else None
        self._lines = {
            "slope_0_500": self._line(0, 500),
            "slope_500_1500": self._line(500, 1500),
        }

    def _band(self, low: float, high: float) -> NDArray[np.bool_]:
        return np.asarray((self._hertz >= low) & (self._hertz < high))

    def _line(self, low: float, high: float) -> tuple[NDArray[np.bool_], Floats]:
        """The bins of a band, and the weights that give the slope of the least-squares line through them, per kHz."""
        band = (self._hertz > max(low, 1.0)) & (self._hertz <= high)  # without the constant part
        centred = self._hertz[band] / 1000 - self._hertz[band].mean() / 1000
        return band, centred / (centred**2).sum()

    def __call__(self, frames: NDArray[np.floating]) -> dict[str, Floats]:
        """Measures by name, each (N,), ``mfcc`` (N, 13); NaN for frames of digital silence, and the flux of the first.

        ``frames``: (N, length), consecutive.
        """
        amplitude = np.abs(fft.rfft(frames.astype(np.float64) * self._window, self._size, axis=1))
        amplitude = np.where(np.any(frames != 0, axis=1)[:, None], amplitude, np.nan)
        found = self._shape(amplitude) | self._tilt(amplitude**2) if self._spectrum else {}
        if self._mel is not None:
            found["mfcc"] = self._cepstrum(amplitude**2)
        return found

    def _shape(self, amplitude: Floats) -> dict[str, Floats]:
        share = amplitude / amplitude.sum(axis=1, keepdims=True)
        centroid = (share * self._hertz).sum(axis=1)
        spread = (share * (self._hertz - centroid[:, None]) ** 2).sum(axis=1)
        reached = np.cumsum(share, axis=1) >= self._rolloff * share.sum(axis=1, keepdims=True)
        power = np.maximum(amplitude**2, _LEAST)
        flux = np.full(len(share), np.nan)
        flux[1:] = np.sqrt((np.diff(share, axis=0) ** 2).sum(axis=1))
        there = np.isfinite(centroid)
        return {
            "centroid": centroid,
            "bandwidth": np.sqrt(spread),
            "rolloff": np.where(there, self._hertz[reached.argmax(axis=1)], np.nan),
            "flatness": np.minimum(np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1), 1.0),
            "flux": flux,
        }

    def _tilt(self, power: Floats) -> dict[str, Floats]:
        decibel = 10 * np.log10(np.maximum(power, _LEAST))
        found = {name: (decibel[:, band] * weights).sum(axis=1) for name, (band, weights) in self._lines.items()}
        low, high = power[:, self._band(50, 1000)].sum(axis=1), power[:, self._band(1000, 5000)].sum(axis=1)
        below, above = power[:, self._band(0, 2000)].max(axis=1), power[:, self._band(2000, 5000)].max(axis=1)
        found["alpha_ratio"] = _decibels(high, low)
        found["hammarberg_index"] = _decibels(below, above)
        return found

    def _cepstrum(self, power: Floats) -> Floats:
        assert self._mel is not None  # noqa: S101 - asked by the caller
        bands = (self._mel @ power.T).T
        decibel = 10 * np.log10(np.maximum(bands, _LEAST))
        return np.asarray(fft.dct(decibel, type=2, norm="ortho", axis=1)[:, 1 : MFCC + 1])


def _decibels(one: Floats, other: Floats) -> Floats:
    """One power against another; NaN where there is neither."""
    one = np.where((one > _LEAST) | (other > _LEAST), one, np.nan)
    return 10 * np.log10(np.maximum(one, _LEAST) / np.maximum(other, _LEAST))


def mel_filters(rate: int, size: int) -> Floats:
    """Triangles of equal area, evenly spaced on Slaney's mel scale: (40, size // 2 + 1).

    Those of ``librosa.filters.mel``; M. Slaney, *Auditory Toolbox*, Technical Report 1998-010, Interval Research.
    """
    edges = _hertz_of(np.linspace(0, _mel_of(rate / 2), MELS + 2))
    hertz = np.linspace(0, rate / 2, size // 2 + 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.maximum(0, np.minimum((hertz - left) / (middle - left), (right - hertz) / (right - middle)))
    return np.asarray(triangles * 2 / (right - left))


_LINEAR, _BREAK, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27  # Hz per mel below 1 kHz; logarithmic above


def _mel_of(hertz: float) -> float:
    if hertz < _BREAK:
        return hertz / _LINEAR
    return float(_BREAK / _LINEAR + np.log(hertz / _BREAK) / _STEP)


def _hertz_of(mel: Floats) -> Floats:
    at = _BREAK / _LINEAR
    return np.where(mel < at, mel * _LINEAR, _BREAK * np.exp(_STEP * (np.maximum(mel, at) - at)))
