"""Starting a pass in the middle of a file: one seek, to a key frame from which all wanted frames can be decoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import av.error
from av.container import InputContainer
from av.packet import Packet

from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.decode.reading import packets

__all__ = ["LEAD", "seek_before"]

_EXACT = frozenset({"mov", "matroska", "wav", "flac"})
"""Formats whose sound keeps exact times after a seek; the others are read from the beginning."""

LEAD = Fraction(1, 2)
"""Seconds of sound read before the span: decoders of sound need a packet or two to settle."""


def seek_before(
    container: InputContainer,
    picture: Any,
    sound: Any,
    clock: FrameClock,
    wanted: range,
    span: TimeSpan,
    origin: Fraction,
) -> Iterator[Packet[Any]] | None:
    """Packets from a key frame at or before the first wanted frame; None when reading must start at the beginning.

    Some containers seek by decode times and land behind the wanted frame; then the target is moved back.
    """
    if sound is not None and not _EXACT & set(container.format.name.split(",")):
        return None
    streams = [s for s in (picture, sound) if s is not None]
    target = Fraction(span.start) - (LEAD if sound is not None else 0)
    if picture is None or not wanted:
        return _from(container, streams, sound or picture, target + origin)
    first = int(clock.pts[wanted.start])
    for back in (0, 2, 10, 60):
        when = min(target - back, Fraction((first - clock.origin) * clock.time_base))
        if when <= 0:
            return None
        found = _from(container, streams, picture, when + origin)
        if found is None:
            return None
        held: list[Packet[Any]] = []
        for packet in found:
            held.append(packet)
            if packet.stream.index != picture.index or not packet.is_keyframe:
                continue
            if packet.pts is not None and packet.pts <= first:
                return chain(held, found)
            break
    return None


def _from(container: InputContainer, streams: list[Any], stream: Any, when: Fraction) -> Iterator[Packet[Any]] | None:
    if when <= 0:
        return None
    try:
        container.seek(int(when / stream.time_base), stream=stream)
    except av.error.FFmpegError:
        return None
    return packets(container, *streams)
