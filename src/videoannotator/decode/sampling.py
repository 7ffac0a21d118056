"""Which frames a need takes: sampling on the time axis."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Frames
from videoannotator.data.time import FrameClock, TimeSpan

__all__ = ["frames_in", "sampled"]


def frames_in(clock: FrameClock, span: TimeSpan) -> range:
    """Indices of the frames whose time lies in the half-open ``span``."""
    first, last = np.searchsorted(clock.times, [span.start, span.end], side="left")
    return range(int(first), int(last))


def sampled(clock: FrameClock, need: Frames) -> NDArray[np.bool_]:
    """Which frames of the file ``need`` takes, bool, shape (frames,).

    Sample ``k`` is the first frame at or after ``k / rate`` seconds of the file's time, whatever span is looked at,
    so two spans of one file give the frames that the whole file gives. A frame that is the first after several
    grid times is taken once. The arithmetic is exact.
    """
    if need.rate is None or not len(clock):
        return np.ones(len(clock), dtype=bool)
    rate = Fraction(str(need.rate))
    scale = clock.time_base * rate / clock.origin.denominator
    ticks = [int(p) * clock.origin.denominator - clock.origin.numerator for p in clock.pts]
    # the number of grid times at or before each frame; Python's integers do not overflow
    passed = np.array([max(-1, t * scale.numerator // scale.denominator) for t in ticks], dtype=np.int64)
    return np.diff(passed, prepend=-1) > 0
