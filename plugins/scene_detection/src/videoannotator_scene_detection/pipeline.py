"""The pipeline ``scene_detection``."""

from __future__ import annotations

from fractions import Fraction

from videoannotator import FrameBatch, FrameClock, Pipeline, Shot, Table, VideoInfo
from videoannotator.errors import NoVideoError
from videoannotator_scene_detection.config import SceneDetectionConfig
from videoannotator_scene_detection.detecting import CutFinder

__all__ = ["SceneDetection", "average_rate"]


def average_rate(video: VideoInfo) -> Fraction:
    """Frames per second on average: as the file declares it, or from the clock where it declares nothing sound."""
    clock = video.clock
    if clock.source == "container" and video.average_rate is not None and video.average_rate > 0:
        return video.average_rate
    ticks = int(clock.pts[-1] - clock.pts[0]) + clock.duration if len(clock) else 1
    return max(len(clock), 1) / (ticks * clock.time_base)


class SceneDetection(Pipeline[SceneDetectionConfig]):
    """Shots that follow each other without gap or overlap, from the first frame looked at to the end of the last.

    ``Shot.score`` is what the detector compares with its threshold, at the frame that opens the shot: ``content``
    and ``threshold`` 0..255, ``adaptive`` a ratio, ``hash`` a distance 0..1, ``histogram`` a correlation -1..1 (a
    cut is where it is **low**).

    Source: PySceneDetect (https://www.scenedetect.com), whose command gives the same cuts.
    """

    _clock: FrameClock
    _finder: CutFinder

    def begin(self) -> None:
        """Make the detector, anew for every stretch of time: a cut is between frames that follow each other.

        Raises `NoVideoError` when the file has no pictures.
        """
        video = self.context.media.video
        if video is None:
            raise NoVideoError("there are no pictures in this file.", path=self.context.media.path)
        self._clock = video.clock
        self._finder = CutFinder(self.config, average_rate(video), video.clock)

    def process(self, batch: FrameBatch) -> None:
        """Show the detector a batch; shots are told at the end, because some detectors look back."""
        for frame, picture in zip(batch.frame.tolist(), batch.pixels, strict=True):
            self._finder.add(frame, picture)

    def finish(self) -> Table[Shot]:
        """The shots."""
        seen = self._finder.seen
        if not seen.runs:
            return Table.empty(Shot)
        found = self._finder.openings()
        times, opening, last = self._clock.times, [seen.first, *found], seen.last
        end = float(times[last + 1]) if last + 1 < len(self._clock) else self._clock.end
        if self.context.span.end > times[last]:
            end = min(end, self.context.span.end)
        return Table.of(
            Shot,
            start=times[opening],
            end=[*times[opening[1:]], end],
            start_frame=opening,
            end_frame=[*opening[1:], last + 1],
            score=[None, *found.values()],
        )

    def state(self) -> bytes:
        """What the detector remembers, and the openings found."""
        return self._finder.state()

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        self._finder.restore(state)
