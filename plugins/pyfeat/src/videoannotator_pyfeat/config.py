"""The settings of ``pyfeat``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Output, Range, Unit

__all__ = ["PyFeatConfig"]


@attrs.frozen(kw_only=True)
class PyFeatConfig:
    """Which weights are used, and how often faces are looked at."""

    weights: str = attrs.field(
        default="face_multitask_v28",
        metadata={
            "help": "a declared model name, or the path of a .safetensors file of Py-Feat's multitask network. The "
            "weights are for non-commercial research"
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
