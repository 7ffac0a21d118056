"""Single periods of a voice, and how much they differ: jitter and shimmer.

A pulse is found by the likeness of one period to the next: from one of them on, the following one is where the
normalised cross-correlation with the sound around the first is highest, 0.8 to 1.25 periods away (as in Praat's "To
PointProcess (cc)"). Jitter (local) is the mean difference of consecutive periods, divided by the mean period; shimmer
(local) the same of their amplitudes. Periods do not count where one is more than 1.3 times as long as its neighbour,
amplitudes where one is more than 1.6 times the other. Definitions and limits: Praat manual, "Voice 2. Jitter",
"Voice 3. Shimmer"; F. Eyben et al., *The Geneva Minimalistic Acoustic Parameter Set (GeMAPS)*, IEEE Transactions on
Affective Computing 7(2), 2016, 190-202.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Perturbation", "Pulses", "pulses_of"]

Floats = NDArray[np.float64]

_NEAREST, _FARTHEST = 0.8, 1.25  # periods to the next pulse
_ALIKE = 0.3  # correlation under which the next pulse is not found
_PERIOD_FACTOR, _AMPLITUDE_FACTOR = 1.3, 1.6
_REACH = 4  # samples on each side that the correlation is interpolated from
_FINER = 16


@attrs.frozen(eq=False)
class Pulses:
    """Pulses of a sound, ascending. ``position``: (N,) samples, fractional. ``amplitude``: (N,) root mean square
    around it. ``first``: (N,) true where a voiced stretch begins: no period ends there."""

    position: Floats
    amplitude: Floats
    first: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: list[Pulses]) -> Pulses:
        """The pulses of stretches that follow each other."""
        none = np.empty(0)
        return cls(
            np.concatenate([none, *(part.position for part in parts)]),
            np.concatenate([none, *(part.amplitude for part in parts)]),
            np.concatenate([none.astype(bool), *(part.first for part in parts)]),
        )


def pulses_of(
    samples: NDArray[np.float32], rate: int, start: float, end: float, centres: Floats, frequency: Floats
) -> Pulses:
    """The pulses of one voiced stretch.

    ``start``, ``end``: of the stretch, in samples. ``centres``, ``frequency``: (M,) samples and Hz, the pitch in it.
    """
    lowest = rate / float(frequency.min())
    margin = int(2 * lowest * _FARTHEST) + 2 * _REACH + 4
    origin = max(0, int(start) - margin)
    sound = samples[origin : int(end) + margin].astype(np.float64)
    sound -= sound.mean()

    def period(position: float) -> float:
        return rate / float(np.interp(position + origin, centres, frequency))

    middle = (start + end) / 2 - origin
    around = int(middle), int(np.ceil(period(middle) / 2))
    low, high = max(0, around[0] - around[1]), around[0] + around[1] + 1
    if not sound[low:high].size:
        return Pulses.joined([])
    seed = low + int(np.argmax(np.abs(sound[low:high])))
    found = [float(seed)]
    for way in (1, -1):
        at = float(seed)
        while True:
            lag = _next(sound, at, period(at), way)
            if lag is None or not start - origin <= at + lag < end - origin:
                break
            at += lag
            found.append(at)
    position = np.array(sorted(found))
    amplitude = _amplitudes(sound, position, np.array([period(one) for one in position]))
    return Pulses(position + origin, amplitude, np.arange(len(position)) == 0)


def _next(sound: Floats, at: float, period: float, way: int) -> float | None:
    """How far the next pulse is in the direction ``way`` (1, -1): signed samples, or None when there is none."""
    half = max(2, round(period / 2))
    centre = round(at)
    near, far = int(_NEAREST * period) - _REACH, int(np.ceil(_FARTHEST * period)) + _REACH
    low, high = (near, far) if way > 0 else (-far, -near)
    first, last = centre - half + low, centre + half + high + 1
    if centre - half < 0 or centre + half + 1 > sound.size or first < 0 or last > sound.size:
        return None
    model = sound[centre - half : centre + half + 1]
    other = sound[first:last]
    energy = np.concatenate([[0.0], np.cumsum(other * other)])
    energy = energy[model.size :] - energy[: -model.size]
    scale = np.sqrt(np.maximum(energy, 0.0) * float((model * model).sum()))
    product = np.correlate(other, model, "valid")
    likeness = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    inner = likeness[_REACH:-_REACH]
    best = int(np.argmax(inner))
    if inner[best] < _ALIKE or best in (0, inner.size - 1):
        return None
    return low + _REACH + best + _finer(likeness[best : best + 2 * _REACH + 1])


_GRID = np.arange(-_FINER, _FINER + 1) / _FINER
_TAPS = np.arange(-_REACH, _REACH + 1)
_KERNEL = np.sinc(_GRID[:, None] - _TAPS) * np.cos(np.pi * (_GRID[:, None] - _TAPS) / (2 * (_REACH + 1)))


def _finer(values: Floats) -> float:
    """Where between its neighbours the peak in the middle of 9 values is, in steps of these: -1..1."""
    fine = (_KERNEL * values).sum(axis=1)
    top = int(np.argmax(fine))
    if top in (0, fine.size - 1):
        return float(_GRID[top])
    left, middle, right = fine[top - 1 : top + 2]
    curve = left - 2 * middle + right
    return float(_GRID[top] + (0.5 * (left - right) / curve if curve else 0.0) / _FINER)


def _amplitudes(sound: Floats, position: Floats, period: Floats) -> Floats:
    """Root mean square under a raised cosine as wide as a period."""
    reach = int(np.ceil(period.max() / 2))
    places = np.round(position).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
    away = (places - position[:, None]) / period[:, None]
    inside = (np.abs(away) < 0.5) & (places >= 0) & (places < sound.size)
    weight = np.where(inside, 0.5 + 0.5 * np.cos(2 * np.pi * away), 0.0)
    value = sound[np.clip(places, 0, sound.size - 1)]
    amplitude: Floats = np.sqrt((weight * value * value).sum(axis=1) / weight.sum(axis=1))
    return amplitude


class Perturbation:
    """Jitter and shimmer of any stretches of a sound. Sums over all pulses are made once, so a stretch costs little."""

    def __init__(self, pulses: Pulses) -> None:
        self._position, count = pulses.position, len(pulses.position)
        if count < 3:
            return
        period = np.diff(pulses.position)
        linked = ~pulses.first[1:]
        pair = linked[:-1] & linked[1:] & (_ratio(period[:-1], period[1:]) <= _PERIOD_FACTOR)
        near = linked & (_ratio(pulses.amplitude[:-1], pulses.amplitude[1:]) <= _AMPLITUDE_FACTOR)
        # sums up to a place, of what lies before it; a pair of periods needs three pulses, a pair of amplitudes two
        self._pairs = _sums(np.where(pair, np.abs(np.diff(period)), 0.0), pair)
        self._periods = _sums(np.where(linked, period, 0.0), linked)
        self._steps = _sums(np.where(near, np.abs(np.diff(pulses.amplitude)), 0.0), near)
        self._levels = _sums(pulses.amplitude, np.ones(count, dtype=bool))

    def __call__(self, start: Floats, end: Floats) -> tuple[Floats, Floats]:
        """Jitter and shimmer (local), parts of one, for each stretch [start, end) of samples: (N,), (N,).

        NaN where a stretch holds fewer than three periods in a row that can be compared.
        """
        if len(self._position) < 3:
            return np.full(len(start), np.nan), np.full(len(start), np.nan)
        first = np.searchsorted(self._position, start, "left")
        last = np.searchsorted(self._position, end, "left")  # pulses first..last-1 are inside

        def mean(sums: tuple[Floats, NDArray[np.intp]], pulses_in_each: int, least: int) -> Floats:
            begin = np.minimum(first, len(sums[0]) - 1)
            stop = np.clip(last - pulses_in_each + 1, begin, len(sums[0]) - 1)
            number = sums[1][stop] - sums[1][begin]
            total = sums[0][stop] - sums[0][begin]
            return np.where(number >= least, total / np.maximum(number, 1), np.nan)

        jitter = mean(self._pairs, 3, 2) / mean(self._periods, 2, 3)
        shimmer = mean(self._steps, 2, 3) / mean(self._levels, 1, 4)
        return np.maximum(jitter, 0.0), np.maximum(shimmer, 0.0)


def _ratio(left: Floats, right: Floats) -> Floats:
    small, large = np.minimum(left, right), np.maximum(left, right)
    return np.divide(large, small, out=np.full_like(large, np.inf), where=small > 0)


def _sums(values: Floats, counted: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.intp]]:
    return np.concatenate([[0.0], np.cumsum(values)]), np.concatenate([[0], np.cumsum(counted)])
