"""How high a voice is, and how periodic: candidates for the pitch of every frame, from its autocorrelation.

Source: P. Boersma, *Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound*, Proceedings of the Institute of Phonetic Sciences 17, Amsterdam 1993, 97-110. The autocorrelation of
a windowed sound is divided by that of the window; its peaks are the candidates. Where the paper interpolates with
sin(x)/x, the spectrum is padded here, which is the same, and a parabola is laid through the three highest points.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from videoannotator_voice_features.config import VoiceFeaturesConfig

__all__ = ["CANDIDATES", "Candidates", "PitchAnalysis"]

Floats: TypeAlias = NDArray[np.float64]

CANDIDATES = 15
"""At most so many per frame, the first of them "unvoiced"; Praat's default."""
_FINER = 4  # points of the autocorrelation per sample


@attrs.frozen(eq=False)
class Candidates:
    """What the pitch of frames may be.

    ``frequency``: (N, 15) Hz, 0 for unvoiced, which is in column 0. ``strength``: (N, 15) autocorrelation at that
    period, 0..1 (column 0: 0). ``merit``: (N, 15) what choosing it is worth, before its neighbours are asked;
    -inf where there is no candidate. ``periodicity``: (N,) the highest peak in the range of the pitch, 0..1, 0 if none.
    """

    frequency: Floats
    strength: Floats
    merit: Floats
    periodicity: Floats


class PitchAnalysis:
    """Finds the candidates. ``loudest``: the highest absolute sample of the sound, what silence is measured against.

    ``length``: samples that a frame sees, even: three periods of the lowest pitch.
    """

    def __init__(self, config: VoiceFeaturesConfig, loudest: float) -> None:
        self.length = 2 * round(1.5 * config.rate / config.f0_floor)
        self._config, self._loudest = config, loudest
        self._window = np.hanning(2 * self.length + 1)[1::2]  # between the points of the longer one: symmetric
        self._size = fft.next_fast_len(self.length + self.length // 2, real=True)
        self._first = max(2, int(_FINER * config.rate / config.f0_ceiling))
        self._last = int(np.ceil(_FINER * config.rate / config.f0_floor))
        of_window = self._correlation(self._window[None])[0]
        self._of_window = of_window / of_window[0]

    def _correlation(self, windows: Floats) -> Floats:
        """Autocorrelation (N, lags) of (N, samples), at every quarter of a sample."""
        spectrum = fft.rfft(windows, self._size, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        return np.asarray(fft.irfft(power, _FINER * self._size, axis=1)[:, : self._last + 2])

    def __call__(self, windows: NDArray[np.floating]) -> Candidates:
        """The candidates of frames: (N, `length`), one row per frame."""
        config, count = self._config, len(windows)
        centred = windows - windows.mean(axis=1, keepdims=True, dtype=np.float64)
        third = self.length // 3
        peak = np.abs(centred[:, third : self.length - third]).max(axis=1)
        correlation = self._correlation(centred * self._window)
        energy = correlation[:, :1]
        there = energy[:, 0] > 0
        relative = np.divide(correlation, energy * self._of_window, out=np.zeros_like(correlation), where=energy > 0)
        row, lag, height = _peaks(relative, self._first, self._last)
        frequency = _FINER * config.rate / lag
        inside = (frequency >= config.f0_floor) & (frequency <= config.f0_ceiling) & there[row]
        row, frequency, height = row[inside], frequency[inside], height[inside]
        height = np.where(height > 1, 1 / height, height)
        periodicity = np.zeros(count)
        np.maximum.at(periodicity, row, height)
        strong = height > 0.5 * config.voicing_threshold
        row, frequency, height = row[strong], frequency[strong], height[strong]
        merit = height + config.octave_cost * np.log2(frequency / config.f0_floor)
        return self._arranged(row, frequency, height, merit, peak, periodicity)

    def _arranged(
        self,
        row: NDArray[np.intp],
        frequency: Floats,
        height: Floats,
        merit: Floats,
        peak: Floats,
        periodicity: Floats,
    ) -> Candidates:
        """Of every frame the best, beside the unvoiced candidate."""
        count, config = len(peak), self._config
        order = np.lexsort((-merit, row))
        row, frequency, height, merit = row[order], frequency[order], height[order], merit[order]
        rank = np.arange(row.size) - np.searchsorted(row, row) + 1
        kept = rank < CANDIDATES
        place = (row[kept], rank[kept])
        frequencies, strengths = np.zeros((count, CANDIDATES)), np.zeros((count, CANDIDATES))
        merits = np.full((count, CANDIDATES), -np.inf)
        frequencies[place], strengths[place], merits[place] = frequency[kept], height[kept], merit[kept]
        quiet = np.zeros(count)
        if config.silence_threshold > 0:
            share = peak / self._loudest if self._loudest > 0 else np.zeros(count)
            quiet = np.maximum(0.0, 2 - share * (1 + config.voicing_threshold) / config.silence_threshold)
        merits[:, 0] = config.voicing_threshold + quiet
        return Candidates(frequencies, strengths, merits, periodicity)


def _peaks(values: Floats, first: int, last: int) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Row, place and height of the positive peaks in columns ``first``..``last`` of (N, M)."""
    left, middle, right = (values[:, first + d : last + 1 + d] for d in (-1, 0, 1))
    row, column = np.nonzero((middle > left) & (middle >= right) & (middle > 0))
    a, b, c = left[row, column], middle[row, column], right[row, column]
    offset = 0.5 * (a - c) / (a - 2 * b + c)
    return row, column + first + offset, b - 0.25 * (a - c) * offset
