"""The settings of ``face_expressions``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Output, Range, Unit

__all__ = ["FaceExpressionsConfig"]


@attrs.frozen(kw_only=True)
class FaceExpressionsConfig:
    """Which network reads the faces, and how often."""

    weights: str = attrs.field(
        default="enet_b0_8_va_mtl",
        metadata={
            "help": "a declared model name, or the path of an .onnx file of the EmotiEffLib family. Only those with "
            "va_mtl in their names tell valence and arousal; enet_b2_7 knows no contempt"
        },
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
            "help": "taller pictures are made this tall before faces are cut out of them; unset: full size, which "
            "keeps all that can be seen of small faces"
        },
    )

    def models(self) -> tuple[str, ...]:
        """The one network."""
        return (self.weights,)

    def needs(self) -> tuple[Frames | Output, ...]:
        """Red-green-blue pictures at `rate`, and the faces in them."""
        return (self.frames, Output("face_analysis"))

    @property
    def frames(self) -> Frames:
        """The pictures that are looked at."""
        return Frames(rate=self.rate, height=self.height, color="rgb")
