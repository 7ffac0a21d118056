"""Small real videos, made on the spot: for tests of the library and of plugins.

Every frame carries its number in its pixels, so that a test can check that the right frame came::

    from videoannotator.testing.clips import read_number, write_clip

    path = write_clip(tmp_path / "clip.mp4", frames=50, rate=25, rotation=90, sound="tone")
    info = va.probe(path)
    ...
    assert read_number(picture.pixels(0)) == picture.frame

A picture as shown: its upper half holds 12 black or white columns, the bits of its number, highest first; its lower
half is red on the left and blue on the right. All codecs are those of PyAV's wheels.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from videoannotator.decode.opening import open_media
from videoannotator.decode.reading import audio_stream, packets, video_stream

__all__ = ["BITS", "chords", "corrupt_packet", "draw", "read_number", "tone", "truncate", "write_clip"]

BITS = 12
"""How many bits the frame number has: numbers go up to 4095."""

_SOUND_CODECS = {".mp4": "aac", ".m4a": "aac", ".mov": "pcm_s16le", ".ts": "mp2", ".mp3": "libmp3lame", ".flac": "flac"}
_CHUNK = 1024
_LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}


def draw(number: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """The picture of frame ``number`` as shown: uint8, (height, width, 3), RGB."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    column = np.arange(width) * BITS // width
    picture[: height // 2] = np.where((number >> (BITS - 1 - column)) & 1, 255, 0)[None, :, None]
    picture[height // 2 :, : width // 2] = (200, 30, 30)
    picture[height // 2 :, width // 2 :] = (30, 30, 200)
    return picture


def read_number(pixels: NDArray[np.uint8]) -> int:
    """The frame number in a decoded picture of any size: uint8, (height, width, 3) in any channel order, or gray."""
    gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    height, width = gray.shape
    rows = gray[height // 8 : max(height // 8 + 1, height * 3 // 8)]
    centres = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return int(sum(1 << (BITS - 1 - bit) for bit, x in enumerate(centres) if rows[:, x].mean() > 127))


def tone(seconds: float, rate: int = 16000, *, frequency: float = 440.0, start: float = 0.0) -> NDArray[np.float32]:
    """A sine of amplitude 0.5, silent before ``start`` seconds: float32, (samples,)."""
    time = np.arange(round(seconds * rate)) / rate
    return np.where(time >= start, 0.5 * np.sin(2 * np.pi * frequency * time), 0.0).astype(np.float32)


def chords(seconds: float, rate: int = 16000) -> NDArray[np.float32]:
    """Music without a voice: a cadence of four chords, two a second, each tone with five overtones that die away;
    amplitude 0.5 at most: float32, (samples,).
    """
    time = np.arange(round(seconds * rate)) / rate
    since, sound = time % 0.5, np.zeros(time.size)
    cadence = np.array([[0, 4, 7], [5, 9, 12], [7, 11, 14], [0, 4, 7]])  # semitones: I, IV, V, I
    for tones in range(3):
        pitch = 261.63 * 2 ** (cadence[(time // 0.5).astype(int) % 4, tones] / 12)
        for overtone in range(1, 6):
            sound += np.sin(2 * np.pi * overtone * pitch * since) / overtone * np.exp(-3 * since)
    return (0.5 * sound / max(1e-9, float(np.abs(sound).max(initial=0)))).astype(np.float32)


def write_clip(
    path: str | PathLike[str],
    *,
    frames: int = 25,
    rate: Fraction | int = 25,
    times: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    size: tuple[int, int] = (160, 120),
    codec: str = "mpeg4",
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    rotation: Literal[0, 90, 180, 270] = 0,
    mirrored: bool = False,
    sample_aspect_ratio: Fraction | None = None,
    interlaced: bool = False,
    transfer: int | None = None,
    sound: NDArray[np.float32] | Literal["tone", "silence"] | None = None,
    sound_rate: int = 48000,
    sound_start: float = 0.0,
    sound_hole: tuple[float, float] | None = None,
    sound_layout: str | None = None,
    sound_codec: str | None = None,
    container: str | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a clip and return its path. The suffix chooses the container (``.mp4``, ``.mkv``, ``.avi``, ``.ts``, ...).

    ``times``: presentation times in ticks of ``time_base``, strictly increasing, for a variable rate or a late start;
    else ``frames`` frames at ``rate``. ``size``: width and height as stored. ``codec``: ``mpeg4``, ``libx264``,
    ``libx265``, ``ffv1``, ``mjpeg``, ... with the encoder's ``options``. ``rotation`` (degrees clockwise) and
    ``mirrored``: what a player has to do, in this order; pictures are stored the other way round, as a phone held
    upright does, so that they are shown as `draw` made them. ``transfer``: FFmpeg's number of the transfer function
    (16 = PQ, 18 = HLG).
    ``sound``: samples, float32 (samples,) or (channels, samples), or a tone or silence as long as the pictures;
    ``sound_start``: its time in seconds. ``sound_hole``: a stretch of it, in seconds from its start, that is left out,
    so that what comes after keeps its time. ``sound_layout``: FFmpeg's name of the channels' layout (``"5.1"``,
    ``"9C"`` for nine that are nowhere); else the usual one of so many. ``frames=0`` writes sound only.
    """
    path = Path(path)
    base = time_base or Fraction(1) / Fraction(rate)
    ticks = list(times) if times is not None else list(range(frames))
    length = float((ticks[-1] + 1) * base) if ticks else 1.0
    with av.open(str(path.absolute()), "w", format=container, options=dict(container_options or {})) as output:
        stream: Any = None
        if ticks:
            stream = output.add_stream(codec, rate=Fraction(rate), options=dict(options or {}))
            stream.width, stream.height = size
            stream.pix_fmt = pixel_format
            stream.time_base = stream.codec_context.time_base = base
            if sample_aspect_ratio is not None:
                stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
            if rotation or mirrored:
                stream.set_display_rotation(-rotation, hflip=mirrored)
            if transfer is not None:
                stream.codec_context.color_trc = transfer
            if interlaced:
                stream.codec_context.flags |= 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT, _ME
        voice: Any = None
        samples = None if sound is None else _samples(sound, length, sound_rate)
        if samples is not None:
            voice = output.add_stream(sound_codec or _SOUND_CODECS.get(path.suffix, "pcm_s16le"), rate=sound_rate)
            voice.layout = sound_layout or _LAYOUTS[len(samples)]
        for number, tick in enumerate(ticks):
            frame = _stored(number, size, rotation, mirrored).reformat(format=pixel_format)
            frame.pts, frame.time_base = tick, base
            if transfer is not None:
                frame.color_trc = transfer
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
        if samples is not None:
            for begin, part in _without(samples, sound_hole, sound_rate):
                _write_sound(output, voice, part, sound_start + begin)
            output.mux(voice.encode(None))
    return path


def _stored(number: int, size: tuple[int, int], rotation: int, mirrored: bool) -> av.VideoFrame:
    shown = draw(number, *(size[::-1] if rotation in (90, 270) else size))
    stored = np.rot90(shown[:, ::-1] if mirrored else shown, rotation // 90)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), "rgb24")


def _samples(sound: NDArray[np.float32] | str, length: float, rate: int) -> NDArray[np.float32]:
    """(channels, samples)."""
    if isinstance(sound, np.ndarray):
        return sound if sound.ndim == 2 else sound[None, :]
    return (tone(length, rate) if sound == "tone" else np.zeros(round(length * rate), dtype=np.float32))[None, :]


def _without(
    samples: NDArray[np.float32], hole: tuple[float, float] | None, rate: int
) -> list[tuple[float, NDArray[np.float32]]]:
    """What comes before and after the hole, each with its time in seconds."""
    if hole is None:
        return [(0.0, samples)]
    first, last = round(hole[0] * rate), round(hole[1] * rate)
    return [(0.0, samples[:, :first]), (last / rate, samples[:, last:])]


def _write_sound(output: Any, voice: Any, samples: NDArray[np.float32], start: float) -> None:
    if not samples.size:
        return
    rate, layout = voice.rate, voice.layout
    resampler = av.AudioResampler(format=voice.format, layout=layout, rate=rate, frame_size=voice.frame_size or _CHUNK)
    packed = np.ascontiguousarray(samples.T, dtype=np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout.name)
    frame.sample_rate = rate
    frame.pts, frame.time_base = round(start * rate), Fraction(1, rate)
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        if piece is not None:  # what PyAV gives for the end of a sound that needs no converting
            output.mux(voice.encode(piece))


def truncate(path: str | PathLike[str], keep: float) -> Path:
    """Cut the file off: keep its first ``keep`` bytes, or that part of it when ``keep`` is below 1."""
    path = Path(path)
    data = path.read_bytes()
    path.write_bytes(data[: round(keep if keep >= 1 else keep * len(data))])
    return path


def corrupt_packet(path: str | PathLike[str], index: int, stream: Literal["video", "audio"] = "video") -> Path:
    """Overwrite packet ``index`` (in file order) of a stream with noise. The container around it stays intact."""
    path = Path(path)
    with open_media(path) as container:
        chosen = video_stream(container) if stream == "video" else audio_stream(container)
        packet = next(p for n, p in enumerate(packets(container, chosen)) if n == index)
        payload, where = bytes(packet), packet.pos or 0
    data = bytearray(path.read_bytes())
    where = data.index(payload, where)
    noise = random.Random(index).randbytes(len(payload))
    data[where : where + len(payload)] = noise
    path.write_bytes(data)
    return path
