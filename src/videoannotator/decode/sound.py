"""The sound of a span, decoded once: mono, float32, at every rate that is asked for, exact in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av.error
from av.audio.frame import AudioFrame
from av.packet import Packet

from videoannotator.data.frames import AudioTrack
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.time import TimeSpan
from videoannotator.decode.keeping import GAP, Keeper
from videoannotator.decode.reading import can_be_mixed
from videoannotator.decode.seeking import LEAD

__all__ = ["SoundCollector"]

_KNOWN_GAP = 0.002
"""A hole from which on silence is put in where a packet could not be decoded, so that a hole is to be expected."""


class SoundCollector:
    """Takes the packets of the sound stream and keeps the samples of ``span``, at each of ``rates``.

    ``origin``: seconds of the container's time that are the file's time 0. ``start``: the time of the stream's
    first sound, used where packets carry no times. ``duration``: when the file ends. A packet is decoded once, for all
    rates.

    Samples follow each other as decoded. Where the container's times leave a hole of more than 40 ms, silence is put
    in, so that sample ``k`` is heard at ``track.start + k / rate``; a span that begins or ends in a hole has the part
    of it that lies inside. Sound whose times run behind its samples is kept as it is: nothing is cut. A packet that
    cannot be decoded is such a hole, and a `Failure`; so are samples that are no numbers (NaN or infinite, in files of
    floats).
    """

    def __init__(self, rates: Sequence[int], span: TimeSpan, origin: float, start: float, duration: float) -> None:
        self._span = span
        self._origin = origin
        self._next_time: float | None = None
        self._fallback = start
        self._keepers = {rate: Keeper(rate, span, start, duration) for rate in rates}
        self._broken = False
        self.failures: list[Failure] = []
        self.done = False

    def add(self, packet: Packet[Any]) -> None:
        """Decode one packet of the sound stream; an empty one flushes."""
        if self._too_early(packet):
            return
        try:
            frames: list[Any] = packet.decode()
        except av.error.FFmpegError as error:
            self._lost(packet, error.strerror or "unknown error")
            return
        for frame in frames:
            if can_be_mixed(frame):
                self._add_frame(frame)
            else:
                self._lost(packet, f"{frame.sample_rate} samples a second, {frame.layout.nb_channels} channels")

    def _too_early(self, packet: Packet[Any]) -> bool:
        """True well before the span: wherever reading began, decoding begins at one and the same packet."""
        if packet.pts is None or packet.time_base is None:
            return False
        end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._origin
        return end <= self._span.start - float(LEAD)

    def _lost(self, packet: Packet[Any], reason: str) -> None:
        if packet.pts is None or not packet.size:
            return
        start = float(packet.pts * packet.time_base) - self._origin
        end = start + float((packet.duration or 0) * packet.time_base)
        self._broken = True
        self._record(f"sound could not be decoded ({reason})", TimeSpan(max(0.0, start), max(0.0, end)))

    def _record(self, reason: str, span: TimeSpan) -> None:
        """There is no sound here for this reason; one failure for what follows each other."""
        if not self._span.overlaps(span):
            return
        message = f"{reason}; there is silence in its place"
        before = self.failures[-1] if self.failures else None
        if before is not None and before.span is not None and before.message == message:
            near = span.start - before.span.end < GAP
            if near:
                self.failures.pop()
            span = TimeSpan(before.span.start, max(span.end, before.span.end)) if near else span
        self.failures.append(Failure("decode_error", message, span))

    def _add_frame(self, frame: AudioFrame) -> None:
        stated = None
        if frame.pts is not None and frame.time_base is not None:
            stated = float(frame.pts * frame.time_base) - self._origin
        begins = None
        if self._next_time is None:
            begins = stated if stated is not None else self._fallback
        elif stated is not None and stated - self._next_time > (_KNOWN_GAP if self._broken else GAP):
            begins = stated
        if begins is not None:
            self._next_time = begins
        assert self._next_time is not None  # noqa: S101 - set above when it was not, told to the type checker
        self._broken = False
        self._next_time += frame.samples / frame.sample_rate
        frame.pts = None  # samples are counted from here on
        for keeper in self._keepers.values():
            if begins is not None:
                keeper.begin(begins)
            keeper.add(frame)
        self.done = self._next_time > self._span.end + GAP

    def finish(self) -> None:
        """There is no more. To be called before `track` and `coverage`."""
        lost = [failure.span.end for failure in self.failures if failure.span is not None]
        for keeper in self._keepers.values():
            keeper.finish(max(lost, default=None))
        for keeper in list(self._keepers.values())[:1]:  # the same samples at each rate
            for span in keeper.bad:
                self._record("the file holds samples that are no numbers (NaN or infinite)", span)

    def track(self, rate: int) -> AudioTrack:
        """All of it, at one of the rates. An empty track starts where the span does."""
        return self._keepers[rate].track()

    def coverage(self, rate: int, track: AudioTrack) -> Coverage:
        """Where that track holds sound of the file."""
        return self._keepers[rate].coverage(track)
