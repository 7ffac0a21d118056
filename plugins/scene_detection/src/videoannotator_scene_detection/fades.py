"""Fades to black and from black, by the rule of PySceneDetect's ThresholdDetector, and how long they take.

That detector says when the mean of all pixels falls below a threshold, and when it comes back. What it does not say is
when the fade began, or will be over: that is read here from the brightness of the frames around.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Fade", "FadeFinder"]

Kind = Literal["fade_out", "fade_in", "cut_to_black", "cut_from_black"]

_LONGEST = 10.0
"""s; a fade takes no longer."""
_MOST = 1000
"""Frames that are remembered at most."""
_PLATEAU = 0.5
"""s; when it has not become brighter for so long the fade is over."""
_STEP = 1.0
"""Grey levels; less is no change."""
_DIP = 2.0
"""Grey levels; when it becomes darker by this the fade is over."""
_FULL = 0.95
"""Share of the change that is the whole: fades begin and end slowly."""
_AT_ONCE = 0.12
"""s; what takes less is a cut: three frames at 25 a second."""


@attrs.frozen
class Fade:
    """``first`` and ``last``: its frames, both inside."""

    kind: Kind
    first: int
    last: int


@attrs.frozen
class _Seen:
    frame: int
    time: float
    level: float


class FadeFinder:
    """Takes the brightness of frames one by one. ``threshold``: grey levels; ``min_black``: seconds."""

    def __init__(self, threshold: float, min_black: float) -> None:
        self._threshold, self._min_black = threshold, min_black
        self._before: deque[_Seen] = deque(maxlen=_MOST)  # bright frames before the black, at most `_LONGEST`
        self._black: list[_Seen] = []  # first and last frame of the black that is going on or was last
        self._rising: list[_Seen] | None = None  # frames since the black ended, as long as they become brighter
        self._out: Fade | None = None  # waits until the black has lasted
        self._found: list[Fade] = []

    def add(self, frame: int, time: float, picture: NDArray[np.uint8]) -> None:
        """Take the next frame: its time in seconds and its pixels."""
        seen = _Seen(frame, time, float(np.mean(picture)))
        if seen.level < self._threshold:
            self._take_black(seen)
        else:
            self._take_bright(seen)

    def _take_black(self, seen: _Seen) -> None:
        if self._rising is not None:
            self._end_rise()
        if self._before:
            self._out = _fade_out([*self._before, seen])
            self._before.clear()
            self._black = [seen]
        elif not self._black:
            self._black = [seen]  # black from the beginning
        self._black[1:] = [seen]
        if seen.time - self._black[0].time >= self._min_black:
            self._keep_out()

    def _take_bright(self, seen: _Seen) -> None:
        if not self._before and self._black:
            # it lasts until this frame is shown
            if seen.time - self._black[0].time >= self._min_black:
                self._keep_out()
                self._rising = [self._black[-1]]
            self._out, self._black = None, []
        if self._rising is not None:
            self._rising.append(seen)
            if _over(self._rising):
                self._end_rise()
        self._before.append(seen)
        while seen.time - self._before[0].time > _LONGEST:
            self._before.popleft()

    def _keep_out(self) -> None:
        if self._out is not None:
            self._found.append(self._out)
            self._out = None

    def _end_rise(self) -> None:
        if self._rising is not None and len(self._rising) > 1:
            full = _full(self._rising)
            slow = self._rising[full].time - self._rising[0].time >= _AT_ONCE
            kind: Kind = "fade_in" if slow else "cut_from_black"
            self._found.append(Fade(kind, self._rising[0].frame, self._rising[full].frame))
        self._rising = None

    def fades(self, end: float) -> list[Fade]:
        """All of them, in order. ``end``: when the last frame ends, in seconds. No frame may be added afterwards."""
        self._end_rise()
        if self._black and end - self._black[0].time >= self._min_black:
            self._keep_out()
        return sorted(self._found, key=lambda fade: (fade.first, fade.last))

    def state(self) -> bytes:
        """All it remembers."""
        return pickle.dumps((self._before, self._black, self._rising, self._out, self._found))

    def restore(self, state: bytes) -> None:
        """Go on from there."""
        self._before, self._black, self._rising, self._out, self._found = pickle.loads(state)  # noqa: S301 - our own, from `state`


def _fade_out(frames: Sequence[_Seen]) -> Fade:
    """``frames``: the bright ones before, and the first black one. The same as a rise, seen from behind."""
    backwards = list(reversed(frames))
    for length in range(2, len(backwards) + 1):
        if _over(backwards[:length]):
            break
    first = backwards[_full(backwards[:length])]
    slow = frames[-1].time - first.time >= _AT_ONCE
    return Fade("fade_out" if slow else "cut_to_black", first.frame, frames[-1].frame)


def _over(frames: Sequence[_Seen]) -> bool:
    """True when a rise that begins at the first of ``frames`` has ended by the last."""
    top = max(range(len(frames)), key=lambda n: frames[n].level)
    last = frames[-1]
    if frames[top].level - last.level > _DIP or abs(last.time - frames[0].time) > _LONGEST or len(frames) >= _MOST:
        return True
    # since when it has been nearly as bright as ever
    since = next(seen for seen in frames if seen.level > frames[top].level - _STEP)
    return abs(last.time - since.time) >= _PLATEAU


def _full(frames: Sequence[_Seen]) -> int:
    """Which of ``frames``, which begin in the black, is the first that has (nearly) become bright."""
    low, high = frames[0].level, max(seen.level for seen in frames)
    return next(n for n, seen in enumerate(frames) if n and seen.level >= low + _FULL * (high - low))
