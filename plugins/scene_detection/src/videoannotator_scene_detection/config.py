# ruff: noqa: RUF009 - `_help` makes fields, as attrs.field does
"""The settings of ``scene_detection``. Importing this module imports no picture library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import attrs

from videoannotator import Frames, Range, Unit
from videoannotator.errors import ConfigError
from videoannotator_scene_detection.places import PLACES

__all__ = ["CLIP", "DetectorName", "SceneDetectionConfig"]

DetectorName = Literal["content", "adaptive", "hash", "histogram", "threshold"]

CLIP = "CLIP-ViT-B-32-laion2B-s34B-b79K"
"""The declared weights that tell labels, unless others are named."""

# default and largest threshold of each detector, as in PySceneDetect 0.7's command
_THRESHOLDS: Mapping[DetectorName, tuple[float, float]] = {
    "content": (27.0, 255.0),
    "adaptive": (3.0, 255.0),
    "hash": (0.35, 1.0),
    "histogram": (0.20, 1.0),
    "threshold": (12.0, 255.0),
}

_OF: Mapping[str, tuple[DetectorName, ...]] = {
    "component_weights": ("content", "adaptive"),
    "luma_only": ("content", "adaptive"),
    "kernel_size": ("content", "adaptive"),
    "filter_mode": ("content",),
    "window_width": ("adaptive",),
    "min_content_val": ("adaptive",),
    "hash_size": ("hash",),
    "hash_lowpass": ("hash",),
    "histogram_bins": ("histogram",),
    "fade_method": ("threshold",),
    "fade_bias": ("threshold",),
}
"""Settings that only some detectors know."""


def _help(text: str, default: Any = None) -> Any:
    return attrs.field(default=default, metadata={"help": text})


@attrs.frozen(kw_only=True)
class SceneDetectionConfig:
    """Names and defaults are those of the ``scenedetect`` command, where it has them.

    The defaults give what ``scenedetect -i FILE detect-content list-scenes`` gives. A setting of another detector than
    the chosen one is refused.
    """

    detector: DetectorName = _help(
        "content: change of hue, saturation and brightness between two frames. adaptive: the same, "
        "relative to the frames around, for moving cameras. hash: distance of perceptual hashes. "
        "histogram: correlation of brightness histograms. threshold: fades through black",
        "content",
    )
    threshold: Annotated[float, Range(ge=0, le=255)] | None = _help(
        "where a cut begins, in the detector's own unit; unset: 27 for content, 3 for adaptive, 0.35 for "
        "hash, 0.2 for histogram, 12 for threshold. hash and histogram take 0 to 1"
    )
    min_scene_length: Annotated[float, Range(ge=0), Unit("s")] = _help(
        "a shot is at least this long; rounded to whole frames at the file's average rate, as the "
        "scenedetect command does. Cuts that follow each other faster are put together, no shot is dropped",
        0.6,
    )
    component_weights: tuple[float, ...] | None = _help(
        "content, adaptive: how much the changes of hue, saturation, brightness and edges count, four numbers; unset: "
        "1, 1, 1, 0"
    )
    luma_only: bool | None = _help("content, adaptive: only brightness counts, for black-and-white film; unset: false")
    kernel_size: Annotated[int, Range(ge=3), Unit("px")] | None = _help(
        "content, adaptive: by how much edges are widened before they are compared, odd; unset: by the size of the "
        "picture. Acts where edges count"
    )
    filter_mode: Literal["merge", "suppress"] | None = _help(
        "content: what becomes of cuts that follow each other faster than min_scene_length. merge: one cut, where they "
        "end. suppress: the first stands, the others are dropped; unset: merge"
    )
    window_width: Annotated[int, Range(ge=1)] | None = _help(
        "adaptive: how many frames before and after a frame it is compared with; unset: 2"
    )
    min_content_val: Annotated[float, Range(ge=0, le=255)] | None = _help(
        "adaptive: least change (as content measures it) that can be a cut; unset: 15"
    )
    hash_size: Annotated[int, Range(ge=2, le=256)] | None = _help(
        "hash: the hash has this many times this many bits; unset: 8"
    )
    hash_lowpass: Annotated[int, Range(ge=1, le=256)] | None = _help(
        "hash: how many times finer the picture is than the hash; unset: 2"
    )
    histogram_bins: Annotated[int, Range(ge=1, le=256)] | None = _help("histogram: number of bins; unset: 128")
    fade_method: Literal["floor", "ceiling"] | None = _help(
        "threshold: floor: fades to what is darker than the threshold. ceiling: to what is brighter; unset: floor"
    )
    fade_bias: Annotated[float, Range(ge=-1, le=1)] | None = _help(
        "threshold: where in the dark the cut is put: -1 at its beginning, 0 in the middle, 1 at its end; unset: 0"
    )
    fades: bool = _help("report fades to black and from black as rows of their own, beside the cuts", False)
    fade_threshold: Annotated[int, Range(ge=1, le=255)] = _help(
        "fades: a picture is black when the mean of its pixels (0 to 255) is below this", 12
    )
    min_black: Annotated[float, Range(ge=0), Unit("s")] = _help("fades: black for less than this is none", 0.1)
    labels: tuple[str, ...] = _help(
        "what a shot may show, in your own words ('a kitchen' is said as 'kitchen'); each shot gets the one that fits "
        "best. Needs the extra videoannotator-scene-detection[labels], which brings torch",
        (),
    )
    places: bool = _help(
        f"labels: add the list of {len(PLACES)} places of homes, clinics, classrooms and outdoors of this plugin",
        False,
    )
    templates: tuple[str, ...] = _help(
        "labels: sentences with {} where the label goes; what a label means is the mean over them. The default are "
        "those of the CLIP paper for scenes (SUN397)",
        ("a photo of a {}.", "a photo of the {}."),
    )
    frames_per_shot: Annotated[int, Range(ge=1, le=100)] = _help(
        "labels: at most so many frames of a shot are looked at, spread over it; their probabilities are averaged", 5
    )
    temperature: Annotated[float, Range(gt=0)] = _help(
        "labels: above 1 probabilities are drawn together, below 1 apart; 1 is the model's own, which is too sure",
        1.0,
    )
    abstain_below: Annotated[float, Range(ge=0, le=1)] = _help(
        "labels: a shot whose best label has less than this probability gets none; all probabilities are kept", 0.5
    )
    embeddings: bool = _help("labels: give the model's embedding of every frame that was looked at, too", False)
    weights: str = _help(
        "labels: a declared model name, an open_clip weights file, or a folder with open_clip_config.json", CLIP
    )
    architecture: str = _help(
        "labels: open_clip's name of the network that a weights file is of; a folder says it itself", "ViT-B-32"
    )
    pretrained: str | None = _help(
        "labels: open_clip's name of the weights in a file (laion2b_s32b_b82k), which says how pictures are prepared; "
        "needed for networks whose weights differ in that"
    )

    def __attrs_post_init__(self) -> None:
        most = _THRESHOLDS[self.detector][1] if self.detector in _THRESHOLDS else 255.0
        if self.threshold is not None and self.threshold > most:
            raise ConfigError(
                f"threshold of the {self.detector} detector must be in [0, {most:g}], got {self.threshold!r}"
            )
        for name, detectors in _OF.items():
            if getattr(self, name) is not None and self.detector not in detectors:
                raise ConfigError(
                    f"{name} is a setting of the {' and '.join(detectors)} detector; with detector={self.detector!r} "
                    "it would do nothing"
                )
        self._check_components()
        self._check_labels()

    def _check_components(self) -> None:
        weights = self.component_weights
        if weights is not None and (len(weights) != 4 or min(weights) < 0 or not 0 < sum(weights) < float("inf")):
            raise ConfigError(
                "component_weights are four numbers, for hue, saturation, brightness and edges, none below 0 and "
                f"one above, got {weights}"
            )
        if weights is not None and self.luma_only:
            raise ConfigError("luma_only sets the component_weights; give one of the two")
        if self.kernel_size is not None and self.kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size must be odd, got {self.kernel_size}")

    def _check_labels(self) -> None:
        names = self.label_names
        if len(names) == 1:
            raise ConfigError(
                f"labels={list(names)} leaves no choice: of one label the probability is 1, whatever is shown. "
                "Give two or more"
            )
        twice = {name for name in names if names.count(name) > 1}
        if twice or not all(name.strip() for name in names):
            raise ConfigError(f"labels must be words, each once, got {sorted(twice) or list(names)}")
        wrong = [template for template in self.templates if template.count("{}") != 1 or template.count("{") != 1]
        if wrong or not self.templates:
            raise ConfigError(f"templates are sentences with one {{}} where the label goes, got {wrong or 'none'}")
        if self.embeddings and not names:
            raise ConfigError("embeddings are those of the model that tells labels; set labels or places")

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels to choose from; empty when none are asked for."""
        return (*self.labels, *(PLACES if self.places else ()))

    def models(self) -> tuple[str, ...]:
        """The weights, where labels are asked for."""
        return (self.weights,) if self.label_names else ()

    def needs(self) -> tuple[Frames, ...]:
        """Every frame in the size shown: the detectors' own way of making them smaller decides on weak cuts."""
        return (Frames(color="bgr"),)

    @property
    def cut_at(self) -> float:
        """`threshold`, or the detector's own when it is unset."""
        return _THRESHOLDS[self.detector][0] if self.threshold is None else self.threshold
