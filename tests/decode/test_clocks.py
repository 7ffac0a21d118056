"""The frame clock: healthy files, sick files, and what was measured on the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoannotator.data.needs import Frames
from videoannotator.decode.clocks import PictureTimes, build_clock
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.testing.clips import read_number, write_clip

MS = Fraction(1, 1000)
ticks = st.lists(st.integers(0, 100_000), min_size=1, max_size=60, unique=True)


@given(ticks, st.fractions(min_value=Fraction(1, 90000), max_value=1), st.randoms())
def test_healthy_times_are_taken_as_they_are(pts: list[int], base: Fraction, shuffle) -> None:  # type: ignore[no-untyped-def]
    stored = list(pts)
    shuffle.shuffle(stored)  # B-frames: the order in the file is not the order shown
    clock = build_clock(PictureTimes(stored, [None] * len(stored), base))
    assert clock.source == "container"
    assert clock.pts.tolist() == sorted(pts)
    assert clock.times == pytest.approx([float(p * base) for p in sorted(pts)], rel=1e-15, abs=0)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=60))
def test_shared_times_are_spread_and_the_others_stay(pts: list[int]) -> None:
    clock = build_clock(PictureTimes(pts, [None] * len(pts), MS, last_duration=5, rate=Fraction(25)))
    assert len(clock) == len(pts)
    assert (np.diff(clock.times) > 0).all()
    distinct = sorted(set(pts))
    if 2 * (len(pts) - len(distinct)) <= len(pts):
        shown = clock.times
        assert all(np.isclose(shown, p / 1000, atol=1e-9).any() for p in distinct)
        assert (clock.source == "repaired") == (len(distinct) < len(pts))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 60))
def test_without_presentation_times_frames_take_the_filled_slots(steps: list[int], rate: int) -> None:
    slots = np.cumsum([0, *steps]).tolist()
    clock = build_clock(PictureTimes([None] * len(slots), slots, Fraction(1, rate), rate=Fraction(rate)))
    assert clock.source == "repaired"
    assert clock.times == pytest.approx([s / rate for s in slots])
    assert clock.end == pytest.approx((slots[-1] + 1) / rate)


def test_sound_decides_whether_empty_slots_are_real() -> None:
    slots = list(range(0, 200, 2))
    common = {"pts": [None] * 100, "dts": slots, "time_base": Fraction(1, 25), "rate": Fraction(25)}
    assert build_clock(PictureTimes(**common, sound=Fraction(4))).end == pytest.approx(4.0)
    assert build_clock(PictureTimes(**common, sound=Fraction(8))).end == pytest.approx(199 / 25)
    assert build_clock(PictureTimes(**common, sound=Fraction(6))).end == pytest.approx(199 / 25)  # says neither
    assert build_clock(PictureTimes(**common)).end == pytest.approx(199 / 25)


def test_times_that_jump_back_are_spread_evenly() -> None:
    pts = [*range(0, 1000, 40), *range(0, 1000, 40)]
    clock = build_clock(PictureTimes(pts, pts, MS, rate=Fraction(25)))
    assert clock.source == "repaired"
    assert clock.repair is not None
    assert "jump back" in clock.repair
    assert clock.times == pytest.approx(np.arange(50) / 25)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 900), min_size=0, max_size=12), st.integers(0, 3000), st.sampled_from(["mp4", "mkv"]))
def test_any_variable_rate_comes_back_exactly(tmp_path: Path, steps: list[int], start: int, suffix: str) -> None:
    times = [start + int(s) for s in np.cumsum([0, *steps])]
    path = write_clip(tmp_path / f"vfr.{suffix}", times=times, time_base=MS, codec="libx264", options={"bf": "2"})
    info = probe(path)
    assert info.video is not None
    assert info.video.clock.times.tolist() == [(t - start) / 1000 for t in times]
    with DecodePass(info, [Frames()]) as decoding:
        got = [(p.frame, p.time, read_number(p.pixels(0))) for p in decoding]
    assert got == [(n, (t - start) / 1000, n) for n, t in enumerate(times)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_time_zero_is_the_earlier_of_picture_and_sound(tmp_path: Path, suffix: str) -> None:
    times = [2000, 2040, 2080]
    late = probe(write_clip(tmp_path / f"a.{suffix}", times=times, time_base=MS, sound="tone", sound_start=0.5))
    assert late.video is not None
    assert late.audio is not None
    assert late.video.clock.times == pytest.approx([1.5, 1.54, 1.58], abs=0.025)  # AAC's priming is sound here
    assert late.audio.start == pytest.approx(0, abs=1e-9)
    early = probe(write_clip(tmp_path / f"b.{suffix}", frames=50, sound="tone", sound_start=0.5))
    assert early.video is not None
    assert early.audio is not None
    assert early.video.clock.times[0] == 0
    assert early.audio.start == pytest.approx(0.5, abs=0.025)  # AAC's priming is written with a coarse start in MP4


def test_h264_with_b_frames_in_avi(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "b.avi", codec="libx264", frames=40, options={"bf": "2"}))
    assert info.video is not None
    assert info.video.clock.source == "repaired"
    assert info.video.clock.times == pytest.approx(np.arange(40) / 25)
    assert any("no presentation times" in n for n in info.notices)
    with DecodePass(info, [Frames()]) as decoding:
        assert [read_number(p.pixels(0)) for p in decoding] == list(range(40))


def test_caregiver_infant_times_are_those_of_ffprobe(assets: Path) -> None:
    path = assets / "video" / "caregiver_infant.mp4"
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        pytest.skip("no ffprobe here; Debian's package ffmpeg has it")
    command = [ffprobe, "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts", "-of", "json", str(path)]
    frames = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["frames"]
    info = probe(path)
    assert info.video is not None
    clock = info.video.clock
    assert clock.pts.tolist() == [f["pts"] for f in frames]
    assert clock.times.tolist() == [f["pts"] / 37750 for f in frames]
    assert clock.variable
    assert info.notices == ()
    with DecodePass(info, [Frames(width=64)]) as decoding:
        assert [p.time for p in decoding] == clock.times.tolist()


def test_speech_on_stage_starts_with_its_sound(assets: Path) -> None:
    info = probe(assets / "video" / "speech_on_stage.mp4")
    assert info.video is not None
    assert info.audio is not None
    assert info.audio.start == 0
    assert info.video.clock.times[0] == pytest.approx(10214 / 11988 - 353 / 44100, abs=1e-9)


def test_sitcom_kitchen_is_repaired(assets: Path) -> None:
    info = probe(assets / "video" / "sitcom_kitchen.avi")
    assert info.video is not None
    assert info.audio is not None
    clock = info.video.clock
    assert (len(clock), info.video.declared_frames) == (434, 870)
    assert (np.diff(clock.times) > 0).all()
    # 434 frames at the encoder's 24000/1001 last 18.10 s, its 776 AAC packets 18.02 s; the 870 slots would be 36.29 s
    assert clock.end == pytest.approx(434 * 1001 / 24000)
    assert info.audio.duration == pytest.approx(776 * 1024 / 44100, abs=1e-6)
    assert info.duration == pytest.approx(clock.end)
    said = " ".join(info.notices)
    assert "repaired" in said
    assert "870" in said
    with DecodePass(info, [Frames(width=64)]) as decoding:
        got = [(p.frame, p.time) for p in decoding]
        assert decoding.failures == ()
    assert got == list(enumerate(clock.times.tolist()))


def test_pets_is_repaired(assets: Path) -> None:
    info = probe(assets / "pets" / "PETS09-S2L1.avi")
    assert info.video is not None
    assert info.video.clock.source == "repaired"
    assert info.video.clock.times == pytest.approx(np.arange(795) / 10)
    with DecodePass(info, [Frames(width=64)]) as decoding:
        assert [p.frame for p in decoding] == list(range(795))
        assert decoding.failures == ()
