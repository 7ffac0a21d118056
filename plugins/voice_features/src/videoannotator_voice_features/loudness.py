"""Loudness as the ear weighs it: K-weighting of ITU-R BS.1770-4, 400 ms at a time (EBU Tech 3341, "momentary").

The filters are pyloudnorm's, with the parameters from which BS.1770-4's own coefficients come (B. De Man, *Evaluation
of implementations of the EBU R128 loudness measurement*, AES 145, 2018), for any sample rate. The sound is mono: one
channel of weight 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyloudnorm import IIRfilter
from scipy.signal import sosfilt

__all__ = ["MOMENTARY", "KWeighting", "lufs"]

MOMENTARY = 0.4
"""Seconds that momentary loudness is measured over."""
_OFFSET = -0.691  # dB, BS.1770-4: a sine of 1 kHz at full scale in one channel then has -3.01 LUFS


class KWeighting:
    """The filter, piece by piece of a sound; what it gives does not depend on the pieces."""

    def __init__(self, rate: int) -> None:
        shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan")
        passing = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan")
        self._sections = np.array([np.concatenate([one.b, one.a]) for one in (shelf, passing)])
        self._memory = np.zeros((len(self._sections), 2))

    def __call__(self, samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """The samples that follow what the last call was given, weighted: (N,)."""
        weighted, self._memory = sosfilt(self._sections, samples.astype(np.float64), zi=self._memory)
        return np.asarray(weighted)


def lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loudness of K-weighted mean squares; NaN for digital silence."""
    return _OFFSET + 10 * np.log10(np.where(power > 0, power, np.nan))
