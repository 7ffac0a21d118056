"""Files that want to hurt who opens them, or are only broken: a few hundred of them, made on the spot.

::

    from videoannotator.testing.hostile import write_hostile

    for file in write_hostile(tmp_path / "files", address="http://127.0.0.1:8000/x.ts"):
        ...  # open file.path: a result or an error with a name, soon, and nothing else opened

Some ask to open another file: those in the folder ``canary`` beside them, which nobody should.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Literal

import attrs

from videoannotator.testing import hostile_lists, hostile_media
from videoannotator.testing.clips import write_clip

__all__ = ["HostileFile", "Kind", "write_hostile"]

Kind = Literal["sound", "odd", "lie", "bomb", "list", "no media", "damaged", "disguised", "name"]

_VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".webm", ".mov", ".mpg")
_NATIVE = {"hls": ".m3u8", "dash": ".mpd", "sdp": ".sdp", "concat": ".ffconcat", "asx": ".asx", "pls": ".pls"}
_NAMES = (
    "-i",
    "-version.mp4",
    ";rm -rf x.mp4",
    "$(touch owned).mp4",
    "a\nb.mp4",
    "tab\there.mp4",
    "\u202egpj.4pm.mp4",
    "%s%n%d.mp4",
    "img%03d.png",
    "*.mp4",
    "concat:a.mp4|b.mp4",
    "subfile,,start,0,end,9,,:a.mp4",
    "http:..mp4",
    "pipe:0",
    "data:,x.mp4",
    "'\"`\\.mp4",
    "<img src=x onerror=alert(1)>.mp4",
    "CON.mp4",
    " .mp4",
    "..mp4",
    "é\u0301👶.mp4",
    "x" * 196 + ".mp4",
)


@attrs.frozen
class HostileFile:
    """``kind``: what was done. A ``sound`` or ``odd`` one can be opened, and so can one with only a bad ``name``."""

    path: Path
    kind: Kind


def write_hostile(
    folder: str | PathLike[str], *, address: str = "http://127.0.0.1:9/", damaged: int = 140, seed: int = 0
) -> list[HostileFile]:
    """Write them to ``folder``, which is made. ``damaged``: how many are cut off, flipped, or overwritten, by ``seed``.

    ``address``: what the lists ask to open, beside the files in the folder ``canary``.
    """
    place = Path(folder)
    (place / "canary").mkdir(parents=True)
    (place / "work").mkdir()
    for suffix in (".mov", ".mp4", ".ts"):
        write_clip(
            place / "canary" / f"other{suffix}", codec="mpeg2video" if suffix == ".ts" else "mpeg4", sound="tone"
        )
    made = [_write(place, kind, name, data) for kind, name, data in _contents(place, address, damaged, seed)]
    (place / "work").rmdir()
    return made


def _contents(place: Path, address: str, damaged: int, seed: int) -> Iterator[tuple[Kind, str, bytes]]:
    work = place / "work"
    good = list(hostile_media.sound(work))
    yield from (("sound", *each) for each in good)
    yield from (("odd", *each) for each in hostile_media.odd(work))
    yield from (("lie", *each) for each in hostile_media.lies(work))
    yield from (("bomb", *each) for each in hostile_media.bombs(work))
    yield from (("no media", *each) for each in hostile_media.no_media())
    yield from _lists(place, address)
    yield from islice(_damaged(good, seed), damaged)
    yield from (("disguised", *each) for each in _disguised(good))
    clip = dict(good)["h264.mp4"]
    yield from (("name", name, clip) for name in _NAMES)


def _write(place: Path, kind: Kind, name: str, data: bytes) -> HostileFile:
    folder = place if kind == "list" else place / kind  # lists lie beside what they ask for
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return HostileFile(path, kind)


def _lists(place: Path, address: str) -> Iterator[tuple[Kind, str, bytes]]:
    near = "canary/other.ts"
    for number, (name, data) in enumerate(hostile_lists.lists(near, os.path.abspath(place / near), address)):
        yield "list", f"{number} {name}{_VIDEO_SUFFIXES[number % len(_VIDEO_SUFFIXES)]}", data
        native = _NATIVE.get(name.split()[0])
        if native is not None:
            yield "list", f"{number} {name}{native}", data
    movie = write_clip(place / "work" / "base.mov", frames=10, sound="tone")
    yield "list", "samples elsewhere.mov", hostile_lists.referring(movie.read_bytes(), "canary/other.mov")
    yield "list", "samples elsewhere.mp4", hostile_lists.referring(movie.read_bytes(), "canary/other.mov")
    movie.unlink()


def _damaged(good: list[tuple[str, bytes]], seed: int) -> Iterator[tuple[Kind, str, bytes]]:
    """Without end: every file in turn, each time in a way that the dice choose."""
    ways = (_cut, _flip, _zero, _flip_head, _noise, _swap, _insert)
    number = 0
    while True:
        name, data = good[number % len(good)]
        stem, _, suffix = name.rpartition(".")
        generator = random.Random(f"{seed} {number}")
        way = generator.choice(ways)
        yield "damaged", f"{number} {stem} {way.__name__.strip('_')}.{suffix}", way(data, generator)
        number += 1


def _cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(1, len(data))]


def _flip(data: bytes, dice: random.Random) -> bytes:
    return _flipped(data, dice, len(data), max(3, len(data) // dice.choice([100, 1000, 10_000])))


def _flip_head(data: bytes, dice: random.Random) -> bytes:
    return _flipped(data, dice, min(600, len(data)), 8)


def _flipped(data: bytes, dice: random.Random, until: int, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        changed[dice.randrange(until)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _block(data: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(len(data))
    return start, min(len(data), start + dice.choice([16, 256, 4096]))


def _zero(data: bytes, dice: random.Random) -> bytes:
    start, stop = _block(data, dice)
    return data[:start] + bytes(stop - start) + data[stop:]


def _noise(data: bytes, dice: random.Random) -> bytes:
    start, stop = _block(data, dice)
    return data[:start] + dice.randbytes(stop - start) + data[stop:]


def _swap(data: bytes, dice: random.Random) -> bytes:
    start, stop = _block(data, dice)
    return data[stop:] + data[start:stop] + data[:start]


def _insert(data: bytes, dice: random.Random) -> bytes:
    start, stop = _block(data, dice)
    return data[:start] + data[start:stop] * 3 + data[stop:]


def _disguised(good: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Each under the suffix of the next one, and under none."""
    for (name, data), (other, _) in zip(good, [*good[1:], good[0]], strict=True):
        yield f"{name} as.{other.rpartition('.')[2]}", data
    yield "no suffix", good[0][1]
    yield "picture.txt", dict(good)["loop.gif"]
    yield "film.m3u8", good[0][1]
    yield "film.exe", good[0][1]
