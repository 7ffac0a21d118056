"""What has to be known of the whole sound before single frames can be told: pitch, loudness, pulses.

All of it is kept as a few numbers per frame and pulse, some ten megabytes for an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_voice_features.config import VoiceFeaturesConfig
from videoannotator_voice_features.frames import Grid
from videoannotator_voice_features.loudness import MOMENTARY, KWeighting, lufs
from videoannotator_voice_features.path import PitchPath
from videoannotator_voice_features.pitch import PitchAnalysis
from videoannotator_voice_features.pulses import Pulses, pulses_of

__all__ = ["Pitch", "loudest", "loudness_of", "pitch_of"]

Floats = NDArray[np.float64]
Progress = Callable[[float], None]
_BLOCK = 1 << 20  # samples
_LONGEST = 10.0  # s: longer voiced stretches (tones, not voices) are cut, to bound the memory


@attrs.frozen(eq=False)
class Pitch:
    """The pitch of every frame. ``f0``: (N,) Hz, NaN where unvoiced. ``voicing``: (N,) 0..1, NaN where it could not be
    measured. ``length``: samples that a frame sees. ``pulses``: of all voiced stretches."""

    f0: Floats
    voicing: Floats
    length: int
    pulses: Pulses


def loudest(samples: NDArray[np.float32]) -> float:
    """The farthest that the sound goes from its mean."""
    if not samples.size:
        return 0.0
    blocks = [samples[first : first + _BLOCK] for first in range(0, samples.size, _BLOCK)]
    mean = sum(float(block.sum(dtype=np.float64)) for block in blocks) / samples.size
    return max(max(float(block.max()) - mean, mean - float(block.min())) for block in blocks)


def loudness_of(samples: NDArray[np.float32], grid: Grid, config: VoiceFeaturesConfig, progress: Progress) -> Floats:
    """Momentary loudness of every frame: (N,) LUFS, NaN near the ends and in digital silence."""
    length = 2 * round(MOMENTARY * config.rate / 2)
    frames, weighting = grid.fitting(length), KWeighting(config.rate)
    found = np.full(grid.count, np.nan)
    begin, kept = 0, np.empty(0)  # squares of weighted samples, from ``begin`` on
    for piece in grid.pieces(frames):
        first, last = grid.centre(piece.start) - length // 2, grid.centre(piece.stop - 1) + length // 2
        while begin + kept.size < last:
            at = begin + kept.size
            kept = np.concatenate([kept[max(0, first - begin) :], weighting(samples[at : at + _BLOCK // 8]) ** 2])
            begin = max(begin, min(first, at))
        squares = kept[first - begin : last - begin]
        seen = np.lib.stride_tricks.sliding_window_view(squares, length)[:: grid.hop]
        found[piece.start : piece.stop] = lufs(seen.sum(axis=1) / length)
        progress(piece.stop / grid.count)
    return found


def pitch_of(samples: NDArray[np.float32], grid: Grid, config: VoiceFeaturesConfig, progress: Progress) -> Pitch:
    """The pitch of every frame, and, where 'quality' is asked for, the pulses."""
    analysis = PitchAnalysis(config, loudest(samples))
    path = PitchPath(config, grid.hop / config.rate)
    f0, voicing = np.full(grid.count, np.nan), np.full(grid.count, np.nan)
    frames = grid.fitting(analysis.length)
    settled = frames.start

    def take(pieces: Iterator[tuple[Floats, Floats]]) -> None:
        nonlocal settled
        for frequency, strength in pieces:
            there = slice(settled, settled + len(frequency))
            voiced = frequency > 0
            f0[there] = np.where(voiced, frequency, np.nan)
            voicing[there] = np.where(voiced, strength, voicing[there])
            settled = there.stop

    for piece in grid.pieces(frames):
        candidates = analysis(grid.windows(samples, piece, analysis.length))
        voicing[piece.start : piece.stop] = candidates.periodicity
        take(path.push(candidates))
        progress(0.8 * piece.stop / grid.count)
    take(path.end())
    parts = _pulses(samples, grid, config, f0, progress) if "quality" in config.measures else []
    return Pitch(f0, voicing, analysis.length, Pulses.joined(parts))


def _pulses(
    samples: NDArray[np.float32], grid: Grid, config: VoiceFeaturesConfig, f0: Floats, progress: Progress
) -> list[Pulses]:
    voiced = np.concatenate([[False], np.isfinite(f0), [False]])
    turns = np.flatnonzero(voiced[1:] != voiced[:-1])
    parts = []
    most = max(1, round(_LONGEST * config.rate / grid.hop))
    stretches = [
        (begin, min(begin + most, last))
        for first, last in zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True)
        for begin in range(first, last, most)
    ]
    for first, last in stretches:
        centres = np.arange(first, last) * grid.hop + grid.hop // 2
        start, end = max(0, first * grid.hop), min(grid.samples, last * grid.hop)
        parts.append(pulses_of(samples, config.rate, start, end, centres.astype(np.float64), f0[first:last]))
        progress(0.8 + 0.2 * last / grid.count)
    return parts
