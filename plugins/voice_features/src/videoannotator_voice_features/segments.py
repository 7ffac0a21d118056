"""How a stretch of sound is summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Table
from videoannotator.data.frames import AudioTrack
from videoannotator.data.result import PipelineResult
from videoannotator.discover.stretches import Stretch
from videoannotator_voice_features.measuring import Sound
from videoannotator_voice_features.rows import VoiceSegment

__all__ = ["columns", "speech_of", "summed_up"]

Floats = NDArray[np.float64]

_ALL = ("loudness", "voicing", "hnr", "centroid", "bandwidth", "rolloff", "flatness", "flux", "mfcc")
_VOICED = ("slope_0_500", "slope_500_1500", "alpha_ratio", "hammarberg_index")
_NO_SPREAD = ("voicing",)


def speech_of(regions: PipelineResult | None) -> Floats | None:
    """Speech regions (N, 2), seconds, ascending, without overlap; None where voice_activity did not run."""
    if regions is None or not regions.ok:
        return None
    table = regions.tables["speech"]
    return np.stack([table.start, table.end], axis=1)


def summed_up(
    sound: Sound, audio: AudioTrack, stretches: Sequence[Stretch], speech: Floats | None
) -> Table[VoiceSegment]:
    """One row for each stretch. ``speech``: as `speech_of` gives it."""
    rows = [_summary(sound, audio, stretch, speech) for stretch in stretches]
    if not rows:
        return Table.empty(VoiceSegment)
    names = dict.fromkeys(name for row in rows for name in row)
    return Table.of(VoiceSegment, **{name: [row[name] for row in rows] for name in names})


def _summary(sound: Sound, audio: AudioTrack, stretch: Stretch, speech: Floats | None) -> dict[str, Any]:
    start, end = ((time - audio.start) * audio.rate for time in (stretch.start, stretch.end))
    frames = sound.grid.inside(start, end)
    row: dict[str, Any] = {
        "start": stretch.start,
        "end": stretch.end,
        "speaker": stretch.speaker,
        "frames": len(frames),
        "speech_share": None if speech is None else _overlap(stretch, speech),
    }
    first, last = max(0, round(start)), min(len(audio), round(end))
    if first < last:
        row |= {name: _or_none(value) for name, value in sound.of_stretch(first, last).items()}
    else:
        row |= dict.fromkeys(sound.of_stretch(0, 0))
    return row | _of_frames(sound, frames) | _of_pitch(sound, frames)


def _overlap(stretch: Stretch, speech: Floats) -> float:
    shared = np.minimum(speech[:, 1], stretch.end) - np.maximum(speech[:, 0], stretch.start)
    return float(min(1.0, np.maximum(shared, 0).sum() / (stretch.end - stretch.start)))


def _of_frames(sound: Sound, frames: range) -> dict[str, Any]:
    moments = {name: _Moments() for name in (*_ALL, *_VOICED)}
    measured = voiced_frames = 0
    loudest = -np.inf
    seen: dict[str, Floats] = {}
    for _, seen in sound.pieces(frames):
        if "f0" in seen:
            voiced = np.isfinite(seen["f0"])
            measured += int(np.isfinite(seen["voicing"]).sum())
            voiced_frames += int(voiced.sum())
            for name in _VOICED:
                if name in seen:
                    moments[name].add(seen[name][voiced])
        for name in _ALL:
            if name in seen:
                moments[name].add(seen[name])
        if "loudness" in seen and np.isfinite(seen["loudness"]).any():
            loudest = max(loudest, float(np.nanmax(seen["loudness"])))
    row: dict[str, Any] = {
        "voiced_share": voiced_frames / measured if measured else None,
        "loudness_max": _or_none(loudest),
    }
    for name, moment in moments.items():
        row[f"{name}_mean"] = moment.mean
        if name not in _NO_SPREAD:
            row[f"{name}_sd"] = moment.deviation
    return row


def _of_pitch(sound: Sound, frames: range) -> dict[str, Any]:
    f0 = sound.f0(frames)
    if not f0.size:
        return dict.fromkeys(("f0_mean", "f0_sd", "f0_median", "f0_low", "f0_high", "f0_range"))
    low, median, high = (float(value) for value in np.percentile(f0, (5, 50, 95)))
    return {
        "f0_mean": float(f0.mean()),
        "f0_sd": float(f0.std()),
        "f0_median": median,
        "f0_low": low,
        "f0_high": high,
        "f0_range": 12 * float(np.log2(high / low)),
    }


class _Moments:
    """Mean and standard deviation of what comes piece by piece, NaN left out; of single numbers or of rows of them.

    Pieces are put together as in T. Chan, G. Golub, R. LeVeque, *Algorithms for computing the sample variance*, The
    American Statistician 37, 1983.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0

    def add(self, values: Floats) -> None:
        there = np.isfinite(values)
        values = values[there if there.ndim == 1 else there.all(axis=1)]
        if not len(values):
            return
        mean = values.mean(axis=0)
        difference, count = mean - self._mean, self._count + len(values)
        self._squares = (
            self._squares + ((values - mean) ** 2).sum(axis=0) + difference**2 * self._count * len(values) / count
        )
        self._mean = self._mean + difference * len(values) / count
        self._count = count

    @property
    def mean(self) -> Any:
        return self._mean if self._count else None

    @property
    def deviation(self) -> Any:
        return np.sqrt(self._squares / self._count) if self._count else None


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def columns(measures: Mapping[str, Floats]) -> dict[str, Any]:
    """Measures as columns of a table of `VoiceFrame`: NaN is missing, cepstra are arrays."""
    found: dict[str, Any] = dict(measures)
    if "mfcc" in found:
        found["mfcc"] = [row if np.isfinite(row).all() else None for row in measures["mfcc"]]
    return found
