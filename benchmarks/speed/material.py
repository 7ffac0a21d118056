"""The videos that are measured: real people, real cuts and real speech, put together from the test material.

Every shot is a few seconds of one of its videos, all their frames once, at 25 frames per second; what is heard is its
speech recordings one after the other. Longer videos repeat the packets of a short one with later times. A file is made
once: its name carries a hash of everything that decides its content.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Audio, Frames
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe

__all__ = ["ASSETS", "RATE", "Material", "longer", "material"]

ASSETS = Path(os.environ.get("VIDEOANNOTATOR_TEST_ASSETS", Path(__file__).parents[2] / "../shared/assets")).resolve()
BUILD = Path(__file__).parents[2] / "build" / "benchmarks"
RATE = 25
"""Frames per second."""

_SOURCES = (
    "video/speech_on_stage.mp4",
    "pets/PETS09-S2L1.avi",
    "video/face_expressions.mp4",
    "video/people_walking.mp4",
    "video/caregiver_infant.mp4",
    "video/sitcom_kitchen.avi",
)
_SPEECH = ("audio/jfk.flac", "audio/sample_two_speakers.wav", "audio/ami_trn05.wav", "audio/ami_dev00.wav")
_SHOT = 100  # frames, 4 s
_SHORTEST = 25  # frames: what is left of a video is no shot below that
_SOUND_RATE = 48000  # two minutes of it are a whole number of AAC's packets
_PAUSE = 1.5  # seconds of silence between two recordings
_AAC = 1024  # samples in a packet


@attrs.frozen
class Material:
    """A video. ``cuts``: the frames that open a shot by our own doing; the sources have cuts of their own, too.

    ``frames``: how many. ``copies``: how often the cuts and the frames are repeated.
    """

    path: Path
    frames: int
    cuts: tuple[int, ...]
    copies: int = 1

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames * self.copies / RATE


def material(minutes: float, size: tuple[int, int] = (1280, 720), folder: Path = BUILD) -> Material:
    """A video of that length, H.264 and AAC in MP4; ``size``: width and height of its pictures."""
    frames = round(minutes * 60 * RATE)
    made = _key([frames, size])
    path = folder / f"people_{size[1]}p_{minutes:g}min_{made}.mp4"
    note = path.with_suffix(".json")
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        working = path.with_suffix(".part.mp4")
        cuts = _write(working, frames, size)
        working.replace(path)
        note.write_text(json.dumps(cuts), encoding="utf-8")
    return Material(path, frames, tuple(json.loads(note.read_text(encoding="utf-8"))))


def longer(short: Material, copies: int) -> Material:
    """The same again and again, without coding anything anew."""
    if copies == 1:
        return short
    path = short.path.with_stem(f"{short.path.stem}_x{copies}")
    if not path.exists():
        working = path.with_suffix(".part.mp4")
        _repeat(short, working, copies)
        working.replace(path)
    return attrs.evolve(short, path=path, copies=copies)


def _key(what: Sequence[Any]) -> str:
    told = hashlib.sha256(json.dumps(what).encode())
    for file in (Path(__file__), *(ASSETS / name for name in (*_SOURCES, *_SPEECH))):
        told.update(hashlib.sha256(file.read_bytes()).digest())
    return told.hexdigest()[:12]


def _write(path: Path, frames: int, size: tuple[int, int]) -> list[int]:
    """Write a video; returns its cuts."""
    cuts: list[int] = []
    with av.open(str(path.absolute()), "w") as output:
        # a key frame every ten seconds, as x264 has it by itself
        stream: Any = output.add_stream("libx264", rate=RATE, options={"preset": "fast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, RATE)
        voice: Any = output.add_stream("aac", rate=_SOUND_RATE)
        voice.layout = "mono"
        sound = iter(_encoded(voice, _speech(frames / RATE)))
        for number, (opens, picture) in enumerate(islice(_shots(size), frames)):
            if opens and number:
                cuts.append(number)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
            for packet in islice(sound, 2):  # about as much as there are pictures, so that they lie side by side
                output.mux(packet)
        output.mux(stream.encode(None))
        for packet in sound:
            output.mux(packet)
    return cuts


def _shots(size: tuple[int, int]) -> Iterator[tuple[bool, NDArray[np.uint8]]]:
    """Pictures without end, and whether a shot begins with them."""
    reading = {name: _pictures(ASSETS / name, size) for name in _SOURCES}
    for name in cycle(_SOURCES):
        shot = list(islice(reading[name], _SHOT))
        if len(shot) < _SHORTEST:
            reading[name] = _pictures(ASSETS / name, size)
            shot = list(islice(reading[name], _SHOT))
        for number, picture in enumerate(shot):
            yield number == 0, picture


def _pictures(path: Path, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """All pictures of a video, as large as they can be in ``size``, in the middle, black around them."""
    media = probe(path)
    assert media.video is not None  # noqa: S101 - they are videos
    scale = min(size[0] / media.video.width, size[1] / media.video.height)
    width, height = round(media.video.width * scale), round(media.video.height * scale)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    with DecodePass(media, [Frames(width=width, height=height)]) as decoding:
        for picture in decoding:
            whole = np.zeros((size[1], size[0], 3), dtype=np.uint8)
            whole[top : top + height, left : left + width] = picture.pixels(0)
            yield whole


def _speech(seconds: float) -> NDArray[np.float32]:
    parts: list[NDArray[np.float32]] = []
    length = 0
    for name in cycle(_SPEECH):
        if length >= seconds * _SOUND_RATE:
            break
        need = Audio(rate=_SOUND_RATE)
        with DecodePass(probe(ASSETS / name), audio=[need]) as decoding:
            list(decoding)
        parts += [decoding.tracks[need].samples, np.zeros(round(_PAUSE * _SOUND_RATE), dtype=np.float32)]
        length += sum(part.size for part in parts[-2:])
    whole = np.concatenate(parts)[: round(seconds * _SOUND_RATE)]
    whole[-round(_PAUSE * _SOUND_RATE) :] = 0  # readers differ in what they make of the last packet, which is filled up
    return whole


def _encoded(voice: Any, samples: NDArray[np.float32]) -> Iterator[Any]:
    for first in range(0, samples.size, _AAC):
        frame = av.AudioFrame.from_ndarray(samples[None, first : first + _AAC], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _SOUND_RATE, first, Fraction(1, _SOUND_RATE)
        yield from voice.encode(frame)
    yield from voice.encode(None)


def _repeat(short: Material, path: Path, copies: int) -> None:
    """Write the packets of a video ``copies`` times, each time later by its length."""
    with av.open(str(path.absolute()), "w") as output:
        for number in range(copies):
            with av.open(str(short.path)) as source:
                if not number:
                    targets = {stream.index: output.add_stream_from_template(stream) for stream in source.streams}
                for packet in _in_time(source.demux(), first=number == 0):
                    later = round(number * short.frames / Fraction(RATE) / packet.time_base)
                    packet.pts, packet.dts = packet.pts + later, packet.dts + later
                    packet.stream = targets[packet.stream_index]
                    output.mux(packet)


def _in_time(packets: Iterable[Any], *, first: bool) -> Iterator[Any]:
    """Packets that hold something; without the sound before the beginning, which is for the decoder to settle."""
    for packet in packets:
        if packet.size and (first or packet.stream.type == "video" or packet.pts >= 0):
            yield packet
