"""Which stretches of the sound are rated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import attrs
import numpy as np

from videoannotator import AudioTrack
from videoannotator.data.time import TimeSpan

__all__ = ["Segment", "Skipped", "choose", "part_of", "windows"]

_NEGLIGIBLE = 1e-6
"""Seconds: less than a sample. Lengths that differ by it are one."""


@attrs.frozen
class Segment:
    """A stretch of sound. ``speaker``: who is said to speak in it."""

    start: float
    end: float
    speaker: str | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


@attrs.frozen
class Skipped:
    """A segment that is not rated, and why; see `videoannotator_laion_voice.rows.LeftOut`."""

    segment: Segment
    reason: Literal["short", "silence"]


def windows(span: TimeSpan, length: float, overlap: float) -> list[Segment]:
    """Windows of ``length`` seconds from the beginning of a span, each ``overlap`` before the end of the last.

    The last ends with the span, and may be shorter.
    """
    found: list[Segment] = []
    while not found or found[-1].end < span.end:
        start = span.start + len(found) * (length - overlap)
        end = start + length
        found.append(Segment(start, span.end if end > span.end - _NEGLIGIBLE else end))
    return found if span.duration > 0 else []


def choose(
    candidates: Iterable[Segment], audio: AudioTrack, *, shortest: float, longest: float
) -> tuple[list[Segment], list[Skipped]]:
    """Those to rate, and those that are not, both in order of time.

    What reaches beyond the sound is cut off; what lies outside is neither. Of a segment longer than ``longest`` equal
    parts are made. Those shorter than ``shortest``, and those in which every sample is zero, are not rated.
    """
    rated: list[Segment] = []
    left: list[Skipped] = []
    sound = audio.span
    inside = (attrs.evolve(c, start=max(c.start, sound.start), end=min(c.end, sound.end)) for c in candidates)
    parts = [part for segment in inside if segment.end > segment.start for part in _parts(segment, longest)]
    for part in sorted(parts, key=lambda one: (one.start, one.end, one.speaker or "")):
        first, last = part_of(audio, part)
        if part.duration < shortest - _NEGLIGIBLE or first == last:
            left.append(Skipped(part, "short"))
        elif not audio.samples[first:last].any():
            left.append(Skipped(part, "silence"))
        else:
            rated.append(part)
    return rated, left


def _parts(segment: Segment, longest: float) -> list[Segment]:
    count = max(1, math.ceil((segment.duration - _NEGLIGIBLE) / longest))
    edges = [segment.start, *np.linspace(segment.start, segment.end, count + 1).tolist()[1:-1], segment.end]
    return [attrs.evolve(segment, start=start, end=end) for start, end in pairwise(edges)]


def part_of(audio: AudioTrack, segment: Segment) -> tuple[int, int]:
    """Its samples: index of the first, and of the one behind the last."""
    first, last = (round((time - audio.start) * audio.rate) for time in (segment.start, segment.end))
    return min(max(first, 0), len(audio)), min(max(last, 0), len(audio))
