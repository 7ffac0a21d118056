"""PySceneDetect's detectors, fed frame by frame, and what they measured at each frame.

What its own command does around the detectors is done here the same way: pictures are made smaller until their
longer side has 256 pixels, the shortest shot is counted in frames at the average rate, and the options that
``config`` does not name have the command's defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
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
from scenedetect.scene_manager import compute_downscale_factor

from videoannotator_scene_detection.config import SceneDetectionConfig

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
    """What a detector measured at each frame, by its tick. Stands where PySceneDetect expects its StatsManager.

    Its own keeps values by frame number, which it rounds from the time: frames of a variable rate would share one.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.at: dict[int, float] = {}

    def metrics_exist(self, timecode: FrameTimecode, keys: Iterable[str]) -> bool:
        return False

    def set_metrics(self, timecode: FrameTimecode, metrics: Mapping[str, float]) -> None:
        if self._key in metrics:
            self.at[timecode.pts] = float(metrics[self._key])


def _detector(config: SceneDetectionConfig, min_frames: int, rate: Fraction) -> tuple[SceneDetector, str]:
    """The detector of ``config``, and the name under which it reports what it compares with the threshold."""
    made: SceneDetector
    if config.detector == "content":
        return _Content(threshold=config.cut_at, min_scene_len=min_frames), ContentDetector.FRAME_SCORE_KEY
    if config.detector == "adaptive":
        made = _Adaptive(adaptive_threshold=config.cut_at, min_scene_len=min_frames)
        return made, next(key for key in made.get_metrics() if key.startswith("adaptive_ratio"))
    if config.detector == "hash":
        made = HashDetector(threshold=config.cut_at, min_scene_len=min_frames)
    elif config.detector == "histogram":
        made = HistogramDetector(threshold=config.cut_at, min_scene_len=min_frames)
    else:
        made = ThresholdDetector(
            threshold=config.cut_at,
            min_scene_len=min_frames,
            add_final_scene=True,
            min_out_length=FrameTimecode("0.1s", fps=rate),
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
    """Takes frames one by one and tells where the cuts were.

    ``rate``: average frames per second. ``time_base``: seconds per tick.
    """

    def __init__(self, config: SceneDetectionConfig, rate: Fraction, time_base: Fraction) -> None:
        self._rate = rate
        self._time_base = time_base
        min_frames = FrameTimecode(float(config.min_scene_length), fps=rate).frame_num
        self._detector, key = _detector(config, min_frames, rate)
        self._scores = _Scores(key)
        self._detector.stats_manager = self._scores
        self._cuts: list[FrameTimecode] = []
        self._last: FrameTimecode | None = None

    def add(self, tick: int, picture: NDArray[np.uint8]) -> None:
        """Take the next frame. ``picture``: uint8 (height, width, 3), blue first."""
        self._last = FrameTimecode(Timecode(tick, self._time_base), fps=self._rate)
        self._cuts += self._detector.process_frame(self._last, shrunk(picture))

    def cuts(self) -> list[float]:
        """Seconds of the first frame of each shot but the first, ascending, counted as the ticks are.

        Closes the detector: no frame may be added afterwards.
        """
        if self._last is None:
            return []
        self._cuts += self._detector.post_process(self._last)
        return sorted({float(cut.seconds) for cut in self._cuts})

    def score(self, tick: int) -> float | None:
        """What the detector measured at a frame; None where it measured nothing."""
        return self._scores.at.get(tick)
