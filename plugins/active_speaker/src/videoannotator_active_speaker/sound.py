"""How loud the voice is, a hundred times a second."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from videoannotator import AudioTrack

__all__ = ["Envelope", "envelope"]

_RATE = 100
_BAND = 150.0, 4000.0  # Hz: a voice, and little of what hums and hisses
_DEPTH = 45.0  # dB below the loud parts; what is quieter is silence
_SMOOTH = 13  # hundredths of a second, of a Hann window: syllables are left
_PIECE = 600  # s that are filtered at a time


@attrs.frozen(eq=False)
class Envelope:
    """Level of the sound in dB. ``start``: the time of the middle of the first value; then 100 a second."""

    start: float
    level: NDArray[np.float64]

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """The level at times, between values on straight lines; NaN before the sound begins and after it ends."""
        if not len(self.level):
            return np.full(len(times), np.nan)
        place = (times - self.start) * _RATE
        outside = (place < -0.5) | (place > len(self.level) - 0.5)
        return np.where(outside, np.nan, np.interp(place, np.arange(len(self.level)), self.level))


def envelope(audio: AudioTrack) -> Envelope:
    """The level of a sound between 150 and 4000 Hz, smoothed over about 0.1 s."""
    hop = max(1, audio.rate // _RATE)
    top = min(_BAND[1], 0.45 * audio.rate)
    band = butter(2, [_BAND[0], top], btype="band", fs=audio.rate, output="sos")
    power = []
    margin, size = audio.rate, _PIECE * audio.rate
    for first in range(0, len(audio), size):
        begin, end = max(0, first - margin), min(len(audio), first + size + margin)
        piece = np.asarray(audio.samples[begin:end], dtype=np.float64)
        if len(piece) > 3 * 2 * (2 * len(band) + 1):
            piece = sosfiltfilt(band, piece)
        mine = piece[first - begin : first - begin + min(size, len(audio) - first)]
        whole = len(mine) // hop * hop
        power.append((mine[:whole].reshape(-1, hop) ** 2).mean(axis=1))
    every = np.concatenate(power) if power else np.empty(0)
    level = 10 * np.log10(np.maximum(every, 1e-12))
    if len(level):
        level = np.maximum(level, np.percentile(level, 95) - _DEPTH)
        bell = np.hanning(_SMOOTH + 2)[1:-1]
        level = np.convolve(np.pad(level, _SMOOTH // 2, mode="edge"), bell / bell.sum(), "valid")
    return Envelope(audio.start + 0.5 * hop / audio.rate, level)
