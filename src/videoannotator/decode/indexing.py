"""Which frame of the file a decoded frame is."""

from __future__ import annotations

from av.video.frame import VideoFrame

from videoannotator.data.time import FrameClock

__all__ = ["FrameIndexer"]


class FrameIndexer:
    """Gives each decoded frame its index in the clock; -1 for one that the clock does not know.

    With the container's own clock by presentation time, so that a lost frame leaves a gap. With a repaired clock by the
    decoder's output order, where a packet that could not be decoded counts as a frame.
    """

    def __init__(self, clock: FrameClock) -> None:
        self._by_time = {int(p): i for i, p in enumerate(clock.pts)} if clock.source == "container" else None
        self._next = 0

    def lost(self) -> None:
        """A packet could not be decoded."""
        self._next += 1

    def index(self, frame: VideoFrame) -> int:
        """The index of ``frame``. To be asked for every frame that comes out of the decoder, once, in order."""
        order = self._next
        self._next += 1
        if self._by_time is None:
            return order
        return self._by_time.get(frame.pts, -1) if frame.pts is not None else -1
