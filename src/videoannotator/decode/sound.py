"""The sound of a span, decoded once: mono, float32, at every rate that is asked for, exact in time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import IO, Any

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet
from numpy.typing import NDArray

from videoannotator.data.frames import AudioTrack
from videoannotator.data.outcome import Failure
from videoannotator.data.time import TimeSpan
from videoannotator.decode.seeking import LEAD

__all__ = ["SoundCollector"]

_GAP = 0.04
"""A hole in the sound's times shorter than this is rounding, in seconds; a longer one is silence."""

_MEMORY = 10 * 60 * 16000
"""Samples kept in memory (10 minutes at 16 kHz); longer sound lies in a temporary file, memory-mapped."""


class SoundCollector:
    """Takes the packets of the sound stream and keeps the samples of ``span``, at each of ``rates``.

    ``origin``: seconds of the container's time that are the file's time 0. ``start``: the time of the stream's
    first sound, used where packets carry no times. A packet is decoded once, for all rates.

    Samples follow each other as decoded. Where the container's times leave a hole of more than 40 ms, silence is put
    in, so that sample ``k`` is heard at ``track.start + k / rate``. Sound whose times run behind its samples is kept
    as it is: nothing is cut. A packet that cannot be decoded is such a hole, and a `Failure`.
    """

    def __init__(self, rates: Sequence[int], span: TimeSpan, origin: float, start: float) -> None:
        self._span = span
        self._origin = origin
        self._next_time: float | None = None
        self._fallback = start
        self._voices = {rate: _Voice(rate, span) for rate in rates}
        self.failures: list[Failure] = []
        self.done = False

    def add(self, packet: Packet[Any]) -> None:
        """Decode one packet of the sound stream; an empty one flushes."""
        if self._too_early(packet):
            return
        try:
            frames: list[Any] = packet.decode()
        except av.error.FFmpegError as error:
            self._record(packet, error)
            return
        for frame in frames:
            self._add_frame(frame)

    def _too_early(self, packet: Packet[Any]) -> bool:
        """True well before the span: wherever reading began, decoding begins at one and the same packet."""
        if packet.pts is None or packet.time_base is None:
            return False
        end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._origin
        return end <= self._span.start - float(LEAD)

    def _record(self, packet: Packet[Any], error: av.error.FFmpegError) -> None:
        if packet.pts is None or not packet.size:
            return
        start = max(0.0, float(packet.pts * packet.time_base) - self._origin)
        span = TimeSpan(start, start + float((packet.duration or 0) * packet.time_base))
        if not self._span.overlaps(span):
            return
        message = f"sound could not be decoded ({error.strerror}); there is silence in its place"
        if self.failures and self.failures[-1].span is not None and span.start - self.failures[-1].span.end < _GAP:
            span = TimeSpan(self.failures.pop().span.start, span.end)  # type: ignore[union-attr]  # just checked
        self.failures.append(Failure("decode_error", message, span))

    def _add_frame(self, frame: AudioFrame) -> None:
        stated = None
        if frame.pts is not None and frame.time_base is not None:
            stated = float(frame.pts * frame.time_base) - self._origin
        begins = None
        if self._next_time is None:
            begins = stated if stated is not None else self._fallback
        elif stated is not None and stated - self._next_time > _GAP:
            begins = stated
        if begins is not None:
            self._next_time = begins
        assert self._next_time is not None  # noqa: S101 - set above when it was not, told to the type checker
        self._next_time += frame.samples / frame.sample_rate
        frame.pts = None
        for voice in self._voices.values():
            if begins is not None:
                voice.begin(begins)
            voice.add(frame)
        self.done = self._next_time > self._span.end + _GAP

    def track(self, rate: int) -> AudioTrack:
        """All of it, at one of the rates. An empty track starts where the span does."""
        return self._voices[rate].track()


class _Voice:
    """The samples of ``span`` at one rate."""

    def __init__(self, rate: int, span: TimeSpan) -> None:
        self._rate = rate
        self._span = span
        self._resampler: AudioResampler | None = None
        self._samples = _Store()
        self._start: float | None = None
        self._begun: float | None = None
        self._skip = 0

    def begin(self, time: float) -> None:
        """A stretch of sound without holes starts at ``time``."""
        self._flush()
        if self._start is None:
            before = max(0.0, self._span.start - time)
            self._skip = int(np.ceil(before * self._rate - 1e-6))
            self._begun = time
            return
        position = round((time - self._start) * self._rate)
        self._samples.add(np.zeros(max(0, position - len(self._samples)), dtype=np.float32))

    def add(self, frame: AudioFrame) -> None:
        """What follows."""
        if self._resampler is None:
            # without rematrix_maxval FFmpeg adds channels up, and two full channels leave -1..1
            options = {"rematrix_maxval": "1.0"}
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate, options=options)
        self._store(self._resampler.resample(frame))

    def _store(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            samples = np.asarray(frame.to_ndarray(), dtype=np.float32).reshape(-1)
            if self._start is None:
                assert self._begun is not None  # noqa: S101 - a stretch has begun, told to the type checker
                if samples.size <= self._skip:
                    self._skip -= samples.size
                    self._begun += samples.size / self._rate
                    continue
                samples = samples[self._skip :]
                self._start = self._begun + self._skip / self._rate
            room = int(np.ceil((self._span.end - self._start) * self._rate - 1e-6)) - len(self._samples)
            self._samples.add(samples[: max(0, room)])

    def _flush(self) -> None:
        if self._resampler is not None:
            self._store(self._resampler.resample(None))
            self._resampler = None

    def track(self) -> AudioTrack:
        self._flush()
        start = self._start if self._start is not None else self._span.start
        return AudioTrack(self._samples.finished(), self._rate, max(0.0, start))


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

    def finished(self) -> NDArray[np.float32]:
        if self._file is not None:
            self._file.flush()
            return np.memmap(self._file, dtype=np.float32, mode="r")
        samples = np.concatenate([np.zeros(0, dtype=np.float32), *self._chunks])
        samples.flags.writeable = False
        return samples
