"""The settings of ``motion``. Importing this module imports no picture library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Output, Range, Unit
from videoannotator.errors import ConfigError

__all__ = ["BUILT_IN", "MotionConfig", "Region"]

BUILT_IN = ("whole", "left", "right")
"""The regions that are there without being asked for."""


@attrs.frozen(kw_only=True)
class Region:
    """A rectangle of the user's, in pixels of the picture as shown: ``[x1, x2)`` and ``[y1, y2)``."""

    name: str = attrs.field(metadata={"help": "what its rows are called"})
    x1: float = attrs.field(metadata={"help": "left edge, px"})
    y1: float = attrs.field(metadata={"help": "upper edge, px"})
    x2: float = attrs.field(metadata={"help": "right edge, px"})
    y2: float = attrs.field(metadata={"help": "lower edge, px"})

    def __attrs_post_init__(self) -> None:
        if not self.name.strip() or self.name in BUILT_IN:
            raise ConfigError(f"a region needs a name other than {', '.join(BUILT_IN)}, got {self.name!r}")
        if not (0 <= self.x1 < self.x2 < float("inf") and 0 <= self.y1 < self.y2 < float("inf")):
            raise ConfigError(
                f"region {self.name!r} must have 0 <= x1 < x2 and 0 <= y1 < y2, "
                f"got x1={self.x1}, y1={self.y1}, x2={self.x2}, y2={self.y2}"
            )


@attrs.frozen(kw_only=True)
class MotionConfig:
    """What is compared, and what counts as a change."""

    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=None,
        metadata={
            "help": "pictures compared per second; unset: every frame with the one before it, as Motion Energy "
            "Analysis does. Set it when recordings of different frame rates are compared with each other"
        },
    )
    height: Annotated[int, Range(ge=16), Unit("px")] | None = attrs.field(
        default=240,
        metadata={
            "help": "taller pictures are made this tall before they are compared, which averages noise away; "
            "unset: full size. Results are in pixels of the full size in any case"
        },
    )
    threshold: Annotated[float, Range(ge=0, lt=255)] = attrs.field(
        default=10.0,
        metadata={
            "help": "a pixel has changed when its grey level (0 to 255) differs by more than this; 0: by anything"
        },
    )
    regions: tuple[Region, ...] = attrs.field(
        default=(),
        metadata={
            "help": "rectangles to measure besides the whole picture and its halves, each with name, x1, y1, x2, y2 "
            "in pixels of the picture as shown"
        },
    )
    persons: bool = attrs.field(
        default=True,
        metadata={
            "help": "where person_tracking runs, too: measure in the box of each tracked person, and leave persons out "
            "when the motion of the camera is measured. The pictures are then decoded a second time, after "
            "the tracks are known"
        },
    )
    camera: bool = attrs.field(
        default=True,
        metadata={"help": "measure the motion of the camera and the change of the light, and take both out"},
    )
    cuts: Literal["change", "scene_detection", "none"] = attrs.field(
        default="change",
        metadata={
            "help": "a cut is no motion, so nothing is measured across it. change: a cut is where the pictures differ "
            "by cut_threshold. scene_detection: where a shot of that pipeline begins, if it runs (motion then "
            "waits for it and the pictures are decoded a second time), else like change. none: measure all the same"
        },
    )
    cut_threshold: Annotated[float, Range(gt=0, le=255)] = attrs.field(
        default=27.0,
        metadata={
            "help": "mean change of the grey level (0 to 255), the motion of the camera taken out where it is known, "
            "from which on two pictures are not compared; the same as PySceneDetect's for brightness alone"
        },
    )
    longest: Annotated[float, Range(gt=0), Unit("s")] = attrs.field(
        default=1.0,
        metadata={"help": "pictures further apart than this are not compared (frames that could not be decoded)"},
    )

    def __attrs_post_init__(self) -> None:
        names = [region.name for region in self.regions]
        if len(set(names)) < len(names):
            raise ConfigError(f"two regions have one name: {', '.join(sorted(names))}")
        if self.rate is not None and self.rate * self.longest < 1:
            raise ConfigError(
                f"with rate={self.rate:g} pictures are {1 / self.rate:g} s apart, and with longest={self.longest:g} "
                "none of them would be compared; raise longest"
            )

    def needs(self) -> tuple[Frames | Output, ...]:
        """Small grey pictures; persons and shots where they are wanted and run."""
        others = [name for name, on in (("person_tracking", self.persons), ("scene_detection", self.shots)) if on]
        return (
            Frames(rate=self.rate, height=self.height, color="gray"),
            *(Output(name, optional=True) for name in others),
        )

    @property
    def shots(self) -> bool:
        """True when cuts are those of ``scene_detection``, if it runs."""
        return self.cuts == "scene_detection"
