"""Samples of a span at one rate: in memory while they are few, in a temporary file when they are many."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from videoannotator.data.frames import AudioTrack
from videoannotator.data.outcome import Coverage
from videoannotator.data.time import TimeSpan
from videoannotator.decode.mixing import Mixer

__all__ = ["GAP", "Keeper"]

GAP = 0.04
"""A hole in the sound's times shorter than this is rounding, in seconds; a longer one is silence."""

_MEMORY = 10 * 60 * 16000
"""Samples kept in memory (10 minutes at 16 kHz); longer sound lies in a temporary file, memory-mapped."""

_BYTES = 4
"""Of a sample."""


class Keeper:
    """Keeps the sound of ``span`` at one rate.

    ``first``: when the file's sound begins. ``duration``: when the file ends; no sample is kept that would go on after
    it (but one of a sound that is shorter than a sample). ``silent``: where silence was put in: holes, and samples that
    are no numbers; of the latter, ``bad`` has the spans.
    """

    def __init__(self, rate: int, span: TimeSpan, first: float, duration: float) -> None:
        self._rate = rate
        self._span = span
        self._first = max(span.start, first)
        self._duration = duration
        self._mixer = Mixer(rate)
        self._samples = _Store()
        self._start: float | None = None
        self._begun = 0.0
        self._skip = 0
        self._silent: list[TimeSpan] = []
        self.bad: list[TimeSpan] = []

    def begin(self, time: float) -> None:
        """A stretch of sound without holes starts at ``time``."""
        self._store(self._mixer.finish())
        if self._start is None and time - self._first > GAP:
            self._start = self._first  # the hole began before the span, or with the file
        if self._start is not None:
            self.silence_until(time)
            return
        before = max(0.0, self._span.start - time)
        self._skip = int(np.ceil(before * self._rate - 1e-6))
        self._begun = time

    def add(self, frame: AudioFrame) -> None:
        """What follows."""
        self._store(self._mixer.add(frame))

    def finish(self, lost: float | None) -> None:
        """There is no more. ``lost``: until when sound could not be decoded, if any could not."""
        self._store(self._mixer.finish())
        if lost is None:
            return
        if self._start is None and self._first < self._span.end:
            self._start = self._first
        if self._start is not None:
            self.silence_until(lost)

    def silence_until(self, time: float) -> None:
        """There is no sound until then."""
        assert self._start is not None  # noqa: S101 - told to the type checker
        missing = min(round((time - self._start) * self._rate) - len(self._samples), self._room())
        if missing > 0:
            begin = self._start + len(self._samples) / self._rate
            self._silent.append(TimeSpan(begin, begin + missing / self._rate))
            self._samples.add_silence(missing)

    def _room(self) -> int:
        """How many more samples the span takes: those that begin in it, and at the end of the file end in it."""
        assert self._start is not None  # noqa: S101 - told to the type checker
        if self._span.end < self._duration:
            count = int(np.ceil((self._span.end - self._start) * self._rate - 1e-6))
        else:
            exact = (self._duration - self._start) * self._rate
            count = max(int(exact > 0), int(np.floor(exact + 1e-6)))
        return max(0, count - len(self._samples))

    def _store(self, parts: list[NDArray[np.float32]]) -> None:
        for part in parts:
            samples = part
            if self._start is None:
                if samples.size <= self._skip:
                    self._skip -= samples.size
                    self._begun += samples.size / self._rate
                    continue
                samples = samples[self._skip :]
                self._start = self._begun + self._skip / self._rate
            self._samples.add(self._numbers(samples[: self._room()]))

    def _numbers(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        good = np.isfinite(samples)
        if good.all():
            return samples
        assert self._start is not None  # noqa: S101 - told to the type checker
        where = np.flatnonzero(~good)
        start = self._start + len(self._samples) / self._rate
        span = TimeSpan(start + where[0].item() / self._rate, start + (where[-1].item() + 1) / self._rate)
        self._silent.append(span)
        self.bad.append(span)
        return np.where(good, samples, np.float32(0))

    def track(self) -> AudioTrack:
        """All of it. An empty track starts where the span does."""
        start = self._span.start if self._start is None or not len(self._samples) else self._start
        return AudioTrack(self._samples.finished(), self._rate, max(0.0, start))

    def coverage(self, track: AudioTrack) -> Coverage:
        """Where ``track``, which `track` gave, holds sound of the file: not in its holes, not after the file's end."""
        return Coverage((track.span,)).within(TimeSpan(0.0, self._duration)).without(self._silent)


class _Store:
    """Samples in memory, or in a temporary file once there are many."""

    def __init__(self) -> None:
        self._chunks: list[NDArray[np.float32]] = []
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, samples: NDArray[np.float32]) -> None:
        self._length += samples.size
        if self._file is None:
            self._chunks.append(samples)
            if self._length <= _MEMORY:
                return
            self._file = tempfile.TemporaryFile(prefix="videoannotator-")  # noqa: SIM115 - lives as long as its samples
            samples = np.concatenate(self._chunks)
            self._chunks = []
        self._file.write(samples.tobytes())

    def add_silence(self, count: int) -> None:
        """``count`` samples of silence; many take no memory, and no room on disks that know holes in files."""
        while count > 0 and self._file is None:
            piece = min(count, _MEMORY)
            self.add(np.zeros(piece, dtype=np.float32))
            count -= piece
        if count > 0 and self._file is not None:
            self._length += count
            self._file.seek(self._length * _BYTES)

    def finished(self) -> NDArray[np.float32]:
        if self._file is not None:
            self._file.flush()
            self._file.truncate(self._length * _BYTES)  # silence at the end was only stepped over
            return np.memmap(self._file, dtype=np.float32, mode="r")
        samples = np.concatenate([np.zeros(0, dtype=np.float32), *self._chunks])
        samples.flags.writeable = False
        return samples
