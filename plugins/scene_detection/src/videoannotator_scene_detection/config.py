"""The settings of ``scene_detection``. Importing this module imports no picture library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Range, Unit
from videoannotator.errors import ConfigError

__all__ = ["DetectorName", "SceneDetectionConfig"]

DetectorName = Literal["content", "adaptive", "hash", "histogram", "threshold"]

# default and largest threshold of each detector, as in PySceneDetect 0.7's command
_THRESHOLDS: Mapping[DetectorName, tuple[float, float]] = {
    "content": (27.0, 255.0),
    "adaptive": (3.0, 255.0),
    "hash": (0.35, 1.0),
    "histogram": (0.20, 1.0),
    "threshold": (12.0, 255.0),
}


@attrs.frozen(kw_only=True)
class SceneDetectionConfig:
    """Names and defaults are those of the ``scenedetect`` command; its other options keep their defaults there.

    The defaults give what ``scenedetect -i FILE detect-content list-scenes`` gives.
    """

    detector: DetectorName = attrs.field(
        default="content",
        metadata={
            "help": "content: change of hue, saturation and brightness between two frames. adaptive: the same, "
            "relative to the frames around, for moving cameras. hash: distance of perceptual hashes. "
            "histogram: correlation of brightness histograms. threshold: fades through black"
        },
    )
    threshold: Annotated[float, Range(ge=0, le=255)] | None = attrs.field(
        default=None,
        metadata={
            "help": "where a cut begins, in the detector's own unit; unset: 27 for content, 3 for adaptive, 0.35 for "
            "hash, 0.2 for histogram, 12 for threshold. hash and histogram take 0 to 1"
        },
    )
    min_scene_length: Annotated[float, Range(ge=0), Unit("s")] = attrs.field(
        default=0.6,
        metadata={
            "help": "a shot is at least this long; rounded to whole frames at the file's average rate, as the "
            "scenedetect command does. Cuts that follow each other faster are put together, no shot is dropped"
        },
    )

    def __attrs_post_init__(self) -> None:
        most = _THRESHOLDS[self.detector][1] if self.detector in _THRESHOLDS else 255.0
        if self.threshold is not None and self.threshold > most:
            raise ConfigError(
                f"threshold of the {self.detector} detector must be in [0, {most:g}], got {self.threshold!r}"
            )

    def needs(self) -> tuple[Frames, ...]:
        """Every frame in the size shown: the detectors' own way of making them smaller decides on weak cuts."""
        return (Frames(color="bgr"),)

    @property
    def cut_at(self) -> float:
        """`threshold`, or the detector's own when it is unset."""
        return _THRESHOLDS[self.detector][0] if self.threshold is None else self.threshold
