"""Which frames were looked at, in memory that does not grow with their number."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from videoannotator import FrameClock

__all__ = ["SeenFrames"]


class SeenFrames:
    """Frames that were looked at, ascending. Only gaps between them cost memory: frames that did not decode."""

    def __init__(self, clock: FrameClock) -> None:
        self._clock = clock
        self._tick = float(clock.time_base)
        self.runs: list[tuple[int, int]] = []
        """First and last frame of each run without a gap."""

    def add(self, frame: int) -> None:
        """Take the number of the next frame."""
        if self.runs and frame == self.runs[-1][1] + 1:
            self.runs[-1] = (self.runs[-1][0], frame)
        else:
            self.runs.append((frame, frame))

    @property
    def first(self) -> int:
        """The first frame. There must be one."""
        return self.runs[0][0]

    @property
    def last(self) -> int:
        """The last frame. There must be one."""
        return self.runs[-1][1]

    def ticks(self, frame: int) -> int:
        """Ticks since the first picture of the file: what PySceneDetect counts from."""
        return int(self._clock.pts[frame] - self._clock.pts[0])

    def seconds(self, frame: int) -> float:
        """Seconds since the first picture of the file."""
        return self.ticks(frame) * self._tick

    def nearest(self, seconds: float) -> int:
        """The frame that is nearest in time, the earlier one of two. ``seconds``: since the first picture."""
        about = int(np.searchsorted(self._clock.pts, int(self._clock.pts[0]) + round(seconds / self._tick)))
        after = bisect_right(self.runs, about, key=lambda run: run[0])
        near = {
            min(max(frame, first), last)
            for first, last in self.runs[max(0, after - 2) : after + 1]
            for frame in range(about - 2, about + 3)
        }
        return min(near, key=lambda frame: (abs(self.seconds(frame) - seconds), frame))
