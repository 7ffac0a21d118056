"""All measures of any frames of a sound, and of stretches of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from videoannotator_voice_features.config import VoiceFeaturesConfig
from videoannotator_voice_features.contour import Pitch, Progress, loudness_of, pitch_of
from videoannotator_voice_features.frames import Grid
from videoannotator_voice_features.pulses import Perturbation, Pulses
from videoannotator_voice_features.spectrum import SpectralMeasures

__all__ = ["Sound"]

Floats = NDArray[np.float64]
Numbers = dict[str, Floats]

_BLOCK = 1 << 20  # samples
_MOST_HNR = 100.0  # dB


class Sound:
    """A sound whose frames can be measured, in any order and in any pieces, with the same numbers.

    ``samples``: float32 (N,). Pitch, loudness and pulses of the whole are found at once, for which ``progress`` is told
    the part that is done, 0..1.
    """

    def __init__(self, samples: NDArray[np.float32], config: VoiceFeaturesConfig, progress: Progress) -> None:
        self.samples, self.config = samples, config
        self.grid = Grid.of(config, samples.size)
        wanted = set(config.measures)
        self._length = 2 * round(config.window * config.rate / 2)
        self._loudness: Floats | None = None
        self._pitch: Pitch | None = None
        if "loudness" in wanted:
            self._loudness = loudness_of(samples, self.grid, config, lambda done: progress(0.2 * done))
        if "pitch" in wanted:
            self._pitch = pitch_of(samples, self.grid, config, lambda done: progress(0.2 + 0.8 * done))
        self._perturbation = Perturbation(self._pitch.pulses if self._pitch is not None else Pulses.joined([]))
        self._spectrum: SpectralMeasures | None = None
        if wanted & {"spectrum", "mfcc"}:
            self._spectrum = SpectralMeasures(
                config.rate,
                self._length,
                config.rolloff,
                spectrum="spectrum" in wanted,
                cepstrum="mfcc" in wanted,
            )

    def pieces(self, frames: range) -> Iterator[tuple[range, Numbers]]:
        """The measures of ``frames``, in pieces: name -> (N,), ``mfcc`` (N, 13); NaN where there is no value."""
        for piece in self.grid.pieces(frames):
            yield piece, self._measures(piece)

    def _measures(self, piece: range) -> Numbers:
        there = slice(piece.start, piece.stop)
        found: Numbers = {}
        if self._loudness is not None:
            found["loudness"] = self._loudness[there]
        if self._pitch is not None:
            found["f0"], found["voicing"] = self._pitch.f0[there], self._pitch.voicing[there]
        if "quality" in self.config.measures:
            found |= self._quality(piece)
        return found | self._windowed(piece)

    def _quality(self, piece: range) -> Numbers:
        assert self._pitch is not None  # noqa: S101 - the config sees to it
        there = slice(piece.start, piece.stop)
        voiced = np.isfinite(self._pitch.f0[there])
        centre = np.arange(piece.start, piece.stop, dtype=np.float64) * self.grid.hop + self.grid.hop // 2
        half = self._pitch.length // 2
        jitter, shimmer = self._perturbation(centre - half, centre + half)
        return {
            "hnr": np.where(voiced, _hnr(self._pitch.voicing[there]), np.nan),
            "jitter": np.where(voiced, jitter, np.nan),
            "shimmer": np.where(voiced, shimmer, np.nan),
        }

    def _windowed(self, piece: range) -> Numbers:
        """What is measured in the frame's own window."""
        fitting = self.grid.fitting(self._length)
        inside = range(max(piece.start, fitting.start), min(piece.stop, fitting.stop))
        before = 1 if inside and inside.start > fitting.start else 0  # for the flux
        windows = self.grid.windows(
            self.samples, range(inside.start - before, inside.stop) if inside else inside, self._length
        )
        found: Numbers = {"clipped": (np.abs(windows) >= self.config.clip_level).mean(axis=1)}
        if "loudness" in self.config.measures:
            found["rms"] = _level((windows.astype(np.float64) ** 2).mean(axis=1))
        if self._spectrum is not None:
            found |= self._spectrum(windows)
        whole = {}
        for name, values in found.items():
            whole[name] = np.full((len(piece), *values.shape[1:]), np.nan)
            if inside:
                whole[name][inside.start - piece.start : inside.stop - piece.start] = values[before:]
        return whole

    def of_stretch(self, start: int, end: int) -> dict[str, float]:
        """What is measured on a stretch [start, end) of samples as a whole; NaN where it is not defined."""
        power, clipped, count = 0.0, 0, max(1, end - start)
        for first in range(start, end, _BLOCK):
            block = self.samples[first : min(first + _BLOCK, end)]
            power += float((block.astype(np.float64) ** 2).sum())
            clipped += int((np.abs(block) >= self.config.clip_level).sum())
        found = {"clipped": clipped / count}
        if "loudness" in self.config.measures:
            found["rms"] = float(_level(np.array([power / count]))[0])
        if "quality" in self.config.measures:
            jitter, shimmer = self._perturbation(np.array([float(start)]), np.array([float(end)]))
            found["jitter"], found["shimmer"] = float(jitter[0]), float(shimmer[0])
        return found

    def f0(self, frames: range) -> Floats:
        """The pitch of frames in Hz, those that have one."""
        if self._pitch is None:
            return np.empty(0)
        values = self._pitch.f0[frames.start : frames.stop]
        return values[np.isfinite(values)]


def _level(power: Floats) -> Floats:
    return 10 * np.log10(np.where(power > 0, power, np.nan))


def _hnr(strength: Floats) -> Floats:
    """Harmonics-to-noise ratio in dB of a normalised autocorrelation (Boersma 1993, equation 4)."""
    least = 10 ** (-_MOST_HNR / 10)
    share = np.clip(strength, least, 1 - least)
    return np.asarray(10 * np.log10(share / (1 - share)))
