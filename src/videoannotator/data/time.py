"""Time: half-open spans, and the clock that says when every frame is shown."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import DataError

__all__ = ["FrameClock", "TimeSpan"]


@attrs.frozen(order=True)
class TimeSpan:
    """The half-open span of time ``[start, end)`` in seconds on the file's clock.

    Raises `DataError` unless ``0 <= start <= end``, both finite.
    """

    start: float = attrs.field(converter=float)
    end: float = attrs.field(converter=float)

    def __attrs_post_init__(self) -> None:
        if not (0 <= self.start <= self.end < float("inf")):
            raise DataError(f"TimeSpan needs 0 <= start <= end, got start={self.start!r}, end={self.end!r}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def __contains__(self, time: float) -> bool:
        return self.start <= time < self.end

    def overlaps(self, other: TimeSpan) -> bool:
        """True when the two spans share more than a border."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"[{self.start:.3f}, {self.end:.3f}) s"


_EXACT = 2**53
"""Whole numbers below this are exact in float64."""


def _pts(values: object) -> NDArray[np.int64]:
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array


@attrs.frozen(eq=False)
class FrameClock:
    """When every frame of a file is shown.

    ``pts``: int64 array, shape (frames,), strictly increasing presentation times in presentation order.
    ``time_base``: seconds per tick, exact. ``origin``: the tick count (in ``time_base``, may be fractional)
    of the file's time 0, which is the earlier of the first picture and the first sound.
    ``duration``: how long the last frame is shown, in ticks.
    ``source``: ``"container"`` when the times are the file's own; ``"repaired"`` when the file carries none, or
    carries times that jump back; ``repair`` then says how they were found.

    Time in seconds is ``(pts - origin) * time_base``, float64.
    """

    pts: NDArray[np.int64] = attrs.field(converter=_pts)
    time_base: Fraction
    origin: Fraction = Fraction(0)
    duration: int = 1
    source: Literal["container", "repaired"] = "container"
    repair: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.pts.ndim != 1:
            raise DataError(f"FrameClock.pts must have one dimension, got shape {self.pts.shape}")
        if self.time_base <= 0:
            raise DataError(f"FrameClock.time_base must be positive, got {self.time_base}")
        steps = np.diff(self.pts)
        if steps.size and steps.min() <= 0:
            where = int(np.argmin(steps > 0))
            raise DataError(
                "FrameClock.pts must increase strictly, but frame "
                f"{where + 1} has {self.pts[where + 1]} after {self.pts[where]}"
            )
        if (self.source == "repaired") != (self.repair is not None):
            raise DataError("FrameClock.repair must say how the times were repaired, exactly when they were")

    def __len__(self) -> int:
        return int(self.pts.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrameClock):
            return NotImplemented
        mine = (self.time_base, self.origin, self.duration, self.source, self.repair)
        theirs = (other.time_base, other.origin, other.duration, other.source, other.repair)
        return mine == theirs and np.array_equal(self.pts, other.pts)

    __hash__ = None  # type: ignore[assignment]  # holds an array

    def seconds(self, pts: int) -> float:
        """The time of a tick count on the file's clock, in seconds."""
        return float((pts - self.origin) * self.time_base)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds on the file's clock, float64, shape (frames,)."""
        scale = self.time_base / self.origin.denominator
        furthest = max((abs(int(self.pts[0])), abs(int(self.pts[-1])))) if len(self) else 0
        reach = (furthest * self.origin.denominator + abs(self.origin.numerator)) * scale.numerator
        if reach < _EXACT and scale.denominator < _EXACT:  # one rounding, in the division: what `seconds` gives
            ticks = self.pts * self.origin.denominator - self.origin.numerator
            return ticks * scale.numerator / np.float64(scale.denominator)
        return np.array([self.seconds(int(p)) for p in self.pts], dtype=np.float64)

    @property
    def end(self) -> float:
        """When the last frame stops being shown, in seconds; 0.0 without frames."""
        return self.seconds(int(self.pts[-1]) + self.duration) if len(self) else 0.0

    @property
    def variable(self) -> bool:
        """True when the steps between frames differ by more than the rounding of one tick."""
        steps = np.diff(self.pts)
        return bool(steps.size) and int(steps.max() - steps.min()) > 1
