"""One sequential pass over a file that feeds every need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import attrs
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from videoannotator.data.frames import AudioTrack, Uploads
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.decode.endings import missing_end
from videoannotator.decode.geometry import output_size
from videoannotator.decode.indexing import FrameIndexer
from videoannotator.decode.opening import MAX_PIXELS, open_media
from videoannotator.decode.pictures import Converter, Look
from videoannotator.decode.probing import frame_orientation
from videoannotator.decode.reading import audio_stream, packets, start_of, video_stream
from videoannotator.decode.sampling import frames_in, sampled
from videoannotator.decode.seeking import seek_before
from videoannotator.decode.sound import SoundCollector
from videoannotator.errors import NoAudioError, NoVideoError

__all__ = ["DecodePass", "Picture"]

_UNKNOWN = "the decoder gave no picture for them"
_THREADS = 64
"""Frames after which none of the decoder's threads is still at work on one before them."""


class Picture:
    """A decoded frame that at least one need samples.

    ``frame``: 0-based index in presentation order. ``time``: seconds on the file's clock. ``wanted``: indices of the
    needs that sample it.
    """

    __slots__ = ("_converter", "_decoded", "_looks", "_pixels", "_uploads", "frame", "time", "wanted")

    def __init__(
        self,
        frame: int,
        time: float,
        wanted: tuple[int, ...],
        decoded: VideoFrame,
        looks: Sequence[Look],
        converter: Converter,
    ) -> None:
        self.frame = frame
        self.time = time
        self.wanted = wanted
        self._decoded = decoded
        self._looks = looks
        self._converter = converter
        self._pixels: dict[Look, NDArray[np.uint8]] = {}
        self._uploads: dict[Look, Uploads] = {}

    def pixels(self, need: int) -> NDArray[np.uint8]:
        """The picture as the need with index ``need`` asks for it.

        uint8, (height, width, 3) in the need's channel order, or (height, width) for gray. Read only: needs of one size
        and colour get one and the same array, which is made on the first call. May be called from any thread.
        """
        look = self._looks[need]
        pixels = self._pixels.get(look)
        if pixels is None:
            pixels = self._pixels.setdefault(look, self._converter.pixels(self._decoded, look))
        return pixels

    def uploads(self, need: int) -> Uploads:
        """The same picture on other devices; needs of one size and colour share it."""
        look = self._looks[need]
        return self._uploads.get(look) or self._uploads.setdefault(look, Uploads(self.pixels(need)))

    def __repr__(self) -> str:
        return f"Picture(frame={self.frame}, time={self.time:.4f}, wanted={self.wanted})"


class DecodePass:
    """Decodes ``span`` of a file once, for every need at once.

    ``frames``: what is asked of the pictures; ``audio``: what is asked of the sound; ``span``: the stretch to look at,
    the whole file when None. The file is opened once, here. Iteration gives each `Picture` that at least one need
    samples, in presentation order. ``tracks`` has the sound for each of ``audio`` when iteration has ended (with
    ``frames=()`` it gives nothing, and only the sound is read), ``heard`` where it is sound of the file. Failures of
    decoding are collected in ``failures`` and never raised: the other frames come.

    Frames that the decoder itself marks as damaged (their data was broken and it guessed) are not handed over. Where
    the size of the pictures changes on the way, all are scaled to the size that `MediaInfo` tells.

    Raises `NoVideoError` or `NoAudioError` when something is asked of a stream that is not there, and
    what `open_media` raises.
    """

    def __init__(
        self,
        media: MediaInfo,
        frames: Sequence[Frames] = (),
        audio: Sequence[Audio] = (),
        span: TimeSpan | None = None,
        *,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if frames and media.video is None:
            raise NoVideoError("pictures were asked for, and there are none in this file.", path=media.path)
        if audio and media.audio is None:
            raise NoAudioError("sound was asked for, and there is none in this file.", path=media.path)
        self.media = media
        self.frames = tuple(frames)
        self.audio = tuple(audio)
        self.span = span if span is not None else media.span
        self.decoded = 0
        self.tracks: dict[Audio, AudioTrack] = {}
        self.heard: dict[Audio, Coverage] = {}
        self._whole = span is None or span.end >= media.duration
        self._failures: list[Failure] = []
        self._seen: list[tuple[int, int]] = []
        self._converter: Converter | None = None
        self._container: InputContainer = open_media(media.path, max_pixels=max_pixels)
        self._picture = video_stream(self._container) if frames else None
        self._sound = audio_stream(self._container) if audio else None
        self._collector = self._sound_collector(media.audio)
        self._clock = media.video.clock if media.video is not None else FrameClock([], Fraction(1))
        self._times = self._clock.times
        self._range = frames_in(self._clock, self.span) if frames else range(0)
        self._looks = [Look(*output_size(media.video, n), n.color) for n in self.frames if media.video is not None]
        self._wanted = [sampled(self._clock, need) for need in self.frames]
        if self._picture is not None:
            self._picture.thread_type = "AUTO"

    def _sound_collector(self, info: AudioInfo | None) -> SoundCollector | None:
        if info is None or self._sound is None:
            return None
        rates = list(dict.fromkeys(need.rate for need in self.audio))
        return SoundCollector(rates, self.span, float(self._origin), info.start, self.media.duration)

    @property
    def _origin(self) -> Fraction:
        """Seconds of the container's time that are the file's time 0."""
        video = self.media.video
        if video is not None:
            return video.clock.origin * video.clock.time_base
        return start_of(self._sound) or Fraction(0)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What could not be decoded so far, with spans: kinds ``decode_error`` and ``truncated``."""
        return (*self._failures, *(self._collector.failures if self._collector is not None else ()))

    @property
    def settled(self) -> bool:
        """True when what `failures` says of the frames so far is final: its reason may come a few frames later."""
        if not self._failures or _UNKNOWN not in self._failures[-1].message:
            return True
        return bool(self._seen) and self._seen[-1][1] - self._seen[-1][0] >= _THREADS

    @property
    def conversions(self) -> int:
        """How many times a frame was scaled and converted so far."""
        return self._converter.conversions if self._converter is not None else 0

    def coverage(self, need: Frames) -> Coverage:
        """The spans whose frames were decoded so far, at the need's rate."""
        spans = []
        times, end = self._times, self._clock.end
        for first, last in self._seen:
            until = times[last + 1] if last + 1 < len(times) else end
            start, stop = max(float(times[first]), self.span.start), min(float(until), self.span.end)
            if stop > start:
                spans.append(TimeSpan(start, stop))
        return Coverage(tuple(spans), need.rate)

    def __iter__(self) -> Iterator[Picture]:
        """The pictures that are wanted, in presentation order. A pass is read once."""
        indexer = FrameIndexer(self._clock)
        streams = [s for s in (self._picture, self._sound) if s is not None]
        if not streams:
            return
        expected = self._range.start
        last_error: str | None = None
        for packet in self._packets(streams, indexer):
            if self._sound is not None and packet.stream.index == self._sound.index:
                self._hear(packet)
            elif expected < self._range.stop:
                try:
                    decoded: list[VideoFrame] = packet.decode()
                except av.error.FFmpegError as error:
                    last_error = self._explain(error.strerror or "unknown error")
                    indexer.lost()
                    continue
                for frame in decoded:
                    self.decoded += 1
                    index = indexer.index(frame)
                    if index not in self._range or index < expected:
                        last_error = None  # it tells of a frame before this one, which nobody asked for
                        continue
                    if frame.is_corrupt:
                        last_error = last_error or "its data is damaged"
                        continue
                    if index > expected:
                        self._missed(expected, index, last_error)
                        last_error = None
                    expected = index + 1
                    self._saw(index)
                    picture = self._as_picture(index, frame)
                    if picture is not None:
                        yield picture
            if expected >= self._range.stop and (self._collector is None or self._collector.done):
                break
        self._missed(expected, self._range.stop, last_error)
        self._finish()

    def _packets(self, streams: list[Any], indexer: FrameIndexer) -> Iterator[Packet[Any]]:
        if self.span.start > 0 and self._clock.source == "container":
            where = (self._range, self.span, self._origin)
            found = seek_before(self._container, self._picture, self._sound, self._clock, *where)
            if found is not None:
                return found
        return packets(self._container, *streams)

    def _hear(self, packet: Packet[Any]) -> None:
        if self._collector is not None and not self._collector.done:
            self._collector.add(packet)

    def _as_picture(self, index: int, frame: VideoFrame) -> Picture | None:
        wanted = tuple(n for n, takes in enumerate(self._wanted) if takes[index])
        if not wanted:
            return None
        if self._converter is None:
            self._converter = Converter(frame_orientation(frame))
        return Picture(index, float(self._times[index]), wanted, frame, self._looks, self._converter)

    def _explain(self, reason: str) -> str | None:
        """Threads of the decoder may report an error after the gap it made. What remains to be explained later."""
        if not self._failures or _UNKNOWN not in self._failures[-1].message:
            return reason
        last = self._failures.pop()
        self._failures.append(attrs.evolve(last, message=last.message.replace(_UNKNOWN, reason)))
        return None

    def _saw(self, index: int) -> None:
        if self._seen and self._seen[-1][1] == index - 1:
            self._seen[-1] = (self._seen[-1][0], index)
        else:
            self._seen.append((index, index))

    def _missed(self, first: int, stop: int, reason: str | None) -> None:
        """Frames ``first`` to ``stop`` did not come out of the decoder."""
        if first >= stop:
            return
        times = self._times
        end = float(times[stop]) if stop < len(times) else self._clock.end
        message = (
            f"{stop - first} frame(s) from {first} on could not be decoded: {reason or _UNKNOWN}; "
            "frames after them, up to the next key frame, may show traces of this"
        )
        self._failures.append(Failure("decode_error", message, TimeSpan(float(times[first]), end)))

    def _finish(self) -> None:
        if self._collector is not None and not self.tracks:
            self._collector.finish()
            self.tracks = {need: self._collector.track(need.rate) for need in self.audio}
            self.heard = {need: self._collector.coverage(need.rate, track) for need, track in self.tracks.items()}
        cut = missing_end(self._container, self.media) if self._whole else None
        if cut is not None:
            message = (
                f"the file is truncated: its header promises {cut.end:.2f} s, its content ends at {cut.start:.2f} s"
            )
            self._failures.append(Failure("truncated", message, cut))
        self.close()

    def close(self) -> None:
        """Close the file. Pictures that were handed over stay usable."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
