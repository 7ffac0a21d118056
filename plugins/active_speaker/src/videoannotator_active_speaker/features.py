"""The features of sound that LR-ASD was trained on: python_speech_features' MFCC, with its defaults.

Source: python_speech_features 0.6 (``mfcc(signal, 16000, numcep=13, winlen=0.025, winstep=0.010)``, MIT), which gives
the same numbers (tested). Windows are rectangular, the first coefficient is the logarithm of the window's energy.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

__all__ = ["COEFFICIENTS", "mfcc"]

RATE, COEFFICIENTS = 16000, 13
_WINDOW, _STEP, _FFT, _FILTERS = 400, 160, 512, 26  # samples: 25 ms, 10 ms
_LIFTER = 22
_EMPHASIS = 0.97

Floats = NDArray[np.float64]


def mfcc(samples: NDArray[np.floating]) -> Floats:
    """Mel-frequency cepstral coefficients of a sound of 16 kHz, 100 a second: float64 (N, 13).

    ``samples``: (M,), in -1..1; they are taken as 16-bit numbers, as the networks were trained. Value n is about the 25
    ms from n / 100 s on; the last window is filled up with zeros.
    """
    signal = np.asarray(samples, dtype=np.float64) * 32768
    if not len(signal):
        return np.empty((0, COEFFICIENTS))
    signal = np.append(signal[0], signal[1:] - _EMPHASIS * signal[:-1])
    count = 1 + max(0, -(-(len(signal) - _WINDOW) // _STEP))
    padded = np.append(signal, np.zeros(max(0, (count - 1) * _STEP + _WINDOW - len(signal))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP][:count]
    power = np.abs(np.fft.rfft(windows, _FFT)) ** 2 / _FFT
    tiny = np.finfo(float).eps
    energy, bands = power.sum(axis=1), power @ _filters().T
    energy, bands = np.where(energy == 0, tiny, energy), np.where(bands == 0, tiny, bands)
    cepstra = dct(np.log(bands), type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstra[:, 0] = np.log(energy)
    return np.asarray(cepstra)


@cache
def _filters() -> Floats:
    """Triangles, evenly spaced in mel from 0 to 8000 Hz: (26, 257)."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _FILTERS + 2) / 2595) - 1)
    bins = np.floor((_FFT + 1) * edges / RATE)
    place = np.arange(_FFT // 2 + 1)
    found = np.zeros((_FILTERS, len(place)))
    for n, (left, middle, right) in enumerate(zip(bins[:-2], bins[1:-1], bins[2:], strict=True)):
        rising, falling = (place >= left) & (place < middle), (place >= middle) & (place < right)
        found[n, rising] = (place[rising] - left) / (middle - left)
        found[n, falling] = (right - place[falling]) / (right - middle)
    found.flags.writeable = False
    return found
