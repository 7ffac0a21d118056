"""Is the end of the file missing?"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from av.container import InputContainer

from videoannotator.data.media import MediaInfo
from videoannotator.data.time import TimeSpan
from videoannotator.decode.reading import audio_stream, start_of, video_stream

__all__ = ["missing_end"]

# formats whose header says how long the streams are; the others' lengths are guesses from the file's size
_HONEST = frozenset({"mov", "matroska", "avi", "wav", "w64", "flac", "caf"})
_TOLERANCE = 0.25


def _declared_end(stream: Any) -> Fraction | None:
    """When the stream ends by its header, in seconds of the container's time."""
    if stream.type == "video" and "avi" in stream.container.format.name and stream.frames and stream.average_rate:
        return Fraction(stream.frames / stream.average_rate)  # FFmpeg shortens the duration of a truncated AVI
    if stream.duration is not None and stream.time_base:
        return (start_of(stream) or Fraction(0)) + Fraction(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")  # Matroska, "00:01:02.345000000", counted from 0
    try:
        hours, minutes, seconds = (Fraction(p) for p in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds


def missing_end(container: InputContainer, info: MediaInfo) -> TimeSpan | None:
    """The span that the header promises and the file does not hold; None when all is there.

    It starts at the end of the last picture; at the end of the sound where only sound is missing.
    ``container``: the open file; ``info``: what its packets told.
    """
    if not _HONEST & set(container.format.name.split(",")):
        return None
    promised, there, steps = [], [], [_TOLERANCE]
    sound, picture = audio_stream(container), video_stream(container)
    origin = Fraction(0)
    if info.video is not None:
        clock = info.video.clock
        origin = clock.origin * clock.time_base
        even = clock.source == "repaired" and picture is not None and clock.time_base != picture.time_base
        end = _declared_end(picture)
        if even:
            return None  # the header's length was found to be wrong, there is nothing to measure against
        if end is not None:
            promised.append(float(end - origin))
            there.append(clock.end)
            if len(clock) > 1:
                steps.append(2 * float(np.median(np.diff(clock.times))))
    elif (begin := start_of(sound)) is not None:
        origin = begin
    if info.audio is not None and sound is not None and info.audio.duration is not None:
        end = _declared_end(sound)
        if end is not None:
            promised.append(float(end - origin))
            there.append(info.audio.start + info.audio.duration)
    gaps = [(p, t) for p, t in zip(promised, there, strict=True) if p - t > max(steps)]
    if not gaps:
        return None
    return TimeSpan(max(0.0, gaps[0][1]), max(p for p, _ in gaps))
