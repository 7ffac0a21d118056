"""Streams and packets of an open container, as probing and decoding both see them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error
import av.stream
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["audio_stream", "can_be_mixed", "holds_picture", "packets", "start_of", "video_stream"]

_RESYNCS = 16
_MOST_CHANNELS = 64
"""What FFmpeg can mix down."""

_MOST_SAMPLES = 1_000_000
"""Samples a second: bats are recorded at 500 000. More is a header that lies, and resampling it takes minutes."""


def video_stream(container: InputContainer) -> VideoStream | None:
    """The picture stream: FFmpeg's best one that can be decoded. Cover art of a sound file is not one."""
    cover = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    able = [s for s in container.streams.video if s.codec_context is not None and not s.disposition & cover]
    best = container.streams.best("video")
    return best if isinstance(best, VideoStream) and best in able else next(iter(able), None)


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The sound stream: FFmpeg's best one that can be decoded, and that `can_be_mixed`."""
    able = [s for s in container.streams.audio if s.codec_context is not None and can_be_mixed(s.codec_context)]
    best = container.streams.best("audio")
    return best if isinstance(best, AudioStream) and best in able else next(iter(able), None)


def can_be_mixed(sound: AudioCodecContext | AudioFrame) -> bool:
    """False for a sample rate or a number of channels that no recorder has."""
    return 0 < sound.sample_rate <= _MOST_SAMPLES and 0 < sound.layout.nb_channels <= _MOST_CHANNELS


def packets(container: InputContainer, *streams: Any) -> Iterator[Packet[Any]]:
    """The packets of ``streams`` in file order; then, per stream, an empty one that flushes its decoder.

    Damage between packets is stepped over where the format allows to find the next one. An error of the disk
    ends the packets as the end of the file does: what is missing is noticed by its time. Ask them for
    ``packet.stream.index``: the last ones, which are made here, have no ``stream_index`` of their own.
    """
    for stream in container.streams:
        stream.discard = av.stream.Discard.default if stream in streams else av.stream.Discard.all
    for _ in range(_RESYNCS):
        read = 0
        try:
            for packet in container.demux(*streams):
                read += 1
                yield packet
            return
        except av.error.FFmpegError:
            if not read:
                break
    for stream in streams:
        flush: Packet[Any] = Packet()
        flush.stream = stream
        yield flush


def holds_picture(packet: Packet[Any], codec: str) -> bool:
    """True when the decoder will show a picture for this packet of the picture stream."""
    if not packet.size or packet.is_discard:
        return False
    # VP8 keeps pictures that are never shown ("alternate reference") in packets of their own: RFC 6386, 9.1
    return codec != "vp8" or bool(memoryview(packet)[0] & 0x10)


def start_of(stream: Any) -> Fraction | None:
    """When a stream begins by its header, in seconds of the container's time; None when it does not say."""
    if stream is None or stream.start_time is None or not stream.time_base:
        return None
    return Fraction(stream.start_time * stream.time_base)
