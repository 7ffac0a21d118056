"""What a pipeline asks for: frames, sound, another pipeline's rows."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from videoannotator.errors import DataError

__all__ = ["Audio", "Color", "Frames", "Need", "Output"]

Color = Literal["rgb", "bgr", "gray"]


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise DataError(f"{type(instance).__name__}.{attribute.name} must be positive, got {value!r}")


@attrs.frozen
class Frames:
    """Pictures, sampled on the time axis.

    ``rate``: samples per second; ``None`` gives every frame. Frame ``n`` of the sample is the first
    frame shown at or after ``n / rate`` seconds (a rate above the file's own gives every frame once).
    ``width``, ``height``: size of the pictures handed over, in pixels; ``None`` for both is the size as
    shown, one of them keeps the aspect ratio, both together scale without keeping it. Never larger than
    the source unless both are given.
    ``color``: channel order of ``FrameBatch.pixels``; ``"gray"`` has no channel axis.
    """

    rate: float | None = attrs.field(default=None, validator=_positive)
    width: int | None = attrs.field(default=None, validator=_positive)
    height: int | None = attrs.field(default=None, validator=_positive)
    color: Color = attrs.field(default="rgb")

    @color.validator
    def _check_color(self, attribute: attrs.Attribute[Color], value: Color) -> None:
        if value not in ("rgb", "bgr", "gray"):
            raise DataError(f"Frames.color must be 'rgb', 'bgr' or 'gray', got {value!r}")


@attrs.frozen
class Audio:
    """The sound of the whole span: float32 in -1..1, mono, ``rate`` samples per second."""

    rate: int = attrs.field(default=16000, validator=_positive)


@attrs.frozen
class Output:
    """The finished rows of another pipeline. ``optional``: used when that pipeline runs too."""

    pipeline: str
    optional: bool = False


Need = Frames | Audio | Output
