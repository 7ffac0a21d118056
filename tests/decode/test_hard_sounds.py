"""Sounds that are missing, odd, early, late, damaged, of many channels or hardly there: defined, and at their time.

How exact the times are is the container's business: a sample where it counts in samples (WAV, FLAC, MP4, MOV), a
millisecond in Matroska and WebM, a tick of 1/90000 s in MPEG-TS; AVI and raw streams know no delay of the encoder, so
all of such a sound is late by it (25 ms for MP3, 21 ms for AAC). The tests hold each to that.
"""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import videoannotator.decode.keeping as keeping
from videoannotator.data.frames import AudioTrack
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.time import TimeSpan
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.decode.sound import SoundCollector
from videoannotator.errors import NoAudioError, UnreadableMediaError
from videoannotator.testing.clips import chords, corrupt_packet, read_number, tone, write_clip

WHOLE = TimeSpan(0.0, 1e6)


def heard(path: Path, rate: int = 16000, span: TimeSpan | None = None) -> tuple[AudioTrack, Coverage]:
    """The sound alone, and where it is some."""
    track, coverage, failures = damaged(path, rate, span)
    assert failures == ()
    return track, coverage


def damaged(
    path: Path, rate: int = 16000, span: TimeSpan | None = None
) -> tuple[AudioTrack, Coverage, tuple[Failure, ...]]:
    """The same of a file that is not as it should be, and what is said of it."""
    need = Audio(rate)
    with DecodePass(probe(path), (), [need], span) as decoding:
        assert list(decoding) == []
    return decoding.tracks[need], decoding.heard[need], decoding.failures


def onset(track: AudioTrack) -> float:
    """When a tone that begins is heard first, in seconds of the file."""
    return track.time(int(np.argmax(np.abs(track.samples) > 0.1)))


def full(seconds: float, rate: int, channels: int = 1, amplitude: float = 1.0) -> NDArray[np.float32]:
    """One sine in all channels: (channels, samples)."""
    return np.tile(2 * amplitude * tone(seconds, rate), (channels, 1)).astype(np.float32)


# ---- where it begins


@pytest.mark.parametrize(
    ("name", "codec", "exact"),
    [
        ("a.mp4", "aac", 1e-3),
        ("a.mp4", "libopus", 1e-3),
        ("a.mov", "pcm_s16le", 1e-4),
        ("a.mkv", "flac", 1e-3),
        ("a.mkv", "libmp3lame", 1e-3),
        ("a.webm", "libopus", 1e-3),
        ("a.ts", "ac3", 1e-3),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.5])
def test_sound_is_where_the_pictures_say(tmp_path: Path, name: str, codec: str, exact: float, start: float) -> None:
    """The encoder's delay is the container's to tell, and told it is: a tone begins with the picture it belongs to."""
    path = write_clip(
        tmp_path / name, frames=50, codec="libvpx" if name == "a.webm" else "mpeg4",
        sound=tone(2, 48000, start=1.0), sound_rate=48000, sound_codec=codec, sound_start=start,
    )  # fmt: skip
    with DecodePass(probe(path), [Frames()], [Audio(48000)]) as decoding:
        shown = {read_number(picture.pixels(0)): picture.time for picture in decoding}
    track = decoding.tracks[Audio(48000)]
    at = shown[0] + 1 + start
    assert onset(track) == pytest.approx(at, abs=exact + 5 / 48000)
    assert track.start == pytest.approx(shown[0] + start, abs=0.03)  # within a frame of the codec
    assert min(shown[0], track.start) == pytest.approx(0, abs=0.007)
    assert decoding.heard == {Audio(48000): Coverage((track.span,))}
    assert track.span.end <= decoding.media.duration


def test_mp3_is_without_the_delay_of_its_encoder(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mp3", frames=0, sound=tone(2, 44100, start=1.0), sound_rate=44100, sound_codec="libmp3lame"
    )
    track, _ = heard(path, 44100)
    assert track.start == 0
    assert onset(track) == pytest.approx(1.0, abs=2e-4)
    assert len(track) == pytest.approx(2 * 44100, abs=2)


def test_sound_before_the_picture_begins_the_file(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mkv", times=range(500, 1500, 40), time_base=Fraction(1, 1000), sound=tone(2, 16000, start=0.5),
        sound_rate=16000,
    )  # fmt: skip
    info = probe(path)
    assert info.video is not None
    assert info.video.clock.times[0] == pytest.approx(0.5)
    track, coverage = heard(path)
    assert track.start == 0
    assert onset(track) == pytest.approx(0.5, abs=2e-3)
    assert coverage.duration == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("seconds", [0.4, 2.0])
def test_shorter_and_longer_than_the_picture(tmp_path: Path, seconds: float) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=25, sound=tone(seconds, 48000))
    info = probe(path)
    track, coverage = heard(path)
    assert info.duration == pytest.approx(max(1.0, seconds), abs=0.03)
    assert (track.start, track.span.end) == (0.0, pytest.approx(seconds, abs=0.03))
    assert coverage.spans == (track.span,)
    late, nothing = heard(path, span=TimeSpan(seconds + 0.1, seconds + 0.2))
    assert (len(late), late.start, nothing.spans) == (0, seconds + 0.1, ())


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.2), (0.2, 0.7), (0.0, 0.6)])
def test_spans_before_and_around_a_late_start(tmp_path: Path, start: float, end: float) -> None:
    path = write_clip(tmp_path / "a.mov", frames=25, sound=tone(1, 16000), sound_rate=16000, sound_start=0.5)
    track, coverage = heard(path, span=TimeSpan(start, end))
    assert coverage.duration == pytest.approx(max(0.0, end - 0.5))
    assert len(track) == pytest.approx(16000 * max(0.0, end - 0.5), abs=1)
    assert track.start == pytest.approx(0.5 if len(track) else start)


# ---- holes and damage


def holed(folder: Path) -> Path:
    """A tone of 3 s with nothing between 1 s and 2 s."""
    return write_clip(
        folder / "hole.mkv", frames=0, sound=tone(3, 16000), sound_rate=16000, sound_hole=(1.0, 2.0)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("span", "covered"),
    [
        (TimeSpan(0.0, 3.0), [(0.0, 1.0), (2.0, 3.0)]),
        (TimeSpan(0.5, 1.5), [(0.5, 1.0)]),
        (TimeSpan(1.2, 1.4), []),
        (TimeSpan(1.5, 2.5), [(2.0, 2.5)]),
        (TimeSpan(1.2, 9.0), [(2.0, 3.0)]),
    ],
)
def test_a_hole_is_silence_and_not_covered(tmp_path: Path, span: TimeSpan, covered: list[tuple[float, float]]) -> None:
    whole, _ = heard(holed(tmp_path))
    track, coverage = heard(tmp_path / "hole.mkv", span=span)
    assert track.start == pytest.approx(span.start)
    assert track.span.end == pytest.approx(min(span.end, 3.0), abs=2e-3)
    assert [(s.start, s.end) for s in coverage.spans] == [pytest.approx(pair, abs=2e-3) for pair in covered]
    first = round(track.start * 16000)
    assert np.array_equal(track.samples, whole.samples[first : first + len(track)])


def test_a_hole_of_hours_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some broadcast recordings jump by a day; 30 hours at 16 kHz are 7 GB."""
    monkeypatch.setattr(keeping, "_MEMORY", 16000)
    path = write_clip(
        tmp_path / "h.mkv", frames=0, sound=full(2, 8000), sound_rate=8000, sound_codec="flac"
    )  # fmt: skip
    info = probe(path)
    collector = SoundCollector([16000], WHOLE, 0.0, 0.0, 110_000.0)
    with DecodePass(info) as reader:
        packets = list(reader._container.demux(audio=0))
    half = len(packets) // 2
    for number, packet in enumerate(packets):
        if number >= half and packet.pts is not None:
            packet.pts += 108_000_000  # of 1/1000 s
        collector.add(packet)
    collector.finish()
    track = collector.track(16000)
    assert isinstance(track.samples, np.memmap)
    assert len(track) == pytest.approx(16000 * 108_002, abs=2000)
    ends = np.abs(track.samples[:8000]).max(), np.abs(track.samples[-8000:]).max()
    assert ends == (pytest.approx(1, abs=0.02), pytest.approx(1, abs=0.02))
    assert collector.coverage(16000, track).duration == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("number", [0, 20, 45])
def test_a_broken_packet_does_not_move_what_comes_after(tmp_path: Path, number: int) -> None:
    """Also where it is shorter than the rounding of times, and where nothing comes after it."""
    path = write_clip(tmp_path / "b.mp4", frames=25, sound=tone(1, 48000, start=0.7), sound_codec="aac")
    corrupt_packet(path, number, "audio")
    track, coverage, failures = damaged(path)
    lost = [failure.span for failure in failures if failure.span is not None]
    assert len(lost) == int(number > 0)  # the first holds what the encoder puts before the sound
    assert onset(track) == pytest.approx(0.7, abs=0.003)
    assert track.span.end == pytest.approx(1.0, abs=0.022)
    for span in lost:
        assert coverage.within(span).duration == pytest.approx(0, abs=0.003)


def test_samples_that_are_no_numbers_are_silence_and_a_failure(tmp_path: Path) -> None:
    samples = tone(1, 48000)
    samples[24000:24480], samples[40000] = np.nan, np.inf
    path = write_clip(
        tmp_path / "nan.wav", frames=0, sound=samples, sound_rate=48000, sound_codec="pcm_f32le"
    )  # fmt: skip
    track, coverage, (first, second) = damaged(path)
    assert np.isfinite(track.samples).all()
    assert len(track) == 16000
    assert (first.kind, second.kind) == ("decode_error", "decode_error")
    assert "no numbers" in first.message
    assert (first.span, second.span) == (near(0.5, 0.51), near(40000 / 48000, 40000 / 48000))
    assert coverage.duration == pytest.approx(0.986, abs=0.006)
    kept = np.abs(track.samples - tone(1, 16000))
    assert kept[100:7900].max() < 0.01
    assert kept[8300:13200].max() < 0.01


def near(start: float, end: float) -> object:
    """A span that is this one within 3 ms, which is how far the resampler's filter reaches."""

    class Near:
        def __eq__(self, other: object) -> bool:
            return isinstance(other, TimeSpan) and abs(other.start - start) < 3e-3 and abs(other.end - end) < 3e-3

        __hash__ = None  # type: ignore[assignment]

    return Near()


# ---- channels, rates, loudness


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mkv"])
def test_96_khz_and_six_channels(tmp_path: Path, name: str) -> None:
    """FFmpeg's matrix for 5.1: the centre counts most, the low-frequency channel not at all, all together 1."""
    weights = []
    codec = "pcm_s24le" if name == "a.wav" else "flac"
    for channel in range(6):
        samples = np.zeros((6, 96000), dtype=np.float32)
        samples[channel] = 2 * tone(1, 96000)
        path = write_clip(
            tmp_path / f"{channel}{name}", frames=0, sound=samples, sound_rate=96000, sound_codec=codec
        )  # fmt: skip
        info = probe(path)
        assert info.audio is not None
        assert (info.audio.channels, info.audio.sample_rate) == (6, 96000)
        track, _ = heard(path)
        assert len(track) == 16000
        weights.append(float(np.abs(track.samples[1000:-1000]).max()))
    half = np.sqrt(0.5)
    expected = np.array([half, half, 1, 0, 0.5, 0.5])  # left, right, centre, LFE, surround left and right
    assert weights == pytest.approx((expected / expected.sum()).tolist(), abs=0.002)


@pytest.mark.parametrize("layout", ["mono", "stereo", "3.0", "quad", "5.1", "7.1", "7C", "9C", "16C", "17C"])
def test_full_channels_stay_full_and_are_not_clipped(tmp_path: Path, layout: str) -> None:
    """All channels at full scale give full scale, from one microphone to an array of seventeen that are nowhere."""
    count = {"mono": 1, "stereo": 2, "3.0": 3, "quad": 4, "5.1": 6, "7.1": 8}.get(layout) or int(layout[:-1])
    path = write_clip(
        tmp_path / "a.wav", frames=0, sound=full(0.5, 16000, count), sound_rate=16000, sound_layout=layout
    )
    track, _ = heard(path)
    assert len(track) == 8000
    assert np.abs(track.samples - full(0.5, 16000)[0]).max() < 1e-3
    assert np.abs(track.samples).max() <= 1


def test_channels_without_a_place_are_averaged(tmp_path: Path) -> None:
    samples = np.stack([(n + 1) / 10 * 2 * tone(0.5, 16000) for n in range(9)])
    path = write_clip(tmp_path / "a.wav", frames=0, sound=samples, sound_rate=16000, sound_layout="9C")
    track, _ = heard(path)
    assert np.abs(track.samples - samples.mean(axis=0)).max() < 1e-3


def test_what_is_clipped_stays_as_it_is(tmp_path: Path) -> None:
    """A file of whole numbers says no more than full scale; one of floats that says more is not cut."""
    loud = 3 * tone(0.5, 16000)
    more = {"frames": 0, "sound": loud, "sound_rate": 16000}
    clipped, _ = heard(write_clip(tmp_path / "a.wav", **more))  # type: ignore[arg-type]  # mypy takes one type for all
    assert np.abs(clipped.samples - np.clip(loud, -1, 1)).max() < 1e-3
    kept, _ = heard(write_clip(tmp_path / "b.wav", sound_codec="pcm_f32le", **more))  # type: ignore[arg-type]  # the same
    assert np.abs(kept.samples - loud).max() < 1e-6


@pytest.mark.parametrize("rate", [8000, 11025, 96000])
def test_rates(tmp_path: Path, rate: int) -> None:
    path = write_clip(tmp_path / "a.wav", frames=0, sound=tone(1, rate), sound_rate=rate)
    for wanted in (8000, 16000, 48000):
        track, coverage = heard(path, wanted)
        assert len(track) == pytest.approx(wanted, abs=1)
        assert coverage.duration == pytest.approx(1, abs=1e-4)
        inner = slice(wanted // 50, -wanted // 50)
        assert np.abs(track.samples[inner] - tone(1, wanted)[: len(track)][inner]).max() < 0.01


@pytest.mark.parametrize(("codec", "form"), [("aac", "adts"), ("ac3", "ac3"), ("mp2", "mp2")])
@pytest.mark.parametrize("second", [("stereo", 48000), ("mono", 44100)])
def test_layout_and_rate_change_on_the_way(tmp_path: Path, codec: str, form: str, second: tuple[str, int]) -> None:
    """Broadcasts go from stereo to mono and back; recordings are joined byte by byte."""
    parts = []
    for number, (layout, rate) in enumerate((("mono", 48000), second)):
        samples = full(1, rate, 2 if layout == "stereo" else 1, 0.5)
        part = tmp_path / f"{number}.raw"
        write_clip(part, frames=0, sound=samples, sound_rate=rate, sound_codec=codec, container=form)
        parts.append(part.read_bytes())
    path = tmp_path / f"joined.{codec}"
    path.write_bytes(b"".join(parts))
    track, _ = heard(path)
    assert track.span.end == pytest.approx(2.0, abs=0.07)  # raw streams have the encoder's delay in front of each
    loud = np.sqrt((track.samples.astype(float)[:31000].reshape(31, 1000) ** 2).mean(axis=1))
    steady = [level for n, level in enumerate(loud) if n not in (0, 15, 16, 17)]
    assert steady == pytest.approx([0.5 / np.sqrt(2)] * len(steady), abs=0.02)


# ---- hardly anything, or nothing


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("count", [1, 2, 10, 480])
def test_a_few_samples(tmp_path: Path, name: str, count: int) -> None:
    """FFmpeg's resampler gives nothing at all for fewer than about 16 samples."""
    path = write_clip(
        tmp_path / name, frames=0, sound=np.full(count, 0.5, dtype=np.float32), sound_rate=48000,
        sound_codec="flac" if name == "a.flac" else None,
    )  # fmt: skip
    track, coverage = heard(path)
    assert len(track) == max(1, count // 3)
    assert track.samples == pytest.approx(0.5, abs=0.05)
    assert count / 48000 - 1 / 16000 <= coverage.duration <= count / 48000 + 1e-9
    same, _ = heard(path, 48000)
    assert same.samples.tolist() == [0.5] * count


@pytest.mark.parametrize("name", ["e.mp4", "e.mkv", "e.mov"])
def test_a_sound_stream_without_sound_is_no_sound(tmp_path: Path, name: str) -> None:
    info = probe(write_clip(tmp_path / name, frames=5, sound=np.zeros(0, dtype=np.float32)))
    assert info.audio is None
    with pytest.raises(NoAudioError):
        DecodePass(info, (), [Audio()])


def test_silence_and_music_are_sound(tmp_path: Path) -> None:
    silence, coverage = heard(write_clip(tmp_path / "s.mp4", frames=25, sound="silence"))
    assert coverage.duration == pytest.approx(1, abs=0.03)
    assert not silence.samples.any()
    music = chords(2.0, 48000)
    assert np.abs(music).max() == pytest.approx(0.5)
    track, _ = heard(write_clip(tmp_path / "m.flac", frames=0, sound=music))
    assert np.abs(track.samples).max() == pytest.approx(0.5, abs=0.05)
    assert len(chords(0.0)) == 0


def test_an_empty_wav_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
    with pytest.raises(UnreadableMediaError):
        probe(path)


# ---- what holds for all


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 6000),
    st.sampled_from([8000, 16000, 44100]),
    st.sampled_from([8000, 16000, 48000]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=3),
)
def test_spans_of_a_sound_are_parts_of_it(
    tmp_path_factory: pytest.TempPathFactory, count: int, rate: int, wanted: int, cuts: list[tuple[float, float]]
) -> None:
    path = tmp_path_factory.mktemp("spans") / "a.wav"
    write_clip(path, frames=0, sound=tone(count / rate, rate), sound_rate=rate)
    whole, coverage = heard(path, wanted)
    length = count / rate
    assert whole.start == 0
    assert len(whole) == max(1, int(np.floor(length * wanted + 1e-6)))
    assert coverage.spans[-1].end <= length + 1e-9
    for pair in cuts:
        start, end = sorted(value * length for value in pair)
        track, part = heard(path, wanted, TimeSpan(start, end))
        if not len(track):
            continue
        assert start <= track.start + 1e-6
        assert part.spans[-1].end <= length + 1e-9
        first = round(track.start * wanted)
        assert track.start == pytest.approx(first / wanted, abs=1e-6)
        assert np.allclose(track.samples, whole.samples[first : first + len(track)], atol=0.02)


def test_coverage_without_spans() -> None:
    whole = Coverage((TimeSpan(0, 10),), 2.0)
    assert whole.without([]) == whole
    assert whole.without([TimeSpan(2, 3), TimeSpan(2.5, 4), TimeSpan(9, 20)]).spans == (
        TimeSpan(0, 2),
        TimeSpan(4, 9),
    )
    assert whole.without([TimeSpan(0, 11)]) == Coverage((), 2.0)


def test_failures_of_sound_that_follow_each_other_are_one(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", frames=25, sound=tone(1, 48000), sound_codec="aac")
    for number in (20, 21, 22):
        corrupt_packet(path, number, "audio")
    _, coverage, (failure,) = damaged(path)
    assert failure.span is not None
    assert failure.span.start == pytest.approx(19 * 1024 / 48000)
    assert failure.span.end == pytest.approx(22 * 1024 / 48000)
    assert coverage.duration == pytest.approx(1 - failure.span.duration, abs=1e-3)
