"""The pipeline ``scene_detection``."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, FrameClock, Pipeline, Shot, Table, VideoInfo
from videoannotator.errors import NoVideoError
from videoannotator_scene_detection.clip import Clip
from videoannotator_scene_detection.config import SceneDetectionConfig
from videoannotator_scene_detection.detecting import CutFinder, shrunk
from videoannotator_scene_detection.fades import FadeFinder
from videoannotator_scene_detection.labelling import Labeller, tables
from videoannotator_scene_detection.rows import Transition

__all__ = ["SceneDetection", "average_rate"]

State = tuple[bytes, bytes | None, bytes | None]


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
    cut is where it is **low**). Fades and labels come when the settings ask for them.

    Source: PySceneDetect (https://www.scenedetect.com), whose command gives the same cuts; for labels see `Clip`.
    """

    _clock: FrameClock
    _finder: CutFinder
    _fades: FadeFinder | None
    _labeller: Labeller | None
    _clip: Clip | None = None
    _words: NDArray[np.float32]

    def setup(self) -> None:
        """Load the network that tells labels, if any are asked for. Raises what `Context.model` and `Clip` raise."""
        config, context = self.config, self.context
        if not config.label_names:
            return
        name, tag = config.architecture, config.pretrained
        self._clip = context.load(
            config.weights,
            lambda file: Clip(file.path, architecture=name, pretrained=tag, device=context.device),
            variant=(name, tag),
        )
        self._words = self._clip.words(config.label_names, config.templates)

    def begin(self) -> None:
        """Make the detector, anew for every stretch of time: a cut is between frames that follow each other.

        Raises `NoVideoError` when the file has no pictures.
        """
        video, config = self.context.media.video, self.config
        if video is None:
            raise NoVideoError("there are no pictures in this file.", path=self.context.media.path)
        self._clock = video.clock
        self._finder = CutFinder(config, average_rate(video), video.clock)
        self._fades = FadeFinder(config.fade_threshold, config.min_black) if config.fades else None
        self._labeller = None
        if self._clip is not None:
            self._labeller = Labeller(config, self._clip, self._words, video.clock)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]] | None:
        """Show the detector a batch; shots are told at the end, because some detectors look back. Labels of shots
        that have ended are told at once."""
        labelled = []
        for frame, time, picture in zip(batch.frame.tolist(), batch.time.tolist(), batch.pixels, strict=True):
            small = shrunk(picture)
            self._finder.add(frame, small)
            if self._fades is not None:
                self._fades.add(frame, time, small)
            if self._labeller is not None:
                labelled += self._labeller.add(frame, picture, self._finder.told)
        return tables(labelled) if labelled else None

    def finish(self) -> dict[str, Table[Any]]:
        """The shots, the fades, and the labels of the last shots."""
        seen = self._finder.seen
        if not seen.runs:
            return {"shots": Table.empty(Shot)}
        found = self._finder.openings()
        opening, end_frame, end = [seen.first, *found], seen.last + 1, self._end(seen.last)
        given: dict[str, Table[Any]] = {"transitions": self._transitions(seen.last, end)}
        labels: list[str | None] = [None] * len(opening)
        if self._labeller is not None:
            given |= tables(self._labeller.finish(list(found), end_frame, end))
            labels = [self._labeller.labels.get(first) for first in opening]
        times = self._clock.times
        given["shots"] = Table.of(
            Shot,
            start=times[opening],
            end=[*times[opening[1:]], end],
            start_frame=opening,
            end_frame=[*opening[1:], end_frame],
            score=[None, *found.values()],
            label=labels,
        )
        return given

    def _end(self, frame: int) -> float:
        """When a frame is no longer shown, or the stretch is over."""
        times = self._clock.times
        end = float(times[frame + 1]) if frame + 1 < len(self._clock) else self._clock.end
        return min(end, self.context.span.end) if self.context.span.end > times[frame] else end

    def _transitions(self, last: int, end: float) -> Table[Transition]:
        fades = self._fades.fades(end) if self._fades is not None else []
        return Table.of(
            Transition,
            start=[float(self._clock.times[fade.first]) for fade in fades],
            end=[end if fade.last == last else self._end(fade.last) for fade in fades],
            start_frame=[fade.first for fade in fades],
            end_frame=[fade.last + 1 for fade in fades],
            kind=[fade.kind for fade in fades],
        )

    def state(self) -> State:
        """What the detector remembers, and the openings found; of fades and labels what is not yet told."""
        fades = self._fades.state() if self._fades is not None else None
        labels = self._labeller.state() if self._labeller is not None else None
        return self._finder.state(), fades, labels

    def restore(self, state: State) -> None:
        """Go on from there."""
        cuts, fades, labels = state
        self._finder.restore(cuts)
        if self._fades is not None and fades is not None:
            self._fades.restore(fades)
        if self._labeller is not None and labels is not None:
            self._labeller.restore(labels)

    def close(self) -> None:
        """Let go of the network."""
        self._clip = None
