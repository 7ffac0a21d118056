"""The settings of ``face_landmarks``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Output, Range, Unit

__all__ = ["FaceLandmarksConfig"]


@attrs.frozen(kw_only=True)
class FaceLandmarksConfig:
    """Which faces are looked at, how often, and what is kept."""

    weights: str = attrs.field(
        default="face_landmarker",
        metadata={"help": "a declared model name, or the path of a face_landmarker .task bundle of MediaPipe"},
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=5.0,
        metadata={
            "help": "pictures looked at per second; unset: every frame of the file. face_analysis must look at them, "
            "too: set its rate to the same, or to a multiple"
        },
    )
    height: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=None,
        metadata={
            "help": "taller pictures are made this tall before faces are cut out of them; unset: full size. Points are "
            "in pixels of the full size in any case"
        },
    )
    margin: Annotated[float, Range(ge=0, le=4)] = attrs.field(
        default=0.5,
        metadata={
            "help": "how much around a face is seen with it, on each side, as a share of the longer side of its box. "
            "MediaPipe finds the face in there anew, and does not find one that fills the picture"
        },
    )
    detection: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.5, metadata={"help": "least score with which MediaPipe must find the face anew; its default is 0.5"}
    )
    presence: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.5,
        metadata={"help": "least score of there being a face under the landmarks; MediaPipe's default is 0.5"},
    )
    points: bool = attrs.field(
        default=True,
        metadata={"help": "keep the 478 points of every face (about 6 kB each); off: only what is measured from them"},
    )

    def models(self) -> tuple[str, ...]:
        """The one bundle."""
        return (self.weights,)

    def needs(self) -> tuple[Frames | Output, ...]:
        """Red-green-blue pictures at `rate`, and the faces in them."""
        return (self.frames, Output("face_analysis"))

    @property
    def frames(self) -> Frames:
        """The pictures that are looked at."""
        return Frames(rate=self.rate, height=self.height, color="rgb")
