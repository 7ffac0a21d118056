"""Where the frames of a sound are, and the stretches of sound that they see."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_voice_features.config import VoiceFeaturesConfig

__all__ = ["Grid"]

_SECONDS = 2.5  # s: frames of so much sound are measured together


@attrs.frozen
class Grid:
    """Frames every ``hop`` samples, the first half a hop after the beginning of a sound of ``samples`` samples.

    Frame k stands for the samples [k * hop, (k + 1) * hop); its centre lies between two samples, or on one for an odd
    hop. ``together``: so many frames are measured at once.
    """

    samples: int
    hop: int
    together: int

    @classmethod
    def of(cls, config: VoiceFeaturesConfig, samples: int) -> Grid:
        hop = max(1, round(config.step * config.rate))
        return cls(samples, hop, max(1, round(_SECONDS * config.rate / hop)))

    @property
    def count(self) -> int:
        """How many frames there are: their centres lie inside the sound."""
        return max(0, -(-(self.samples - self.hop // 2) // self.hop))

    def centre(self, frame: int) -> int:
        """The sample at which its middle is."""
        return frame * self.hop + self.hop // 2

    def inside(self, start: float, end: float) -> range:
        """The frames with their centre in the samples [start, end)."""
        first, last = (int(np.ceil((edge - self.hop // 2) / self.hop)) for edge in (start, end))
        first = min(max(0, first), self.count)
        return range(first, max(first, min(last, self.count)))

    def fitting(self, length: int) -> range:
        """The frames around which ``length`` samples (even) lie wholly inside the sound."""
        half = length // 2
        return self.inside(half, self.samples - half + 1)

    def pieces(self, frames: range) -> Iterator[range]:
        """``frames`` in pieces that are measured together."""
        for first in range(frames.start, frames.stop, self.together):
            yield range(first, min(first + self.together, frames.stop))

    def windows(self, samples: NDArray[np.floating], frames: range, length: int) -> NDArray[np.floating]:
        """What ``frames`` (all `fitting`) see: (N, length), a view into ``samples``."""
        if not frames:
            return np.empty((0, length), dtype=samples.dtype)
        first = self.centre(frames.start) - length // 2
        seen = samples[first : self.centre(frames.stop - 1) + length // 2]
        return np.lib.stride_tricks.sliding_window_view(seen, length)[:: self.hop]
