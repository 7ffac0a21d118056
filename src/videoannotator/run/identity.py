"""What a media file is, remembered so that its packets are read for it once."""

from __future__ import annotations

import json
import os
import zlib
from functools import cache
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import attrs
import av

from videoannotator.data.media import MediaInfo
from videoannotator.decode import probing
from videoannotator.decode.probing import probe
from videoannotator.discover.hashing import remembered
from videoannotator.discover.installed import hash_of_code
from videoannotator.errors import DataError
from videoannotator.formats.record import media_from_plain, plain_media

__all__ = ["probed"]


def probed(path: str | PathLike[str]) -> MediaInfo:
    """What `probe` tells, without reading a file again that was left alone: see `remembered`. Raises what it raises."""
    place = Path(path)
    try:
        told = remembered("media", place, lambda file: _packed(probe(file)), _code())
    except (OSError, ValueError):  # no such file, or no name of one: probing says so in words
        return probe(path)
    try:
        media = media_from_plain(json.loads(zlib.decompress(told)))
    except (DataError, ValueError, zlib.error):  # damaged
        return probe(path)
    return attrs.evolve(media, path=os.path.abspath(place))


def _packed(media: MediaInfo) -> bytes:
    return zlib.compress(json.dumps(plain_media(media)).encode(), 1)


@cache
def _code() -> str:
    """Tells the code that probes from code that was there before or comes after it."""
    decoding = Path(probing.__file__).parent
    places = [str(decoding), str(decoding.with_name("data"))]
    return f"{version('videoannotator')} {av.__version__} {av.library_versions} {hash_of_code(places)}"
