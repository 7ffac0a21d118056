"""PySceneDetect's detectors, fed frame by frame, and what they measured at each frame.

What its own command does around the detectors is done here the same way: pictures are made smaller until their
longer side has 256 pixels, the shortest shot is counted in frames at the average rate, and settings that are unset
have the command's defaults.
"""

from __future__ import annotations

import math
import pickle
from collections import deque
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import takewhile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import (
    AdaptiveDetector,
    ContentDetector,
    FrameTimecode,
    HashDetector,
    HistogramDetector,
    SceneDetector,
    ThresholdDetector,
)
from scenedetect.common import Timecode
from scenedetect.detector import FlashFilter
from scenedetect.scene_manager import compute_downscale_factor

from videoannotator import FrameClock
from videoannotator_scene_detection.config import SceneDetectionConfig
from videoannotator_scene_detection.seen import SeenFrames

__all__ = ["CutFinder", "shrunk"]

_NO_EDGES = np.zeros((1, 1), dtype=np.uint8)


class _WithoutEdges:
    """Skips the edge map: its weight is 0, so it changes no score, but it is computed when scores are recorded."""

    def _detect_edges(self, lum: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return _NO_EDGES


class _Content(_WithoutEdges, ContentDetector):  # type: ignore[misc]  # PySceneDetect ships no types
    pass


class _Adaptive(_WithoutEdges, AdaptiveDetector):  # type: ignore[misc]  # as above
    pass


class _Scores:
    """What a detector measured, by tick, as long as it may be asked for. Stands where PySceneDetect expects its
    StatsManager.

    Its own keeps values for ever, and by frame number, which it rounds from the time: frames of a variable rate would
    share one.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.single: dict[int, float] = {}
        self.trail: deque[tuple[int, float]] = deque()  # only where the value changes: black stays as black as it was

    def metrics_exist(self, timecode: FrameTimecode, keys: Iterable[str]) -> bool:
        return False

    def set_metrics(self, timecode: FrameTimecode, metrics: Mapping[str, float]) -> None:
        if self._key in metrics:
            value = float(metrics[self._key])
            if not self.trail or self.trail[-1][1] != value:
                self.trail.append((timecode.pts, value))

    def at(self, tick: int) -> float | None:
        """What was measured at a frame; None when nothing was."""
        if tick in self.single:
            return self.single[tick]
        return next((value for since, value in reversed(self.trail) if since <= tick), None)

    def keep(self, ticks: Iterable[int], since: int | None) -> None:
        """Forget all but what was measured at ``ticks``, and from the last frame at or before ``since`` on."""
        self.single = {tick: value for tick in ticks if (value := self.at(tick)) is not None}
        if since is None:
            self.trail.clear()
        while len(self.trail) > 1 and since is not None and self.trail[1][0] <= since:
            self.trail.popleft()


def _given(**options: Any) -> dict[str, Any]:
    """The options that are set; the others are left to PySceneDetect."""
    return {name: value for name, value in options.items() if value is not None}


def _content_options(config: SceneDetectionConfig) -> dict[str, Any]:
    """What ``content`` and ``adaptive`` have in common."""
    weights = config.component_weights
    return _given(
        weights=ContentDetector.Components(*weights) if weights is not None else None,
        luma_only=config.luma_only,
        kernel_size=config.kernel_size,
    )


def _detector(config: SceneDetectionConfig, min_frames: int, rate: Fraction) -> tuple[SceneDetector, str]:
    """The detector of ``config``, and the name under which it reports what it compares with the threshold."""
    made: SceneDetector
    edges = config.component_weights is not None and config.component_weights[3] > 0
    if config.detector == "content":
        mode = FlashFilter.Mode[config.filter_mode.upper()] if config.filter_mode else None
        content = ContentDetector if edges else _Content
        options = _content_options(config) | _given(filter_mode=mode)
        return content(config.cut_at, min_frames, **options), ContentDetector.FRAME_SCORE_KEY
    if config.detector == "adaptive":
        adaptive = AdaptiveDetector if edges else _Adaptive
        options = _given(window_width=config.window_width, min_content_val=config.min_content_val)
        made = adaptive(config.cut_at, min_frames, **options, **_content_options(config))
        return made, next(key for key in made.get_metrics() if key.startswith("adaptive_ratio"))
    if config.detector == "hash":
        options = _given(size=config.hash_size, lowpass=config.hash_lowpass)
        made = HashDetector(threshold=config.cut_at, min_scene_len=min_frames, **options)
    elif config.detector == "histogram":
        options = _given(bins=config.histogram_bins)
        made = HistogramDetector(threshold=config.cut_at, min_scene_len=min_frames, **options)
    else:
        method = ThresholdDetector.Method[config.fade_method.upper()] if config.fade_method else None
        made = ThresholdDetector(
            threshold=config.cut_at,
            min_scene_len=min_frames,
            add_final_scene=True,
            min_out_length=FrameTimecode("0.1s", fps=rate),
            **_given(method=method, fade_bias=config.fade_bias),
        )
    return made, made.get_metrics()[0]


def shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as PySceneDetect's SceneManager hands it to a detector: longer side 256 pixels, never larger."""
    height, width = picture.shape[:2]
    factor = compute_downscale_factor(max(width, height))
    if factor <= 1:
        return picture
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small: Any = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return small  # type: ignore[no-any-return]  # OpenCV's types do not know that uint8 stays uint8


class CutFinder:
    """Takes frames one by one and tells which of them open a shot.

    ``rate``: average frames per second. ``clock``: of the file. What it remembers does not grow with the number of
    frames, only with that of the cuts, with gaps in the file and, for ``threshold``, with what changes in the dark.
    """

    def __init__(self, config: SceneDetectionConfig, rate: Fraction, clock: FrameClock) -> None:
        self._rate = rate
        self._time_base = clock.time_base
        min_frames = FrameTimecode(float(config.min_scene_length), fps=rate).frame_num
        self._detector, key = _detector(config, min_frames, rate)
        self._scores = _Scores(key)
        self._detector.stats_manager = self._scores
        self._last: FrameTimecode | None = None
        self._cuts: list[float] = []  # seconds, of cuts that a frame still to come may be nearer to
        self._openings: dict[int, float | None] = {}
        self.seen = SeenFrames(clock)

    def add(self, frame: int, picture: NDArray[np.uint8]) -> None:
        """Take the next frame. ``picture``: uint8 (height, width, 3), blue first, made smaller by `shrunk`."""
        self.seen.add(frame)
        self._last = FrameTimecode(Timecode(self.seen.ticks(frame), self._time_base), fps=self._rate)
        self._cuts += [float(cut.seconds) for cut in self._detector.process_frame(self._last, picture)]
        self._place(self.seen.seconds(frame))
        if not self._cuts:
            self._scores.keep(*self._needed(self._last))

    def told(self, since: int) -> list[int]:
        """The first frames of shots that are certain by now and begin after frame ``since``, ascending."""
        return list(takewhile(lambda frame: frame > since, reversed(self._openings)))[::-1]

    def openings(self) -> dict[int, float | None]:
        """The first frame of each shot but the first, ascending, and what the detector measured there.

        A cut between two frames, as fades have it, is put on the nearer one. Closes the detector: no frame may be
        added afterwards.
        """
        if self._last is None:
            return {}
        self._cuts += [float(cut.seconds) for cut in self._detector.post_process(self._last)]
        self._place(math.inf)
        return {frame: self._openings[frame] for frame in sorted(self._openings) if frame > self.seen.first}

    def _place(self, until: float) -> None:
        """Find the frames of cuts that no later frame can be nearer to."""
        for cut in self._cuts:
            if cut <= until:
                frame = self.seen.nearest(cut)
                self._openings.setdefault(frame, self._scores.at(self.seen.ticks(frame)))
        self._cuts = [cut for cut in self._cuts if cut > until]

    def _needed(self, now: FrameTimecode) -> tuple[list[int], int | None]:
        """Where a cut that is still to be told can be: single ticks, and a tick after which it can be anywhere."""
        detector = self._detector
        if isinstance(detector, ThresholdDetector):
            # the cut comes in the middle of the dark, wherever that ends; by its rounded number, so a little earlier
            ticks, number = [], now.frame_num
            if detector.last_fade["type"] == "out":
                dark: FrameTimecode = detector.last_fade["frame"]
                ticks, duration = [dark.pts], now.frame_num - dark.frame_num
                number = dark.frame_num + round(duration * (1.0 + detector.fade_bias) / 2.0)
            return ticks, math.floor(number / self._rate / self._time_base) - 1
        if isinstance(detector, ContentDetector) and detector._flash_filter._merge_triggered:
            return [detector._flash_filter._last_above.pts], None
        return [], None

    def state(self) -> bytes:
        """All it remembers: about 110 kB for ``content`` and ``adaptive`` (the last picture), else a few."""
        detector = {name: value for name, value in vars(self._detector).items() if value is not self._scores}
        if isinstance(self._detector, HashDetector) and self._detector._last_hash.size:
            detector["_last_frame"] = _NO_EDGES  # it has the hash, and asks only whether there was a picture
        scores = self._scores.single, self._scores.trail
        return pickle.dumps((detector, scores, self._last, self._cuts, self._openings, self.seen.runs))

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        detector, scores, self._last, self._cuts, self._openings, self.seen.runs = pickle.loads(state)  # noqa: S301 - our own, from `state`
        vars(self._detector).update(detector)
        self._scores.single, self._scores.trail = scores
