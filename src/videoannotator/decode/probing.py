"""What a media file is: headers, and every packet once, without decoding more than the first picture."""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from os import PathLike
from typing import Any

import attrs
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoannotator.data.media import AudioInfo, MediaInfo, VideoInfo
from videoannotator.data.time import FrameClock
from videoannotator.decode.clocks import PictureTimes, build_clock
from videoannotator.decode.endings import missing_end
from videoannotator.decode.geometry import Orientation, orientation_of, shown_size
from videoannotator.decode.limits import NO_LIMITS, MediaLimits, check_limits
from videoannotator.decode.opening import MAX_PIXELS, open_media
from videoannotator.decode.pictures import matrix_is_known
from videoannotator.decode.reading import audio_stream, holds_picture, packets, start_of, video_stream
from videoannotator.errors import MediaLimitError, UnreadableMediaError

__all__ = ["frame_orientation", "probe"]

_PICTURE_FORMATS = frozenset({"gif", "apng", "webp"})
_RAW = frozenset({"h264", "hevc", "m4v", "mpegvideo", "mjpeg"})
"""Streams without a container, and so without any times."""

_PICTURE_BRANDS = frozenset({"avif", "heic", "heix", "mif1"})
_TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_WIDEST_ASPECT = 16
_FIRST_PACKETS = 300
"""How many packets of pictures are tried until one can be decoded (which is, as a rule, the first)."""


@attrs.define
class _Read:
    """What one reading of all packets tells."""

    pts: list[int | None] = attrs.Factory(list)
    dts: list[int | None] = attrs.Factory(list)
    hidden: int = 0
    last: tuple[int, int] = (-(2**63), 0)
    first: VideoFrame | None = None
    tried: int = 0
    sound_base: Fraction = Fraction(1)
    sound_begins: int | None = None
    sound_ends: int | None = None
    sound_ticks: int = 0
    sound_packets: int = 0

    @property
    def sound_first(self) -> Fraction | None:
        """When the first sound is heard, in seconds of the container's time; None where no packet says when."""
        return None if self.sound_begins is None else self.sound_begins * self.sound_base

    @property
    def sound_end(self) -> Fraction | None:
        """When the last sound ends."""
        return None if self.sound_ends is None else self.sound_ends * self.sound_base

    @property
    def sound_length(self) -> Fraction:
        """Seconds of sound in all packets."""
        return self.sound_ticks * self.sound_base

    def add_picture(self, packet: Packet[Any], codec: str) -> None:
        if self.first is None and self.tried < _FIRST_PACKETS:
            self.first = _decoded(packet)
            self.tried += 1
        self.hidden += packet.is_discard
        if holds_picture(packet, codec):
            self.pts.append(packet.pts)
            self.dts.append(packet.dts)
            self.last = max(self.last, (packet.pts if packet.pts is not None else -(2**63), packet.duration or 0))

    def add_sound(self, packet: Packet[Any]) -> None:
        # whole ticks: there are many packets, and fractions of seconds take long
        if not packet.size or packet.is_discard:
            return
        length = packet.duration or 0
        self.sound_ticks += length
        self.sound_packets += 1
        when = packet.pts if packet.pts is not None else packet.dts
        if when is not None:
            self.sound_begins = when if self.sound_begins is None else min(when, self.sound_begins)
            self.sound_ends = when + length if self.sound_ends is None else max(when + length, self.sound_ends)


def _decoded(packet: Packet[Any]) -> VideoFrame | None:
    try:
        return next(iter(packet.decode()), None)
    except av.error.FFmpegError:
        return None


def probe(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS, limits: MediaLimits = NO_LIMITS) -> MediaInfo:
    """Read what a media file is and when each of its frames is shown.

    Reads the headers and demuxes every packet once; only the first picture is decoded, for what headers do not tell
    (rotation, interlacing). The clock is complete: it has the frames that are there, whatever the
    header says.
    ``info.notices`` says in sentences what readers of results should know.
    ``limits``: what the file may have at most. Each is measured as early as it can be: its bytes before it is opened,
    streams and the size of pictures before a packet is read, all before a picture is handed to anybody.

    Raises what `open_media` raises, `MediaLimitError`, and `UnreadableMediaError` when there is neither picture nor
    sound.
    """
    max_pixels = min(max_pixels, limits.pixels or max_pixels)
    if limits.size is not None and os.path.isfile(path):
        limits.check("size", os.stat(path).st_size, path=path)
    with open_media(path, max_pixels=max_pixels) as container:
        limits.check("streams", len(container.streams), path=path)
        picture, sound = video_stream(container), audio_stream(container)
        wanted = [s for s in (picture, sound) if s is not None]
        if not wanted:
            raise UnreadableMediaError(
                "there are neither pictures nor sound in this file that can be decoded.", path=path
            )
        read = _Read(sound_base=Fraction(sound.time_base or 1) if sound is not None else Fraction(1))
        codec = picture.codec_context.name if picture is not None else ""
        number = picture.index if picture is not None else -1
        most = limits.frames or sys.maxsize
        for packet in packets(container, *wanted):
            if packet.stream.index == number:
                read.add_picture(packet, codec)
                if len(read.pts) > most:
                    limits.check("frames", len(read.pts), path=path)
            else:
                read.add_sound(packet)
        info = _media_info(path, container, picture if read.pts else None, sound, read)
        if info.video is not None and (pixels := info.video.width * info.video.height) > max_pixels:
            says = f"its pictures as shown have {info.video.width} x {info.video.height} pixels, "
            says += f"more than the limit of {max_pixels}."
            raise MediaLimitError(says, path=path, limit="pixels", value=pixels, allowed=max_pixels)
        check_limits(info, limits)
        return attrs.evolve(info, notices=_notices(container, info, read))


def _media_info(
    path: str | PathLike[str], container: InputContainer, picture: VideoStream | None, sound: Any, read: _Read
) -> MediaInfo:
    sound_start = start_of(sound)
    if sound_start is None:
        sound_start = read.sound_first
    if not read.sound_packets:
        sound = None
    origin, clock = _clock(picture, read, sound_start if sound is not None else None)
    if picture is None and sound is None:
        raise UnreadableMediaError("the headers can be read, but there is nothing after them.", path=path)
    audio = None if sound is None else _audio_info(sound, (sound_start or Fraction(0)) - origin, origin, read)
    video = None if picture is None or clock is None else _video_info(picture, clock, read.first)
    ends = [video.clock.end if video else 0.0, audio.start + (audio.duration or 0.0) if audio else 0.0]
    names = set(container.format.name.split(","))
    still = container.format.name.endswith("_pipe") or bool(names & _PICTURE_FORMATS)
    still |= container.metadata.get("major_brand", "").strip() in _PICTURE_BRANDS
    return MediaInfo(
        path=os.path.abspath(os.fspath(path)),
        size=os.stat(path).st_size,
        container=container.format.name,
        duration=max(ends),
        video=video,
        audio=audio,
        still=still and video is not None and len(video.clock) == 1,
    )


def _carries_times(picture: VideoStream) -> bool:
    """False where FFmpeg makes presentation times up: they look healthy, and are wrong or jump when decoded."""
    names = set(picture.container.format.name.split(","))
    return not names & _RAW and not ("avi" in names and picture.codec_context.has_b_frames)


def _clock(
    picture: VideoStream | None, read: _Read, sound_start: Fraction | None
) -> tuple[Fraction, FrameClock | None]:
    """The file's time 0 in seconds of the container's time, and the clock counted from there."""
    if picture is None or not picture.time_base:
        return sound_start or Fraction(0), None
    times = PictureTimes(
        pts=read.pts if _carries_times(picture) else [None] * len(read.pts),
        dts=read.dts,
        time_base=picture.time_base,
        last_duration=read.last[1],
        rate=picture.average_rate or picture.guessed_rate,
        sound=read.sound_length or None,
    )
    raw = build_clock(times)
    first = (raw.pts[0].item() - raw.origin) * raw.time_base
    origin = first if sound_start is None else min(first, sound_start)
    return origin, build_clock(times, origin)


def _audio_info(sound: Any, start: Fraction, origin: Fraction, read: _Read) -> AudioInfo:
    # the last packet's end, but never less than the packets hold: in sick AVIs many packets carry one time
    end = read.sound_end - origin if read.sound_end is not None else start
    if read.sound_length > (end - start) * Fraction(105, 100):
        end = start + read.sound_length
    context = sound.codec_context
    return AudioInfo(
        codec=context.codec.canonical_name,
        sample_rate=context.sample_rate,
        channels=context.layout.nb_channels,
        start=float(start),
        duration=float(end - start),
    )


def frame_orientation(frame: VideoFrame | None) -> Orientation:
    """How the decoded ``frame`` is to be turned to be shown."""
    if frame is None:
        return Orientation()
    try:
        side_data: Any = frame.side_data  # declared as a TypedDict of one key; it is a mapping of all kinds
        return orientation_of(bytes(side_data[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in side_data else None)
    except ValueError:  # PyAV 18.1 knows no EXIF side data and refuses to list any; this one still works
        return Orientation(-frame.rotation % 360)


def _video_info(picture: VideoStream, clock: FrameClock, first: VideoFrame | None) -> VideoInfo:
    context = picture.codec_context
    width, height = (first.width, first.height) if first else (context.width, context.height)
    pixel_format = first.format if first else context.format
    aspect = picture.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, _WIDEST_ASPECT) <= aspect <= _WIDEST_ASPECT:
        aspect = Fraction(1)
    rotation = frame_orientation(first).rotation
    shown = shown_size(width, height, aspect, rotation)
    return VideoInfo(
        codec=context.codec.canonical_name,
        pixel_format=pixel_format.name if pixel_format else "unknown",
        width=shown[0],
        height=shown[1],
        coded_width=width,
        coded_height=height,
        rotation=rotation,
        sample_aspect_ratio=aspect,
        average_rate=picture.average_rate or None,
        declared_frames=picture.frames or None,
        bit_depth=pixel_format.components[0].bits if pixel_format and pixel_format.components else 8,
        interlaced=bool(first and first.interlaced_frame),
        color_transfer=_TRANSFERS.get(first.color_trc) if first else None,
        clock=clock,
    )


def _notices(container: InputContainer, info: MediaInfo, read: _Read) -> tuple[str, ...]:
    said, first = [], read.first
    cut = missing_end(container, info)
    if cut is not None:
        said.append(
            f"The file is truncated: its header promises {cut.end:.2f} s, its content ends at {cut.start:.2f} s."
        )
    video = info.video
    if video is None:
        return tuple(said)
    if video.clock.repair is not None:
        said.append(f"Frame times were repaired: {video.clock.repair}.")
    if video.declared_frames is not None and video.declared_frames != len(video.clock) + read.hidden:
        said.append(f"The header promises {video.declared_frames} frames; {len(video.clock)} are there.")
    if first is None:
        said.append("No picture could be decoded at the beginning; rotation and colour are not known.")
    if video.interlaced:
        said.append("The video is interlaced; both fields are shown woven into one picture, as stored.")
    if first is not None and not matrix_is_known(first):
        said.append("The file says of its colours what is not known or not supported; they may look wrong.")
    if video.bit_depth > 8:
        said.append(f"The pictures have {video.bit_depth} bits per component; they are handed over with 8.")
    if video.color_transfer in _HDR:
        said.append(
            f"The pictures are HDR ({_HDR[video.color_transfer]}); they are shown as SDR without tone mapping, "
            "so colours look flat."
        )
    orientation = frame_orientation(first)
    if orientation.mirrored:
        said.append("The file asks for its pictures to be mirrored; they are shown mirrored.")
    if not orientation.exact:
        said.append(f"The file asks for an odd rotation; pictures are turned by {orientation.rotation} degrees.")
    return tuple(said)
