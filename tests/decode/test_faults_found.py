"""What damaged and unusual files once did to decoding: each stays mended."""

from __future__ import annotations

import random
import re
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from videoannotator.data.needs import Audio, Frames
from videoannotator.decode.geometry import Orientation
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.pictures import Converter, Look
from videoannotator.decode.probing import probe
from videoannotator.errors import UnreadableMediaError
from videoannotator.testing.clips import read_number, tone, write_clip


def _avi_with_title(path: Path, title: bytes) -> Path:
    data = write_clip(path, frames=5).read_bytes()
    info = b"INFOINAM" + len(title).to_bytes(4, "little") + title + b"\0" * (len(title) % 2)
    at = data.index(b"LIST", 12)
    at = data.index(b"LIST", at + 4 + int.from_bytes(data[at + 4 : at + 8], "little"))
    path.write_bytes(data[:at] + b"LIST" + len(info).to_bytes(4, "little") + info + data[at:])
    return path


def test_a_title_in_latin_1_is_no_reason_to_refuse_a_film(tmp_path: Path) -> None:
    path = _avi_with_title(tmp_path / "clip.avi", "Mütter und Söhne".encode("latin-1"))
    with av.open(str(path), metadata_errors="replace") as container:
        assert container.metadata["title"] == "M\ufffdtter und S\ufffdhne"
    info = probe(path)
    assert info.video is not None
    assert len(info.video.clock) == 5


def test_a_damaged_end_does_not_mix_pictures_and_sound(tmp_path: Path) -> None:
    """Sound is stream 0 and reading breaks off: what the decoder of pictures still holds was taken for sound."""
    path = write_clip(
        tmp_path / "disc.mpg", frames=12, codec="mpeg2video", sound="tone", sound_codec="mp2", container="vob"
    )
    data = path.read_bytes()
    both = 0
    for seed in range(20):
        at = random.Random(seed).randrange(len(data))
        path.write_bytes(data[at + 256 :] + data[at : at + 256] + data[:at])
        info = probe(path)
        if info.video is not None and info.audio is not None:
            both += 1
            with DecodePass(info, [Frames()], [Audio()]) as decoding:
                frames = [picture.frame for picture in decoding]
            assert frames == sorted(set(frames))
    assert both > 5


@pytest.mark.parametrize(("channels", "rate"), [(65, 48000), (1, 1 << 30)])
def test_sound_that_no_recorder_makes_is_no_sound(tmp_path: Path, channels: int, rate: int) -> None:
    """A rate of 1 GHz kept FFmpeg's resampler busy for more than half a minute; it mixes 64 channels at most."""
    path = write_clip(tmp_path / "voice.wav", frames=0, sound=tone(0.2, 48000))
    data = path.read_bytes()
    path.write_bytes(data[:22] + struct.pack("<HIIH", channels, rate, 0, 2 * channels) + data[34:])
    with pytest.raises(UnreadableMediaError, match="neither pictures nor sound"):
        probe(path)


def test_ultrasound_is_sound(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "bat.wav", frames=0, sound=tone(0.2, 500_000), sound_rate=500_000))
    assert info.audio is not None
    with DecodePass(info, audio=[Audio(rate=16000)]) as decoding:
        list(decoding)
    assert decoding.tracks[Audio(rate=16000)].span.duration == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("matrix", range(20))
def test_pictures_come_whatever_is_said_of_their_colours(matrix: int) -> None:
    """Numbers of ISO/IEC 23091-2, the reserved ones too (cameras write 0): FFmpeg refuses to convert many of them."""
    for transfer, primaries in [*((n, 1) for n in range(22)), *((1, n) for n in range(24))]:
        frame = av.VideoFrame.from_ndarray(np.full((24, 16), 128, np.uint8), "yuv420p")
        frame.colorspace, frame.color_trc, frame.color_primaries = matrix, transfer, primaries
        pixels = Converter(Orientation()).pixels(frame, Look(16, 16, "rgb"))
        assert np.abs(pixels.astype(int) - 130).max() < 20


def test_a_film_with_reserved_colours_is_decoded_and_it_is_said(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mov", codec="prores_ks", frames=3, pixel_format="yuv422p10le")
    data = bytearray(path.read_bytes())
    assert not any("of its colours" in notice for notice in probe(path).notices)
    for found in re.finditer(b"icpf", bytes(data)):
        data[found.start() + 18 : found.start() + 21] = bytes([0, 0, 3])  # primaries, transfer, matrix: all reserved
    path.write_bytes(data)
    info = probe(path)
    assert sum("of its colours" in notice for notice in info.notices) == 1
    with DecodePass(info, [Frames()]) as decoding:
        for picture in decoding:
            assert read_number(picture.pixels(0)) == picture.frame
        assert decoding.decoded == 3
