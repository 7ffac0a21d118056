"""Which stretches of the sound are rated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

import attrs
import numpy as np

from videoannotator import AudioTrack
from videoannotator.discover.stretches import Stretch, within

__all__ = ["Skipped", "choose"]

_NEGLIGIBLE = 1e-6
"""Seconds: less than a sample. Lengths that differ by it are one."""


@attrs.frozen
class Skipped:
    """A segment that is not rated, and why; see `videoannotator_laion_voice.rows.LeftOut`."""

    segment: Stretch
    reason: Literal["short", "silence"]


def choose(
    candidates: Iterable[Stretch], audio: AudioTrack, *, shortest: float, longest: float
) -> tuple[list[Stretch], list[Skipped]]:
    """Those to rate, and those that are not, both in order of time.

    What reaches beyond the sound is cut off; what lies outside is neither. Of a segment longer than ``longest`` equal
    parts are made. Those shorter than ``shortest``, and those in which every sample is zero, are not rated.
    """
    rated: list[Stretch] = []
    left: list[Skipped] = []
    parts = [part for stretch in within(candidates, audio) for part in _parts(stretch, longest)]
    for part in sorted(parts, key=lambda one: (one.start, one.end, one.speaker or "")):
        first, last = part.samples_of(audio)
        if part.duration < shortest - _NEGLIGIBLE or first == last:
            left.append(Skipped(part, "short"))
        elif not audio.samples[first:last].any():
            left.append(Skipped(part, "silence"))
        else:
            rated.append(part)
    return rated, left


def _parts(stretch: Stretch, longest: float) -> list[Stretch]:
    count = max(1, math.ceil((stretch.duration - _NEGLIGIBLE) / longest))
    edges = [stretch.start, *np.linspace(stretch.start, stretch.end, count + 1).tolist()[1:-1], stretch.end]
    return [attrs.evolve(stretch, start=start, end=end) for start, end in pairwise(edges)]
