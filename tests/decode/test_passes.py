"""One pass: every need at once, spans, sick files."""

from __future__ import annotations

import resource
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import videoannotator.decode.opening as opening
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.time import TimeSpan
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.errors import NoAudioError, NoVideoError
from videoannotator.testing.clips import corrupt_packet, draw, read_number, tone, truncate, write_clip


def _numbers(decoding: DecodePass) -> list[tuple[int, int]]:
    return [(p.frame, read_number(p.pixels(0))) for p in decoding]


def test_one_pass_serves_all_needs(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = av.open
    monkeypatch.setattr(opening.av, "open", lambda *a, **k: opened.append(a) or real(*a, **k))
    info = probe(assets / "video" / "caregiver_infant.mp4")
    assert info.video is not None
    opened.clear()
    needs = [Frames(color="bgr"), Frames(rate=5.0, width=320), Frames(rate=1.0, height=90, color="gray"), Frames()]
    with DecodePass(info, needs, [Audio()]) as decoding:
        wanted = [p.wanted for p in decoding]
        assert decoding.decoded == 150
        assert decoding.failures == ()
    assert len(opened) == 1
    assert [sum(n in w for w in wanted) for n in range(4)] == [150, 53, 11, 150]
    assert list(decoding.tracks) == [Audio()]
    assert decoding.coverage(needs[1]).spans == (TimeSpan(0.0, info.video.clock.end),)
    assert decoding.coverage(needs[1]).rate == 5.0


@pytest.mark.parametrize("open_gop", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
def test_spans_give_what_the_whole_gives(tmp_path: Path, suffix: str, open_gop: bool) -> None:
    options = {"g": "25", "bf": "3", "x264-params": f"open-gop={int(open_gop)}"}
    path = write_clip(
        tmp_path / f"span.{suffix}", codec="libx264", frames=150, options=options,
        sound=tone(6, 48000, start=3.5), sound_codec="mp2",
    )  # fmt: skip
    info = probe(path)
    assert info.video is not None
    times = info.video.clock.times
    for start, end in ((0.0, 0.5), (0.98, 1.02), (3.0, 4.0), (3.999, 4.5), (5.5, 99.0), (2.0, 2.0)):
        with DecodePass(info, [Frames(), Frames(rate=2.0)], [Audio()], TimeSpan(start, end)) as decoding:
            got = _numbers(decoding)
        assert got == [(i, i) for i, t in enumerate(times) if start <= t < end]
        assert decoding.failures == ()
        track = decoding.tracks[Audio()]
        if start == 3.0:
            assert track.start == pytest.approx(3.0, abs=1 / 16000)
            assert len(track) == pytest.approx(16000, abs=2)
            begins = track.time(int(np.argmax(np.abs(track.samples) > 0.1)))
            offset = info.audio.start if info.audio is not None and suffix != "ts" else float(times[0])
            assert begins == pytest.approx(3.5 + offset, abs=0.03)  # MP2's filters smear by a few ms, and delay


def test_a_late_span_does_not_decode_the_beginning(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "seek.mp4", codec="libx264", frames=250, options={"g": "25"}))
    with DecodePass(info, [Frames()], span=TimeSpan(8.0, 8.4)) as decoding:
        assert [n for n, _ in _numbers(decoding)] == list(range(200, 210))
        assert decoding.decoded < 60


def test_needs_of_missing_streams_raise(tmp_path: Path) -> None:
    silent = probe(write_clip(tmp_path / "silent.mp4", frames=2))
    with pytest.raises(NoAudioError, match="there is none in this file"):
        DecodePass(silent, [Frames()], [Audio()])
    blind = probe(write_clip(tmp_path / "blind.wav", frames=0, sound="tone"))
    assert blind.video is None
    assert blind.duration == pytest.approx(1.0)
    with pytest.raises(NoVideoError, match="there are none in this file"):
        DecodePass(blind, [Frames()])


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as output:
        voice: Any = output.add_stream("aac", rate=48000)
        cover: Any = output.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 160, 120, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        output.mux(cover.encode(av.VideoFrame.from_ndarray(draw(1), "rgb24").reformat(format="yuvj420p")))
        output.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(tone(1, 48000)[None, :], "fltp", "mono")
        frame.sample_rate = 48000
        output.mux(voice.encode(frame))
        output.mux(voice.encode(None))
    info = probe(path)
    assert info.video is None
    assert info.audio is not None


def test_one_frame(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "one.mp4", frames=1))
    assert not info.still
    assert info.duration == pytest.approx(0.04)
    with DecodePass(info, [Frames(), Frames(rate=1.0)]) as decoding:
        assert [(p.frame, p.time, p.wanted) for p in decoding] == [(0, 0.0, (0, 1))]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "mjpeg"])
def test_one_broken_packet(tmp_path: Path, codec: str, suffix: str) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {} if codec == "mjpeg" else {"g": "12"}
    path = write_clip(
        tmp_path / f"broken.{suffix}", codec=codec, pixel_format=pixel_format, frames=60, options=options
    )  # fmt: skip
    corrupt_packet(path, 20)
    info = probe(path)
    assert info.video is not None
    assert len(info.video.clock) == 60
    with DecodePass(info, [Frames()]) as decoding:
        got = _numbers(decoding)
    (failure,) = decoding.failures
    missing = set(range(60)) - {n for n, _ in got}
    assert len(missing) == 1
    lost = missing.pop()
    assert failure.kind == "decode_error"
    assert failure.span is not None
    assert failure.span.start == pytest.approx(lost / 25)
    assert failure.span.end == pytest.approx((lost + 1) / 25)
    assert "Invalid data" in failure.message
    first, second = decoding.coverage(Frames()).spans
    assert (first.start, second.end) == (0.0, pytest.approx(2.4))
    assert (first.end, second.start) == (failure.span.start, failure.span.end)
    if info.video.clock.source == "container":
        after = [(f, n) for f, n in got if f < lost or f >= 36]  # the next key frame but one, at the latest
        assert all(f == n for f, n in after)


def test_frames_that_the_decoder_guessed_are_not_handed_over(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "half.mp4", codec="libx264", frames=40, options={"g": "10", "bf": "0"}, size=(320, 240)
    )
    with opening.open_media(path) as container:
        packet = [p for p in container.demux(video=0) if p.size][10]
        payload, where = bytes(packet), packet.pos
    data = bytearray(path.read_bytes())
    data[where + len(payload) // 2 : where + len(payload)] = bytes(len(payload) - len(payload) // 2)
    path.write_bytes(data)
    with DecodePass(probe(path), [Frames()]) as decoding:
        frames = [p.frame for p in decoding]
    assert frames == [n for n in range(40) if n != 10]
    assert [f.span for f in decoding.failures] == [TimeSpan(0.4, 0.44)]


@pytest.mark.parametrize(
    ("name", "options"),
    [("cut.mp4", {"movflags": "faststart"}), ("cut.mkv", {}), ("cut.avi", {})],
)
def test_truncated(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = write_clip(
        tmp_path / name, frames=200, codec="mpeg4", options={"g": "25"}, sound="tone", container_options=options
    )  # fmt: skip
    info = probe(truncate(path, 0.5))
    assert info.video is not None
    assert 60 < len(info.video.clock) < 140
    assert info.duration < 6
    assert any("truncated" in n for n in info.notices)
    with DecodePass(info, [Frames()]) as decoding:
        got = _numbers(decoding)
    assert all(f == n for f, n in got)
    assert len(got) >= len(info.video.clock) - 1
    (cut,) = [f for f in decoding.failures if f.kind == "truncated"]
    assert cut.span is not None
    assert cut.span.start == pytest.approx(info.video.clock.end, abs=0.1)
    assert cut.span.end == pytest.approx(8.0, abs=0.1)
    with DecodePass(info, [Frames()], span=TimeSpan(0, 1)) as decoding:  # the missing end is not asked for
        list(decoding)
    assert decoding.failures == ()


def test_the_size_changes_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "sizes.ts"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for first, size in ((0, (160, 120)), (10, (320, 240))):
            encoder: Any = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
            encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 25), Fraction(25), 2_000_000
            for number in range(first, first + 10):
                frame = av.VideoFrame.from_ndarray(draw(number, *size), "rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    output.mux(packet)
            for packet in encoder.encode(None):
                packet.stream = stream
                output.mux(packet)
    info = probe(path)
    assert info.video is not None
    assert (info.video.width, info.video.height) == (160, 120)
    with DecodePass(info, [Frames()]) as decoding:
        pictures = list(decoding)
        assert {p.pixels(0).shape for p in pictures} == {(120, 160, 3)}
        assert [read_number(p.pixels(0)) for p in pictures] == list(range(20))
        assert decoding.failures == ()


def test_edit_lists_hide_frames(tmp_path: Path) -> None:
    # B-frames and a negative first decode time make an edit list; a cut without re-encoding hides frames by one
    source = write_clip(tmp_path / "whole.mp4", codec="libx264", frames=75, options={"g": "25", "bf": "2"})
    path = tmp_path / "cut.mp4"
    with opening.open_media(source) as given, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0])
        shift = given.streams.video[0].time_base
        for packet in given.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                packet.pts -= round(Fraction(2, 5) / shift)  # ten frames now lie before time 0
                packet.dts -= round(Fraction(2, 5) / shift)
                packet.stream = stream
                output.mux(packet)
    info = probe(path)
    assert info.video is not None
    with DecodePass(info, [Frames()]) as decoding:
        got = [(p.frame, p.time, read_number(p.pixels(0))) for p in decoding]
    assert decoding.failures == ()
    assert len(got) == len(info.video.clock)
    hidden = got[0][2]
    assert [n for _, _, n in got] == list(range(hidden, 75))
    assert [t for _, t, _ in got] == pytest.approx((np.arange(len(got)) / 25).tolist(), abs=1e-6)


def test_hidden_pictures_of_vp8_are_not_missed(tmp_path: Path) -> None:
    options = {"auto-alt-ref": "1", "lag-in-frames": "25", "deadline": "good", "b": "200k", "arnr-maxframes": "5"}
    info = probe(write_clip(tmp_path / "v.webm", codec="libvpx", frames=120, options=options))
    with DecodePass(info, [Frames()]) as decoding:
        assert _numbers(decoding) == [(n, n) for n in range(120)]
    assert decoding.failures == ()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "long.mp4", frames=900, size=(640, 360), options={"g": "50"})
    info = probe(path)
    list(DecodePass(info, [Frames(width=320)], span=TimeSpan(0, 2)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with DecodePass(info, [Frames(), Frames(width=320)]) as decoding:
        for picture in decoding:
            picture.pixels(0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (1 if sys.platform == "darwin" else 1024)
    assert grown < 60, f"{grown:.0f} (MiB) more at its peak; 900 frames of RGB are 590 MiB"
