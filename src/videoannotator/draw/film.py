"""A film with everything that was found drawn into it."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from videoannotator.data.needs import Frames
from videoannotator.data.result import Result
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.decode.passes import DecodePass
from videoannotator.draw.look import Look
from videoannotator.draw.saving import appearing
from videoannotator.draw.scene import Scene
from videoannotator.draw.sound import Sound
from videoannotator.draw.source import located, video_of
from videoannotator.draw.stills import size_for
from videoannotator.draw.strip import Strip
from videoannotator.draw.style import pillow
from videoannotator.errors import ConfigError, FormatError

__all__ = ["video"]

_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"preset": "veryfast", "crf": "17"}),
    ("libopenh264", {"rc_mode": "quality"}),
    ("h264_videotoolbox", {"q": "70"}),
    ("h264_mf", {"rate_control": "quality", "quality": "80"}),
    ("mpeg4", {"qscale": "2", "global_quality": "236"}),
)
"""Best first: H.264 where this build of FFmpeg can write it, else MPEG-4 part 2, which any build can."""

_FINEST = 10_000_000
"""Ticks per second up to which a time base is written as it is; finer ones are rounded to microseconds."""


def video(
    result: Result,
    path: str | PathLike[str],
    *,
    look: Look | None = None,
    media: str | PathLike[str] | None = None,
    start: float | None = None,
    end: float | None = None,
    height: int | None = None,
    sound: bool = True,
    progress: Callable[[float], object] | None = None,
) -> Path:
    """Write the film with what was found drawn into it, as MP4 (H.264, or the best there is). Returns the path.

    Decodes the film once. Every frame keeps its own time, also at a variable rate; time 0 of the new film is ``start``.
    The sound is copied, or, where MP4 does not hold it, encoded as AAC, in time with the pictures.

    ``start``, ``end``: seconds; what was annotated when None. ``height``: of the pictures, pixels; their size as shown
    when None (one more where it is odd). Below the pictures lie lanes of shots, speech and speakers with the time,
    unless ``look`` leaves them out or the picture is too narrow. ``sound=False`` leaves the sound out: voices tell who
    somebody is, too. ``progress``: called with the part that is done, 0..1.

    Raises `NoVideoError` where there are no pictures, `ConfigError` when the path is not a new MP4 file or the span is
    empty, `FormatError` when it cannot be written, and what `contact_sheet` raises.
    """
    pillow()
    result = located(result, media)
    stream = video_of(result)
    target = _target(Path(path), result)
    span = _span(result, start, end)
    look = look if look is not None else Look()
    scene = Scene(result, look)
    size = size_for(stream, height)
    strip = Strip.of(result, look, span, size[0])
    ticks = _Ticks(stream.clock, span)
    # edit lists, by which a stream begins late, count in the film's own ticks: a thousand a second unless told
    options = {"movflags": "+faststart", "movie_timescale": str(ticks.base.denominator)}
    with appearing(target) as working, av.open(str(working), "w", format="mp4", options=options) as output:
        try:
            _write(output, result, span, size, ticks, scene, strip, sound, progress)
        except av.error.FFmpegError as error:
            raise FormatError(f"{target} could not be written: {error}") from error
    return target


def _target(path: Path, result: Result) -> Path:
    if path.suffix.lower() != ".mp4":
        raise ConfigError(f"{path}: films are written as MP4; give it a name that ends with .mp4")
    if path.exists() and os.path.samefile(path, result.media.path):
        raise ConfigError(f"{path} is the film itself; give the new one another name")
    return path


def _span(result: Result, start: float | None, end: float | None) -> TimeSpan:
    whole = result.provenance.span if result.provenance.span.duration > 0 else result.media.span
    begins, ends = whole.start if start is None else start, whole.end if end is None else end
    if not 0 <= begins < ends or begins >= result.media.duration:
        raise ConfigError(f"there is nothing from {begins} s to {ends} s: the film lasts {result.media.duration:.3f} s")
    return TimeSpan(begins, min(ends, result.media.duration))


def _write(
    output: Any,
    result: Result,
    span: TimeSpan,
    size: tuple[int, int],
    ticks: _Ticks,
    scene: Scene,
    strip: Strip | None,
    sound: bool,
    progress: Callable[[float], object] | None,
) -> None:
    stream = video_of(result)
    whole = (size[0] + size[0] % 2, size[1] + size[1] % 2 + (strip.height if strip is not None else 0))
    target = _stream(output, whole, stream.average_rate or Fraction(25), ticks.base)
    heard = None
    if sound and result.media.audio is not None:
        heard = Sound(result.media, span, stream.clock.origin * stream.clock.time_base, output)
    try:
        with DecodePass(result.media, frames=[Frames(width=size[0], height=size[1])], span=span) as decoding:
            for picture in decoding:
                drawn = scene.paint(picture.pixels(0), picture.frame, picture.time, corners=strip is None)
                pixels = np.asarray(drawn)
                if strip is not None:
                    pixels = strip.under(pixels, picture.frame, picture.time, scene.shot_text(picture.time))
                for packet in target.encode(_frame(_even(pixels), ticks, picture.frame)):
                    ticks.give_duration(packet)
                    output.mux(packet)
                if heard is not None:
                    heard.write_until(picture.time - span.start + 0.5)
                if progress is not None:
                    progress((picture.time - span.start) / span.duration)
        for packet in target.encode(None):
            ticks.give_duration(packet)
            output.mux(packet)
        if heard is not None:
            heard.write_until(float("inf"))
    finally:
        if heard is not None:
            heard.close()
    if progress is not None:
        progress(1.0)


def _stream(output: Any, size: tuple[int, int], rate: Fraction, base: Fraction) -> Any:
    """The stream of pictures: the best encoder there is, colours as BT.709 says, ``base`` seconds per tick."""
    for name, options in _ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except UnknownCodecError:
            continue
        target = output.add_stream(name, rate=rate, options=options)
        target.width, target.height = size
        target.pix_fmt = "yuv420p"
        target.time_base = target.codec_context.time_base = base
        context = target.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        return target
    raise FormatError(
        "this build of FFmpeg writes neither H.264 nor MPEG-4; install PyAV from its wheels: pip install av"
    )


def _even(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With an even width and height, as encoders want them: the last column or row is there twice."""
    down, across = pixels.shape[0] % 2, pixels.shape[1] % 2
    return np.pad(pixels, ((0, down), (0, across), (0, 0)), mode="edge") if down or across else pixels


def _frame(pixels: NDArray[np.uint8], ticks: _Ticks, number: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.pts, frame.time_base = ticks.of(number), ticks.base
    return frame


class _Ticks:
    """When frames are shown in the new film. ``base``: seconds per tick."""

    def __init__(self, clock: FrameClock, span: TimeSpan) -> None:
        exact = Fraction(clock.time_base / clock.origin.denominator)
        shift = Fraction(span.start).limit_denominator(1000) if span.start else Fraction(0)
        self.base = Fraction(1, exact.denominator)
        if exact.denominator > _FINEST:
            self.base = Fraction(1, 1_000_000)
        self._clock, self._shift = clock, shift
        self._durations: dict[int, int] = {}

    def of(self, frame: int) -> int:
        """The tick of a frame; it stays on show until the next one's."""
        now = self._tick(int(self._clock.pts[frame]))
        following = frame + 1 < len(self._clock)
        after = int(self._clock.pts[frame + 1]) if following else int(self._clock.pts[frame]) + self._clock.duration
        self._durations[now] = self._tick(after) - now
        return now

    def _tick(self, pts: int) -> int:
        return round(((pts - self._clock.origin) * self._clock.time_base - self._shift) / self.base)

    def give_duration(self, packet: Any) -> None:
        """Say in the packet how long its picture is shown: encoders know it of constant rates only."""
        packet.duration = self._durations.pop(packet.pts, packet.duration)
