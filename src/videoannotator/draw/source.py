"""Where the pictures of a result come from: its media file, also when it was moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.media import VideoInfo
from videoannotator.data.needs import Frames
from videoannotator.data.result import Result
from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError, NoVideoError, UnreadableMediaError

__all__ = ["located", "pictures", "video_of"]


def located(result: Result, media: str | PathLike[str] | None) -> Result:
    """``result`` with its media file where it is now. ``media``: where, None if it is where it was.

    Raises `UnreadableMediaError` when it is not there, and `DataError` when ``media`` is not the file that
    the result was made from.
    """
    if media is None:
        if not Path(result.media.path).is_file():
            raise UnreadableMediaError(
                "this file, from which the result was made, is not there. Say where it is now: media=PATH, or --media "
                "PATH on the command line.",
                path=result.media.path,
            )
        return result
    from videoannotator.decode.probing import probe
    from videoannotator.discover.hashing import known_sha256

    wanted = result.provenance.media_sha256
    info = probe(media)
    if wanted:
        found = known_sha256(Path(info.path))
        if found != wanted:
            raise DataError(
                f"{info.path} is not the file that this result was made from: its SHA-256 begins with {found[:12]}, "
                f"that of {result.provenance.media_name} with {wanted[:12]}"
            )
    return attrs.evolve(result, media=info)


def video_of(result: Result) -> VideoInfo:
    """The picture stream. Raises `NoVideoError` when there is none."""
    if result.media.video is None or not len(result.media.video.clock):
        raise NoVideoError(
            "there are no pictures in this file to draw on, or the result does not tell about them; name the file: "
            "media=PATH, or --media PATH on the command line.",
            path=result.media.path,
        )
    return result.media.video


def pictures(
    result: Result, chosen: Sequence[int], size: tuple[int, int]
) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """The chosen frames in one pass, ``size`` (width, height) pixels large: (frame, seconds, RGB pixels)."""
    from videoannotator.decode.passes import DecodePass

    wanted = set(chosen)
    if not wanted:
        return
    times = video_of(result).clock.times
    start = float(times[min(wanted)])
    after = max(wanted) + 1
    end = float(times[after]) if after < len(times) else max(result.media.duration, start)
    span = TimeSpan(start, max(end, float(np.nextafter(times[after - 1], np.inf))))
    with DecodePass(result.media, frames=[Frames(width=size[0], height=size[1])], span=span) as decoding:
        for picture in decoding:
            if picture.frame in wanted:  # only these are converted and scaled
                yield picture.frame, picture.time, picture.pixels(0)
