"""How much of a media file is too much: said by the caller, measured before anything is decoded."""

from __future__ import annotations

from os import PathLike
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.errors import DataError, MediaLimitError

__all__ = ["NO_LIMITS", "MediaLimits", "check_limits"]

_SAYS = {
    "size": ("it has {value:,} bytes", "Cut it into parts, or compress it more."),
    "duration": ("it lasts {value:,.1f} s", "Cut it into parts."),
    "pixels": ("its pictures have {value:,} pixels each", "Scale it down."),
    "frames": ("it has {value:,} frames", "Cut it into parts, or lower its frame rate."),
    "total_pixels": ("its pictures have {value:,} pixels together", "Cut it into parts, or scale it down."),
    "streams": ("it has {value:,} streams", "Keep those with the pictures and the sound."),
}


def _positive(_: object, field: Any, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise DataError(f"MediaLimits.{field.name} is a number more than 0, or None for no limit; got {value!r}")


@attrs.frozen(kw_only=True)
class MediaLimits:
    """What a file may have at most; None is no limit.

    ``size``: bytes. ``duration``: seconds, from the times of its packets, not from its header. ``pixels``: of one
    picture, as stored and as shown. ``frames``: pictures that are there, whatever the header says.
    ``total_pixels``: pixels of a picture as shown times frames, which is what decoding costs. ``streams``: of any
    kind: pictures, sound, subtitles, data.

    Raises `DataError` for a limit that is not more than 0.
    """

    size: int | None = attrs.field(default=None, validator=_positive)
    duration: float | None = attrs.field(default=None, validator=_positive)
    pixels: int | None = attrs.field(default=None, validator=_positive)
    frames: int | None = attrs.field(default=None, validator=_positive)
    total_pixels: int | None = attrs.field(default=None, validator=_positive)
    streams: int | None = attrs.field(default=None, validator=_positive)

    def check(self, limit: str, value: float, *, path: str | PathLike[str]) -> None:
        """Raise `MediaLimitError` if ``value`` is above the limit with that name."""
        allowed: float | None = getattr(self, limit)
        if allowed is not None and value > allowed:
            has, advice = _SAYS[limit]
            message = f"{has.format(value=value)}, and {allowed:,} are allowed. {advice}"
            raise MediaLimitError(message, path=path, limit=limit, value=value, allowed=allowed)


NO_LIMITS = MediaLimits()
"""What the library does by itself: only the decoder's own guard holds, `videoannotator.decode.opening.MAX_PIXELS`."""


def check_limits(media: MediaInfo, limits: MediaLimits) -> None:
    """Raise `MediaLimitError` for the first limit that a probed file is above.

    The number of streams is not part of `MediaInfo`; `videoannotator.decode.probing.probe` looks at it when it is
    given limits.
    """
    limits.check("size", media.size, path=media.path)
    limits.check("duration", media.duration, path=media.path)
    if media.video is None:
        return
    video = media.video
    shown = video.width * video.height
    limits.check("pixels", max(shown, video.coded_width * video.coded_height), path=media.path)
    limits.check("frames", len(video.clock), path=media.path)
    limits.check("total_pixels", shown * len(video.clock), path=media.path)
