"""The sound: one rate, one channel, exact in time."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import videoannotator.decode.keeping as keeping
import videoannotator.decode.sound as sound
from videoannotator.data.frames import AudioTrack
from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.time import TimeSpan
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.testing.clips import corrupt_packet, tone, write_clip


def _track(info: MediaInfo, rate: int = 16000, span: TimeSpan | None = None) -> AudioTrack:
    with DecodePass(info, (), [Audio(rate)], span) as decoding:
        assert list(decoding) == []
        assert decoding.decoded == 0
        return decoding.tracks[Audio(rate)]


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_any_rate_keeps_the_time(tmp_path: Path, rate: int) -> None:
    info = probe(write_clip(tmp_path / "a.wav", frames=0, sound=tone(3, 44100, start=1.0), sound_rate=44100))
    track = _track(info, rate)
    assert track.rate == rate
    assert track.samples.dtype == np.float32
    assert not track.samples.flags.writeable
    assert len(track) == pytest.approx(3 * rate, abs=2)
    expected = tone(3, rate, start=1.0)[: len(track)]
    inner = slice(int(1.1 * rate), int(2.9 * rate))
    assert np.abs(track.samples[inner] - expected[inner]).max() < 0.01


def test_same_rate_is_untouched(tmp_path: Path) -> None:
    given = tone(1, 16000)
    track = _track(probe(write_clip(tmp_path / "a.wav", frames=0, sound=given, sound_rate=16000)))
    assert np.abs(track.samples - given).max() < 1 / 32000


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a", "a.mkv", "a.ogg"])
def test_formats(tmp_path: Path, name: str) -> None:
    codec = {"a.ogg": "libopus"}.get(name)
    info = probe(write_clip(tmp_path / name, frames=0, sound=tone(2, 48000, start=1.0), sound_codec=codec))
    track = _track(info)
    assert info.video is None
    assert track.start == pytest.approx(0, abs=0.03)
    begins = track.time(int(np.argmax(np.abs(track.samples) > 0.1)))
    assert begins == pytest.approx(1.0, abs=0.01)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left = tone(1, 16000)
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("pcm_f32le", rate=16000)
        stream.layout = "stereo"
        both = np.stack([2 * left, np.zeros_like(left)]).astype(np.float32)  # full scale on one side
        frame = av.AudioFrame.from_ndarray(both.T.reshape(1, -1).copy(), "flt", "stereo")
        frame.sample_rate = 16000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    info = probe(path)
    assert info.audio is not None
    assert info.audio.channels == 2
    assert np.abs(_track(info).samples - left).max() < 1e-3


def test_spans(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "a.m4a", frames=0, sound=tone(20, 48000, start=10.5)))
    track = _track(info, span=TimeSpan(10.0, 12.0))
    assert track.start == pytest.approx(10.0, abs=1 / 16000)
    assert len(track) == pytest.approx(32000, abs=1)
    assert track.time(int(np.argmax(np.abs(track.samples) > 0.1))) == pytest.approx(10.5, abs=0.01)
    assert len(_track(info, span=TimeSpan(30.0, 31.0))) == 0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_span_sounds_the_same_with_pictures_and_without(tmp_path: Path, name: str) -> None:
    options = {"g": "40"}  # key frames are far apart: reading for pictures begins well before the span
    info = probe(write_clip(tmp_path / name, frames=120, sound=tone(5, 44100), sound_rate=44100, options=options))
    for start in (0.7, 1.9, 2.3, 3.1):
        span = TimeSpan(start, start + 1)
        with DecodePass(info, [Frames()], [Audio(16000)], span) as decoding:
            assert len(list(decoding)) == 25
        alone = _track(info, span=span)
        track = decoding.tracks[Audio(16000)]
        assert track.start == alone.start
        assert np.array_equal(track.samples, alone.samples)


def test_sound_that_starts_late_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", frames=75, sound=tone(2, 48000), sound_start=0.5)
    with DecodePass(probe(path), [Frames(rate=1.0)], [Audio()]) as decoding:
        list(decoding)
    track = decoding.tracks[Audio()]
    assert track.start == pytest.approx(0.5, abs=2e-3)
    assert len(track) == pytest.approx(32000, abs=2)


def _with_hole(path: Path) -> Path:
    """Sound of 1 s, a hole of 1 s, sound of 1 s."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("pcm_s16le", rate=16000)
        stream.layout = "mono"
        for start in (0, 32000):
            for piece in range(start, start + 16000, 1600):
                samples = (tone(0.1, 16000) * 32767).astype(np.int16)[None, :]
                frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 16000, piece, Fraction(1, 16000)
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [16000, 44100])
def test_holes_are_silence_of_the_right_length(tmp_path: Path, rate: int) -> None:
    info = probe(_with_hole(tmp_path / "hole.mkv"))
    track = _track(info, rate)
    assert len(track) == pytest.approx(3 * rate, abs=0.01 * rate)
    loud = np.abs(track.samples) > 0.05
    assert loud[: rate - 50].any()
    assert not loud[rate + 50 : 2 * rate - 50].any()
    assert track.time(2 * rate + int(np.argmax(loud[2 * rate :]))) == pytest.approx(2.0, abs=0.005)
    later = _track(info, rate, TimeSpan(1.5, 2.5))
    assert later.start + int(np.argmax(np.abs(later.samples) > 0.05)) / rate == pytest.approx(2.0, abs=0.005)


def test_several_rates_take_one_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=50, sound="tone", sound_start=0.5)
    decoded: list[int] = []
    real = sound.SoundCollector._add_frame
    monkeypatch.setattr(sound.SoundCollector, "_add_frame", lambda *a: decoded.append(a[1].samples) or real(*a))
    info = probe(path)
    for span in (None, TimeSpan(1.0, 1.7)):
        needs = [Audio(8000), Audio(48000), Audio(16000)]
        decoded.clear()
        with DecodePass(info, [Frames()], needs, span) as decoding:
            assert len(list(decoding)) > 0
        together, once = decoding.tracks, list(decoded)
        assert list(together) == needs
        for need in needs:
            decoded.clear()
            alone = _track(info, need.rate, span)
            assert decoded == once
            assert (together[need].start, together[need].rate) == (alone.start, need.rate)
            assert np.array_equal(together[need].samples, alone.samples)


def test_a_broken_packet_is_silence_and_a_failure(tmp_path: Path) -> None:
    path = corrupt_packet(write_clip(tmp_path / "b.mp4", frames=100, sound="tone"), 60, "audio")
    with DecodePass(probe(path), [Frames(rate=1.0)], [Audio()]) as decoding:
        assert len(list(decoding)) == 4
    (failure,) = decoding.failures
    assert failure.kind == "decode_error"
    assert failure.span is not None
    assert failure.span.start == pytest.approx(60 * 1024 / 48000, abs=0.05)
    assert len(decoding.tracks[Audio()]) == pytest.approx(64000, abs=1024)


def test_long_sound_lies_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_MEMORY", 20000)
    info = probe(write_clip(tmp_path / "a.wav", frames=0, sound=tone(5, 16000), sound_rate=16000))
    track = _track(info)
    assert isinstance(track.samples, np.memmap)
    assert not track.samples.flags.writeable
    assert np.abs(track.samples - tone(5, 16000)).max() < 1 / 32000


def test_sick_times_of_sound_do_not_cut_it(assets: Path) -> None:
    info = probe(assets / "video" / "sitcom_kitchen.avi")  # four packets share each of its times
    track = _track(info)
    assert len(track) == pytest.approx(776 * 1024 / 44100 * 16000, abs=2)


def test_real_sound_is_what_an_independent_reader_reads(assets: Path) -> None:
    path = assets / "audio" / "sample_two_speakers.wav"
    with wave.open(str(path)) as reader:
        samples = np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2") / np.float32(32768)
        track = _track(probe(path), reader.getframerate())
    assert np.array_equal(track.samples, samples)
