"""What probing a media file tells, without decoding it."""

from __future__ import annotations

from fractions import Fraction

import attrs

from videoannotator.data.time import FrameClock, TimeSpan

__all__ = ["AudioInfo", "MediaInfo", "VideoInfo"]


@attrs.frozen
class VideoInfo:
    """The picture stream of a file.

    ``width``, ``height``: pixels of the picture **as shown**: rotation and pixel aspect applied. All
    coordinates of all results are in these pixels. ``coded_width``, ``coded_height``: as stored.
    ``rotation``: degrees clockwise that a player turns the stored picture, one of 0, 90, 180, 270.
    ``clock``: when every frame is shown. ``average_rate``: frames per second as the file declares it.
    ``declared_frames``: what the header promises, which may be wrong; ``len(clock)`` is what is there.
    ``color_transfer``: FFmpeg's name (``"bt709"``, ``"smpte2084"`` = PQ, ``"arib-std-b67"`` = HLG) or None.
    """

    codec: str
    pixel_format: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rotation: int
    sample_aspect_ratio: Fraction
    average_rate: Fraction | None
    declared_frames: int | None
    bit_depth: int
    interlaced: bool
    color_transfer: str | None
    clock: FrameClock


@attrs.frozen
class AudioInfo:
    """The sound stream of a file. ``start`` and ``duration``: seconds on the file's clock."""

    codec: str
    sample_rate: int
    channels: int
    start: float
    duration: float | None


@attrs.frozen
class MediaInfo:
    """A media file, as probing sees it.

    ``path``: absolute path. ``size``: bytes. ``container``: FFmpeg's format name. ``duration``: seconds from
    the file's time 0 to the end of its longer stream. ``still``: the file is a single picture, not a video.
    ``notices``: what a reader of the results should know of this file (repaired times, interlacing, HDR
    shown as SDR, a header that promises other than is there), one sentence each.
    """

    path: str
    size: int
    container: str
    duration: float
    video: VideoInfo | None
    audio: AudioInfo | None
    still: bool = False
    notices: tuple[str, ...] = ()

    @property
    def span(self) -> TimeSpan:
        """The whole file."""
        return TimeSpan(0.0, self.duration)
