"""The frame clock of a file, from the times its packets carry: taken as they are, or repaired.

Healthy files: every packet of pictures says when its picture is shown; sorted, these times are the clock.

Sick files, and what is done (the frames keep the decoder's output order, which is the presentation order):

* **Two pictures share a time** (rounding, careless muxers): they divide the time up to the next picture's.
* **No presentation times** (H.264 with B-frames in AVI, raw streams): an AVI is a row of equally long slots, some of
  them empty, and the packets say in which slots they lie (their decode times). The n-th picture shown gets the n-th
  filled slot, so that real gaps stay where they are.
* ... **unless the sound says that the empty slots are not real.** Some muxers wrote H.264 with twice its frame rate
  and so put an empty slot after every picture. Then the pictures at the stream's own frame rate last as long as
  the sound, while the slots last twice as long; nobody recorded sound at twice its speed, so the pictures are
  spread evenly at the stream's frame rate.
* **Times that jump back** (streams glued together), or nothing usable: spread evenly at the declared frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.time import FrameClock

__all__ = ["PictureTimes", "build_clock"]

_FINER = 1000
_FALLBACK_RATE = Fraction(25)
_CLOSE = 0.05
"""Two lengths are the same when they differ by less than this part."""


@attrs.frozen
class PictureTimes:
    """What the packets of the picture stream say, in file order, in ticks of ``time_base``.

    ``pts``, ``dts``: presentation and decode times, None where a packet carries none. ``last_duration``: how long
    the picture shown last is shown, 0 when not said. ``rate``: frames per second the stream declares.
    ``sound``: seconds of sound in the file, counted in samples, None without sound.
    """

    pts: Sequence[int | None]
    dts: Sequence[int | None]
    time_base: Fraction
    last_duration: int = 0
    rate: Fraction | None = None
    sound: Fraction | None = None


def build_clock(times: PictureTimes, origin: Fraction = Fraction(0)) -> FrameClock:
    """The clock of a stream. ``origin``: seconds of the container's time that become the file's time 0."""
    pts = [p for p in times.pts if p is not None]
    if len(pts) == len(times.pts) and not _jumps_back(times.dts):
        return _from_container(times, np.sort(np.array(pts, dtype=np.int64)), origin)
    if len(pts) == len(times.pts):
        return _even(times, origin, "the file's times jump back", min(pts))
    slots = [d for d in times.dts if d is not None]
    if len(slots) == len(times.dts) and all(a < b for a, b in pairwise(slots)):
        return _from_slots(times, slots, origin)
    return _even(times, origin, "the file does not say when its frames are shown", min((*pts, *slots), default=0))


def _jumps_back(dts: Sequence[int | None]) -> bool:
    known = [d for d in dts if d is not None]
    return any(a > b for a, b in pairwise(known))


def _from_container(times: PictureTimes, pts: NDArray[np.int64], origin: Fraction) -> FrameClock:
    start = origin / times.time_base
    steps = np.diff(pts)
    usual = int(np.median(steps)) if steps.size else 0
    if not usual and times.rate:
        usual = round(1 / times.rate / times.time_base)
    duration = max(1, times.last_duration or usual)
    if not steps.size or steps.min() > 0:
        return FrameClock(pts, times.time_base, start, duration)
    distinct, first, counts = np.unique(pts, return_index=True, return_counts=True)
    shared = int((counts - 1).sum())
    if shared * 2 > pts.size:
        return _even(times, origin, "most frames share one time with others", int(pts[0]))
    room = np.append(np.diff(distinct), duration)
    spread = np.empty(pts.size, dtype=np.int64)
    for where, count, begin, length in zip(first, counts, distinct, room, strict=True):
        spread[where : where + count] = begin * _FINER + np.arange(count) * (length * _FINER) // count
    if np.diff(spread).min() <= 0:
        return _even(times, origin, "too many frames share one time", int(pts[0]))
    repair = f"{shared} frame(s) had the same time as the frame before; they divide the time up to the next frame"
    last = max(1, duration * _FINER // int(counts[-1]))
    return FrameClock(spread, times.time_base / _FINER, start * _FINER, last, "repaired", repair)


def _from_slots(times: PictureTimes, slots: list[int], origin: Fraction) -> FrameClock:
    frames, length = len(slots), (slots[-1] + 1 - slots[0]) * times.time_base
    start = origin / times.time_base
    if times.rate and times.sound and frames > 1:
        dense = frames / times.rate
        if _same(dense, times.sound) and not _same(length, times.sound) and length > dense:
            why = (
                f"the file carries no presentation times, and its container reserves {float(length):.2f} s for "
                f"{frames} frames; its sound lasts {float(times.sound):.2f} s, as do the frames at the stream's own "
                f"{float(times.rate):.3f} frames/s ({float(dense):.2f} s)"
            )
            return _even(times, origin, why, slots[0])
    repair = (
        "the file carries no presentation times; frames keep the decoder's output order, and frame n gets the n-th of "
        f"the container's {frames} filled slots, spread over {float(length):.2f} s"
    )
    return FrameClock(slots, times.time_base, start, 1, "repaired", repair)


def _same(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) <= _CLOSE * max(a, b)


def _even(times: PictureTimes, origin: Fraction, why: str, first: int) -> FrameClock:
    period = 1 / (times.rate or _FALLBACK_RATE)
    tick = period / _FINER  # never the stream's own, so that one can see that these times are not the file's
    start = (origin - first * times.time_base) / tick
    frames = len(times.pts)
    repair = f"{why}; frames keep the decoder's output order and are spread evenly over {float(frames * period):.2f} s"
    return FrameClock(np.arange(frames) * _FINER, tick, start, _FINER, "repaired", repair)
