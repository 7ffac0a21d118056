"""The sound of a film, for a new one: copied as it is, or encoded anew, in time with the pictures either way."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.packet import Packet
from numpy.typing import NDArray

from videoannotator.data.media import MediaInfo
from videoannotator.data.time import TimeSpan
from videoannotator.decode.opening import open_media
from videoannotator.decode.reading import audio_stream, packets

__all__ = ["Sound"]

_COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
"""What MP4 files may hold, and players play."""

_FROM = frozenset({"mov", "matroska"})
"""Containers that say exactly when each packet is heard."""

_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_GAP = 0.04
"""A hole in the sound's times shorter than this is rounding, in seconds; a longer one becomes silence."""

_CHUNK = 1024


class _Pieces(Protocol):
    def __call__(self) -> Iterator[tuple[float, Packet[Any]]]: ...


class Sound:
    """Puts the sound of ``span`` into ``output``, whose time 0 is the beginning of the span.

    ``origin``: seconds of the container's time that are the file's time 0. ``copied`` tells which way it is done: sound
    that MP4 holds, from a container with exact times, is copied bit for bit; any other is encoded as AAC. What cannot
    be decoded becomes silence.
    """

    def __init__(self, media: MediaInfo, span: TimeSpan, origin: Fraction, output: Any) -> None:
        self._span, self._origin, self._output = span, origin, output
        self._container = open_media(media.path)
        stream: Any = audio_stream(self._container)
        self._stream = stream
        codec = stream.codec_context.codec.canonical_name
        self.copied = codec in _COPIED and bool(_FROM & set(self._container.format.name.split(",")))
        self._begins = media.audio.start if media.audio is not None else 0.0
        if self.copied:
            self._target = output.add_stream_from_template(self._stream)
            self._pieces = self._copied()
        else:
            rate = stream.codec_context.sample_rate
            self._rate = next((r for r in _RATES if r <= rate), _RATES[-1]) if rate not in _RATES else rate
            self._target = output.add_stream("aac", rate=self._rate)
            self._layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
            self._target.layout = self._layout
            self._pieces = self._encoded()
        self._next: tuple[float, Packet[Any]] | None = None

    def write_until(self, time: float) -> None:
        """Write what is heard before ``time`` seconds of the new film."""
        while True:
            if self._next is None:
                self._next = next(self._pieces, None)
            if self._next is None or self._next[0] >= time:
                return
            self._output.mux(self._next[1])
            self._next = None

    def close(self) -> None:
        """Close the file that is read."""
        self._container.close()

    def _copied(self) -> Iterator[tuple[float, Packet[Any]]]:
        shift = self._origin + Fraction(self._span.start)
        for packet in packets(self._container, self._stream):
            if not packet.size or packet.pts is None or packet.time_base is None:
                continue
            base = packet.time_base
            time = float(packet.pts * base - shift)
            if time >= self._span.duration:
                return
            lead = self._span.start == 0  # what is before time 0 settles the decoder, and is not heard
            if time < 0 and not lead:
                continue
            moved = round(shift / base)
            packet.pts -= moved
            packet.dts = packet.pts
            packet.stream = self._target
            yield time, packet

    def _encoded(self) -> Iterator[tuple[float, Packet[Any]]]:
        """Encoded anew: float samples, piece by piece, the first at its time."""
        waiting: list[NDArray[np.float32]] = []
        number, place = 0, None
        for start, samples in self._samples():
            if place is None:
                place = start
            waiting.append(samples)
            number += samples.shape[1]
            while number >= _CHUNK:
                whole = np.concatenate(waiting, axis=1)
                yield from self._encode(whole[:, :_CHUNK], place)
                waiting, number, place = [whole[:, _CHUNK:]], number - _CHUNK, place + _CHUNK
        if number and place is not None:
            yield from self._encode(np.concatenate(waiting, axis=1), place)
        for packet in self._target.encode(None):
            yield float(packet.pts * packet.time_base), packet

    def _encode(self, samples: NDArray[np.float32], place: int) -> Iterator[tuple[float, Packet[Any]]]:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, place, Fraction(1, self._rate)
        for packet in self._target.encode(frame):
            yield place / self._rate, packet

    def _samples(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(sample index in the new film, float32 (channels, n)), each beginning where the one before ends."""
        place: int | None = None
        last = round(self._span.duration * self._rate)
        for time, samples in self._decoded():
            wanted = round((time - self._span.start) * self._rate) if time is not None else None
            if place is None:
                place = wanted if wanted is not None else round((self._begins - self._span.start) * self._rate)
            elif wanted is not None and wanted - place > _GAP * self._rate:
                silence = np.zeros((samples.shape[0], min(wanted, last) - place), dtype=np.float32)
                samples = np.concatenate([silence, samples], axis=1) if silence.shape[1] > 0 else samples
            end = place + samples.shape[1]
            first, stop = max(place, 0), min(end, last)
            if stop > first:
                yield first, samples[:, first - place : stop - place]
            place = end
            if place >= last:
                return

    def _decoded(self) -> Iterator[tuple[float | None, NDArray[np.float32]]]:
        resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        for packet in packets(self._container, self._stream):
            try:
                frames: list[Any] = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                when = None if frame.pts is None else frame.pts * frame.time_base - self._origin
                frame.pts = None  # the resampler would fill holes by itself, in a way of its own
                for piece in resampler.resample(frame):
                    yield None if when is None else float(when), piece.to_ndarray().astype(np.float32)
                    when = None
