"""Which frames of a shot are looked at, when it is known only later where shots begin and end.

In an open shot every ``step`` seconds a frame is due, beginning with its first. When twice as many are there as are
wanted (at least eight), every second one is forgotten and the step doubles: so the frames always lie evenly over the
shot, few are looked at in vain, and what is remembered does not grow. When a cut is told, the frames after it go to the
new shot, and the frame shown at that moment is looked at, so that short shots have one, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

__all__ = ["Looked", "Looking", "OpenShot"]

T = TypeVar("T")

_FIRST_STEP = 0.5
"""s"""
_LEAST_KEPT = 8
"""However few are wanted: so that the one that is lies in the middle."""


@attrs.frozen
class Looked(Generic[T]):
    """What was seen in a frame. ``time``: seconds."""

    frame: int
    time: float
    seen: T


@attrs.define
class OpenShot(Generic[T]):
    """The shot that has not ended yet: its first frame, and what was looked at in it."""

    first: int
    start: float
    looked: list[Looked[T]] = attrs.field(factory=list)
    step: float = _FIRST_STEP
    due: float = float("-inf")


class Looking(Generic[T]):
    """Says of each frame whether to look at it, and keeps what was seen. ``most``: frames of a shot that are wanted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.shot: OpenShot[T] | None = None

    def due(self, frame: int, time: float) -> bool:
        """True when the frame should be looked at; then `add` is called before the next frame."""
        if self.shot is None:
            self.shot = OpenShot(frame, time)
        return time >= self.shot.due

    def add(self, frame: int, time: float, seen: T) -> None:
        """What was seen in a frame of the open shot."""
        shot = self.shot
        assert shot is not None  # noqa: S101 - `due` was called
        shot.looked.append(Looked(frame, time, seen))
        if len(shot.looked) >= max(2 * self._most, _LEAST_KEPT):
            shot.looked = shot.looked[::2]
            # where frames are further apart than the step, as far as they are
            apart = (shot.looked[-1].time - shot.looked[0].time) / (len(shot.looked) - 1)
            shot.step = max(2 * shot.step, apart)
        shot.due = shot.looked[-1].time + shot.step

    def cut(self, first: int, start: float) -> tuple[OpenShot[T], list[Looked[T]]]:
        """A shot begins at frame ``first``: the one before it, and of its frames those that are wanted."""
        before = self.shot
        assert before is not None  # noqa: S101 - a cut follows a frame
        after = [one for one in before.looked if one.frame >= first]
        self.shot = OpenShot(first, start, after)
        return before, spread([one for one in before.looked if one.frame < first], self._most)

    def last(self) -> tuple[OpenShot[T], list[Looked[T]]] | None:
        """The last shot and its frames; None where no frame was shown."""
        return None if self.shot is None else (self.shot, spread(self.shot.looked, self._most))


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of ``items``, evenly over all."""
    if len(items) <= most:
        return list(items)
    return [items[(2 * n + 1) * len(items) // (2 * most)] for n in range(most)]
