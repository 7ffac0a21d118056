"""Media of many kinds, small and sound; and media whose headers lie."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from videoannotator.testing.clips import tone, write_clip
from videoannotator.testing.hostile_lists import box, changed

__all__ = ["bombs", "lies", "no_media", "odd", "png", "repeated", "sound"]

_CLIPS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"codec": "libx264", "sound": "tone"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=1"}},
    "fragments.mp4": {"sound": "tone", "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "sound": "tone"},
    "phone.3gp": {"codec": "h263", "size": (176, 144)},
    "ffv1.mkv": {"codec": "ffv1", "sound": "tone", "sound_codec": "flac"},
    "vp8.webm": {"codec": "libvpx", "sound": "tone", "sound_codec": "libopus"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mpeg4.avi": {"sound": "tone", "sound_codec": "libmp3lame"},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "sound": "tone", "sound_codec": "adpcm_ms"},
    "mpeg2.ts": {"codec": "mpeg2video", "sound": "tone"},
    "camera.mts": {"codec": "libx264", "sound": "tone", "sound_codec": "ac3", "container": "mpegts"},
    "disc.mpg": {"codec": "mpeg2video", "sound": "tone", "sound_codec": "mp2", "container": "vob"},
    "web.flv": {"codec": "flv1", "sound": "tone", "sound_codec": "libmp3lame", "sound_rate": 44100},
    "windows.wmv": {"codec": "wmv2", "sound": "tone", "sound_codec": "libmp3lame"},
    "studio.mxf": {"codec": "mpeg2video", "sound": "tone", "sound_codec": "pcm_s16le"},
    "tape.dv": {"codec": "dvvideo", "size": (720, 576), "pixel_format": "yuv420p", "frames": 2},
    "loop.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "loop.apng": {"codec": "apng", "pixel_format": "rgb24"},
    "stream.h264": {"codec": "libx264"},
    "stream.ivf": {"codec": "libvpx"},
    "any.nut": {"sound": "tone"},
    "voice.wav": {"frames": 0, "sound": tone(0.5, 48000)},
    "voice.w64": {"frames": 0, "sound": tone(0.5, 48000)},
    "voice.flac": {"frames": 0, "sound": tone(0.5, 48000)},
    "voice.mp3": {"frames": 0, "sound": tone(0.5, 48000)},
    "voice.ogg": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "libopus"},
    "voice.m4a": {"frames": 0, "sound": tone(0.5, 48000), "container": "mp4"},
    "voice.aac": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "aac", "container": "adts"},
    "voice.aiff": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "pcm_s16be"},
    "voice.au": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "pcm_s16be"},
    "voice.caf": {"frames": 0, "sound": tone(0.5, 48000)},
    "raw.y4m": {"codec": "wrapped_avframe"},
    "voice.wv": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "wavpack"},
    "voice.ac3": {"frames": 0, "sound": tone(0.5, 48000), "sound_codec": "ac3"},
}

_ODD: dict[str, dict[str, Any]] = {
    "variable rate.mp4": {"times": [0, 40, 41, 500, 501, 2000], "time_base": Fraction(1, 1000)},
    "upright.mp4": {"rotation": 90, "sound": "tone"},
    "mirrored.mp4": {"rotation": 180, "mirrored": True},
    "odd size.mkv": {"codec": "ffv1", "size": (17, 13), "pixel_format": "yuv444p"},
    "one pixel.mkv": {"codec": "ffv1", "size": (1, 1), "pixel_format": "yuv444p"},
    "flat.mkv": {"codec": "ffv1", "size": (1920, 2), "pixel_format": "yuv444p"},
    "one frame.mp4": {"frames": 1},
    "no sound.mp4": {},
    "wide pixels.mp4": {"codec": "libx264", "sample_aspect_ratio": Fraction(7, 3)},
    "interlaced.mpg": {"codec": "mpeg2video", "interlaced": True, "container": "vob"},
    "late sound.mkv": {"sound": tone(0.3, 48000), "sound_start": 5.0, "sound_codec": "flac"},
    "hole of an hour.mkv": {"times": [0, 1, 3_600_000], "time_base": Fraction(1, 1000)},
    "hole of 100 hours.mkv": {"codec": "ffv1", "times": [0, 1, 360_000_000], "time_base": Fraction(1, 1000)},
    "sound of 8 channels.mkv": {"frames": 0, "sound": np.tile(tone(0.2, 48000), (8, 1)), "sound_codec": "flac"},
    "sound 4 kHz.wav": {"frames": 0, "sound": tone(0.5, 4000), "sound_rate": 4000},
    "sound 192 kHz.wav": {"frames": 0, "sound": tone(0.1, 192000), "sound_rate": 192000},
    "one sample.wav": {"frames": 0, "sound": np.zeros(1, np.float32)},
}


def _clip(folder: Path, name: str, settings: dict[str, Any]) -> bytes:
    path = folder / name
    write_clip(path, **{"frames": 12, **settings})
    data = path.read_bytes()
    path.unlink()
    return data


def sound(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Media of every kind that researchers bring: names with suffix, and content. ``folder``: to work in."""
    for name, settings in _CLIPS.items():
        yield name, _clip(folder, name, settings)


def odd(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Media in good order that are unusual."""
    for name, settings in _ODD.items():
        yield name, _clip(folder, name, settings)


def _put(layout: str, offset: int, *values: int) -> Callable[[bytes], bytes]:
    packed = struct.pack(layout, *values)
    return lambda content: content[:offset] + packed + content[offset + len(packed) :]


_LONG = 360_000
"""Seconds in 100 hours."""

_MOVIE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "lasts 100 hours": ("moov/mvhd", _put(">II", 12, 1, _LONG)),
    "lasts 0": ("moov/mvhd", _put(">I", 16, 0)),
    "ticks of 0": ("moov/mvhd", _put(">I", 12, 0)),
    "track ticks of 0": ("moov/trak/mdia/mdhd", _put(">I", 12, 0)),
    "track lasts forever": ("moov/trak/mdia/mdhd", _put(">II", 12, 1, 2**32 - 1)),
    "shown at 65535 x 65535": ("moov/trak/tkhd", _put(">II", 76, 0xFFFF0000, 0xFFFF0000)),
    "turned by nothing": ("moov/trak/tkhd", _put(">9I", 40, *[0] * 9)),
    "turned by 1 degree": ("moov/trak/tkhd", _put(">9i", 40, 65526, 1143, 0, -1143, 65526, 0, 0, 0, 1 << 30)),
    "stored at 65535 x 65535": ("moov/trak/mdia/minf/stbl/stsd", _put(">HH", 40, 65535, 65535)),
    "stored at 0 x 0": ("moov/trak/mdia/minf/stbl/stsd", _put(">HH", 40, 0, 0)),
    "4 billion descriptions": ("moov/trak/mdia/minf/stbl/stsd", _put(">I", 4, 2**32 - 1)),
    "4 billion times": ("moov/trak/mdia/minf/stbl/stts", _put(">III", 4, 1, 2**32 - 1, 1)),
    "times that overflow": ("moov/trak/mdia/minf/stbl/stts", _put(">III", 4, 1, 12, 2**32 - 1)),
    "4 billion samples of 1 byte": ("moov/trak/mdia/minf/stbl/stsz", _put(">II", 4, 1, 2**32 - 1)),
    "100 million samples of 0 bytes": ("moov/trak/mdia/minf/stbl/stsz", _put(">II", 4, 0, 100_000_000)),
    "samples of 2 GB": ("moov/trak/mdia/minf/stbl/stsz", _put(">II", 4, 2**31 - 1, 12)),
    "samples behind the end": ("moov/trak/mdia/minf/stbl/stco", _put(">II", 4, 1, 2**32 - 16)),
    "samples in the header": ("moov/trak/mdia/minf/stbl/stco", _put(">II", 4, 1, 0)),
    "4 billion chunks": ("moov/trak/mdia/minf/stbl/stsc", _put(">IIII", 4, 2**32 - 1, 1, 2**32 - 1, 1)),
    "no handler": ("moov/trak/mdia/hdlr", _put(">I", 8, 0)),
    "a track that starts in 68 years": ("moov/trak/edts/elst", _put(">IIiI", 4, 1, 2**31 - 1, -1, 65536)),
}


def lies(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Media whose headers say what is not so."""
    movie = _clip(folder, "base.mp4", {"sound": "tone", "sound_codec": "aac"})
    for kind, (path, change) in _MOVIE.items():
        yield f"{kind}.mp4", changed(movie, path, change)
    yield (
        "5 MB that last 100 hours.mp4",
        changed(movie, "moov/mvhd", _MOVIE["lasts 100 hours"][1]) + box(b"free", bytes(5_000_000)),
    )
    deep = b""
    for _ in range(5000):
        deep = box(b"moov", box(b"trak", deep))
    yield "boxes 10000 deep.mp4", movie[:32] + deep
    yield "a box without end.mp4", movie + struct.pack(">I4sQ", 1, b"moov", 2**63)
    yield "a box of no size.mp4", movie[:32] + struct.pack(">I4s", 0, b"moov") + movie[32:]
    yield "headers twice.mp4", movie + movie
    yield "much said about it.mp4", changed(movie, "moov/mvhd", lambda content: content + bytes(5_000_000))
    yield "4 billion in a fragment.mp4", _fragment(_clip(folder, "base.mp4", _CLIPS["fragments.mp4"]))
    wave = _clip(folder, "base.wav", _CLIPS["voice.wav"])
    for kind, change in {
        "4 GB of samples": _put("<I", 40, 2**32 - 1),
        "65535 channels": _put("<H", 22, 65535),
        "no channels": _put("<H", 22, 0),
        "0 samples a second": _put("<I", 24, 0),
        "4 billion samples a second": _put("<I", 24, 2**32 - 1),
        "blocks of 0": _put("<H", 32, 0),
        "65535 bits a sample": _put("<H", 34, 65535),
    }.items():
        yield f"{kind}.wav", change(wave)
    avi = _clip(folder, "base.avi", {})
    at = avi.index(b"avih") + 8
    for kind, change in {
        "65535 x 65535": _put("<II", at + 32, 65535, 65535),
        "4 billion frames": _put("<I", at + 16, 2**32 - 1),
        "4 billion streams": _put("<I", at + 24, 2**32 - 1),
        "a rate of 0": _put("<II", avi.index(b"strh") + 28, 0, 0),
    }.items():
        yield f"{kind}.avi", change(avi)
    matroska = _clip(folder, "base.mkv", {"codec": "ffv1"})
    yield "a segment of all bytes.mkv", matroska.replace(b"\x18\x53\x80\x67\x01", b"\x18\x53\x80\x67\x00", 1)
    yield "255 wide and not.mkv", _matroska_size(matroska)
    yield (
        "a name of 5 MB.mp3",
        b"ID3\x04\0\0" + bytes([2, 49, 22, 64]) + bytes(5_000_000) + _clip(folder, "base.mp3", _CLIPS["voice.mp3"]),
    )


def _fragment(movie: bytes) -> bytes:
    at = movie.index(b"trun") + 8
    return movie[:at] + struct.pack(">I", 2**32 - 1) + movie[at + 4 :]


def _matroska_size(data: bytes) -> bytes:
    """Width and height: EBML elements 0xB0 and 0xBA, of 1 byte each for small pictures."""
    at = data.index(b"\xb0\x81\xa0")
    return data[: at + 2] + b"\xff" + data[at + 3 :]


def png(width: int, height: int) -> bytes:
    """A black picture: as many bytes of zeros as it has pixels, compressed a thousand times."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bombs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Little that becomes much: pictures that a few bytes describe and that need gigabytes."""
    yield "bomb of 8192 x 8192.png", (picture := png(8192, 8192))
    yield "bomb named a film.mp4", picture
    yield "60 frames of 8192 x 8192.avi", repeated(folder / "bomb.avi", picture, 60)
    yield "60 frames of 8192 x 8192.mov", repeated(folder / "bomb.mov", picture, 60)
    screen, image = struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0), struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
    yield "65535 x 65535.gif", b"GIF89a" + screen + bytes(6) + b"," + image + b"\x02\x02\x4c\x01\x00;"
    yield "2 billion x 2 billion.png", _put(">II", 16, 2**31 - 1, 2**31 - 1)(png(8, 8))
    about = struct.pack("<IIHHIIIIII", 65535, 65535, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "65535 x 65535.bmp", b"BM" + struct.pack("<IIII", 99, 0, 54, 40) + about
    jpeg = _clip(folder, "base.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p", "frames": 1})
    jpeg = jpeg[jpeg.index(b"\xff\xd8\xff") :]
    size = jpeg.index(b"\xff\xc0") + 5
    yield "65500 x 65500.jpg", _put(">HH", size, 65500, 65500)(jpeg)
    ivf = _clip(folder, "base.ivf", {"codec": "libvpx", "frames": 3})
    yield "16383 x 16383.ivf", _put("<HH", ivf.index(b"\x9d\x01\x2a") + 3, 16383, 16383)(ivf)
    film = _clip(folder, "base.mpg", {"codec": "mpeg2video", "container": "vob"})
    size = film.index(b"\x00\x00\x01\xb3") + 4
    yield "4095 x 4095.mpg", film[:size] + b"\xff\xff\xff" + film[size + 3 :]
    yield "ten thousand frames of nothing.mov", repeated(folder / "bomb.mov", png(16, 16), 10_000)


def repeated(path: Path, picture: bytes, count: int) -> bytes:
    """A film of one PNG, ``count`` times, each at its own millisecond."""
    size = struct.unpack(">II", picture[16:24])
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("png", rate=1000)
        stream.width, stream.height, stream.pix_fmt = *size, "gray"
        for number in range(count):
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.is_keyframe = Fraction(1, 1000), True
            output.mux(packet)
    data = path.read_bytes()
    path.unlink()
    return data


def no_media() -> Iterator[tuple[str, bytes]]:
    """What is uploaded by mistake, or by malice, under the name of a film."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("film.mp4", bytes(1_000_000))
    yield "nothing.mp4", b""
    yield "one byte.mp4", b"\0"
    yield "zeros.mp4", bytes(100_000)
    yield "ones.mkv", b"\xff" * 100_000
    yield "text.mp4", b"Session 1, mother and child, 12 March.\n" * 100
    yield "umlauts.avi", "Kind lächelt, Mutter spricht\n".encode("latin-1") * 100
    yield "archive.mp4", archive.getvalue()
    yield "program.mkv", b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + bytes(4000)
    yield "windows program.avi", b"MZ\x90\0" + bytes(56) + struct.pack("<I", 128) + bytes(64) + b"PE\0\0" + bytes(2000)
    yield "document.mp4", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    yield "page.mp4", b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    yield "table.webm", b"subject;age\n1;3\n2;4\n" * 50
    yield "database.mp4", b"SQLite format 3\0" + bytes(4080)
    yield "pickle.mp4", b"\x80\x04\x95\x1e\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
    yield "script.mp4", b"#!/bin/sh\ntouch owned\n"
    yield "head of an mp4.mp4", box(b"ftyp", b"isom" + bytes(4) + b"isom")
    yield "empty movie.mp4", box(b"ftyp", b"isom" + bytes(4) + b"isom") + box(b"moov", b"")
    yield "head of a mkv.mkv", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska"
    yield "head of an avi.avi", b"RIFF\xff\xff\xff\xffAVI LIST"
    wave = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    yield "head of a wav.wav", b"RIFF\x24\0\0\0WAVEfmt " + wave + b"data\0\0\0\0"
    yield "head of a flv.flv", b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
    yield "head of an ogg.ogg", b"OggS\0\x02" + bytes(20) + b"\x01\x1e\x01vorbis"
