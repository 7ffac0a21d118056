"""The settings of ``openface3``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Output, Range, Unit

__all__ = ["OpenFace3Config"]


@attrs.frozen(kw_only=True)
class OpenFace3Config:
    """Which networks, and at what they look. The defaults are those of openface-test, but for `rate`."""

    weights: str = attrs.field(
        default="openface3-multitask",
        metadata={"help": "expression, gaze, action units: a declared model name, or the path of a MTL_backbone.pth"},
    )
    detector: str | None = attrs.field(
        default="openface3-retinaface",
        metadata={
            "help": "finds the faces: a declared model name, or the path of an Alignment_RetinaFace.pth; unset (null): "
            "the boxes and tracks of face_analysis are taken, which must have seen each picture looked at"
        },
    )
    landmarks: str | None = attrs.field(
        default="openface3-landmarks",
        metadata={
            "help": "98 landmarks: a declared model name, or the path of a Landmark_98.pkl; unset (null): none; they "
            "take most of the time on a processor"
        },
    )
    threshold: Annotated[float, Range(ge=0.02, le=1)] = attrs.field(
        default=0.5, metadata={"help": "least score of a face; openface-test looks at faces from 0.5"}
    )
    nms: Annotated[float, Range(gt=0, le=1)] = attrs.field(
        default=0.4, metadata={"help": "of two boxes that overlap by more than this (IoU) the weaker one is dropped"}
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=5.0, metadata={"help": "pictures looked at per second; unset: every frame of the file"}
    )
    height: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=None,
        metadata={
            "help": "taller pictures are made this tall first; unset: full size, as openface-test does. Results are in "
            "pixels of the full size in any case"
        },
    )

    @property
    def frames(self) -> Frames:
        """Pictures at `rate`, blue first as the networks take them."""
        return Frames(rate=self.rate, height=self.height, color="bgr")

    def needs(self) -> tuple[Frames | Output, ...]:
        """`frames`; and others' faces, without a detector."""
        return (self.frames,) if self.detector is not None else (self.frames, Output("face_analysis"))

    def models(self) -> tuple[str, ...]:
        """The weights that these settings use."""
        return tuple(name for name in (self.weights, self.detector, self.landmarks) if name is not None)
