"""Films that are written: every frame at its own time, drawings where the rows say, the rest as it was, and sound."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator import draw
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Face, Shot, SpeechRegion
from videoannotator.data.table import Table
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.decode.probing import probe
from videoannotator.draw.film import _Ticks
from videoannotator.draw.strip import _Lane
from videoannotator.draw.style import track_color
from videoannotator.errors import (
    ConfigError,
    DataError,
    FormatError,
    MissingDependencyError,
    NoVideoError,
    UnreadableMediaError,
)
from videoannotator.testing.clips import corrupt_packet, read_number, tone, write_clip

from .drawn import differing, make_result, read_film

BARE = draw.Look(show=["boxes"])


def person(frames: Sequence[int], box: tuple[float, float, float, float], **more: Any) -> Table[Detection]:
    return Table.from_rows(Detection, [Detection(n, n / 10, "person", 0.9, *box, **more) for n in frames])


def times_of(path: Path) -> NDArray[np.float64]:
    info = probe(path)
    assert info.video is not None
    return info.video.clock.times


def sound_of(path: Path, rate: int = 16000) -> tuple[float, NDArray[np.float32]]:
    """Seconds of the first sample, and the samples."""
    from videoannotator.data.needs import Audio
    from videoannotator.decode.passes import DecodePass

    with DecodePass(probe(path), audio=[Audio(rate)]) as decoding:
        assert list(decoding) == []
    track = decoding.tracks[Audio(rate)]
    return track.start, track.samples


def onset(path: Path) -> float:
    start, samples = sound_of(path)
    return start + int(np.argmax(np.abs(samples) > 0.2)) / 16000


def test_what_is_drawn_and_what_is_not(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=20, rate=10, size=(320, 240), codec="libx264")
    result = make_result(clip, {"person_tracking": person([5, 6], (60, 130, 140, 210), track=3)})
    film = read_film(draw.video(result, tmp_path / "drawn.mp4", look=BARE))
    plain = read_film(clip)
    assert [time for time, _ in film] == pytest.approx([time for time, _ in plain])
    for number, ((_, drawn), (_, before)) in enumerate(zip(film, plain, strict=True)):
        assert drawn.shape == before.shape
        assert read_number(drawn) == number
        different = differing(drawn, before)
        if number not in (5, 6):
            assert not different.any(), number
            continue
        ys, xs = np.nonzero(different)
        assert (xs.min(), xs.max(), ys.min(), ys.max()) == pytest.approx((60, 140, 130, 210), abs=4)
        assert not different[140:200, 70:130].any(), "inside the box the picture is as it was"
        middle = drawn[170, 60:62].astype(int).mean(axis=0)
        assert np.abs(middle - track_color(3)).max() < 80


@pytest.mark.parametrize(
    ("times", "base"),
    [([0, 40, 130, 140, 500, 501, 900], Fraction(1, 1000)), ([7, 3010, 6013, 12019], Fraction(1, 48000))],
)
def test_a_variable_rate_is_kept(tmp_path: Path, times: list[int], base: Fraction) -> None:
    clip = write_clip(
        tmp_path / "clip.mkv" if base.denominator == 1000 else tmp_path / "clip.mp4", times=times, time_base=base
    )
    result = make_result(clip, {})
    path = draw.video(result, tmp_path / "drawn.mp4", look=BARE)
    assert times_of(path) == pytest.approx(times_of(clip), abs=1e-6)
    assert [read_number(pixels) for _, pixels in read_film(path)] == list(range(len(times)))


def test_the_last_frame_lasts_as_long_as_it_did(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=5, rate=5)
    path = draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE)
    assert probe(path).duration == pytest.approx(1.0, abs=1e-3)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=30),
    st.sampled_from([Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1001, 30_000_000)]),
    st.fractions(0, 5, max_denominator=1001),
)
def test_times_of_any_clock_are_kept(steps: list[int], base: Fraction, shift: Fraction) -> None:
    pts = np.cumsum([0, *steps])
    clock = FrameClock(pts, base, origin=-shift / base)
    ticks = _Ticks(clock, TimeSpan(0, clock.end))
    mine = [ticks.of(n) for n in range(len(clock))]
    assert all(a < b for a, b in pairwise(mine))
    assert [float(tick * ticks.base) for tick in mine] == pytest.approx(clock.times.tolist(), abs=1e-6)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_film_is_drawn_as_it_is_shown(tmp_path: Path, rotation: Any) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10, size=(320, 240), rotation=rotation)
    shown = (240, 320) if rotation in (90, 270) else (320, 240)
    result = make_result(clip, {"person_tracking": person([1], (20, 200, 100, 230), track=1)})
    path = draw.video(result, tmp_path / "drawn.mp4", look=BARE)
    info = probe(path)
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.rotation) == (*shown, 0)
    film = read_film(path)
    assert [read_number(pixels) for _, pixels in film] == [0, 1, 2]
    ys, xs = np.nonzero(differing(film[1][1], film[0][1], 60)[180:])
    assert (xs.min(), xs.max()) == pytest.approx((20, 100), abs=4)
    assert (ys.min() + 180, ys.max() + 180) == pytest.approx((200, 230), abs=4)


@pytest.mark.parametrize("size", [(16, 12), (17, 301), (2, 2), (641, 33)])
def test_pictures_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    """Too narrow for letters and lanes, odd, tiny: written all the same, at most one pixel larger."""
    clip = write_clip(tmp_path / "clip.mkv", frames=4, rate=10, size=size, codec="ffv1", pixel_format="bgr0")
    rows = person([1], (2, 1, size[0] - 2, size[1] - 1) if min(size) > 4 else (0, 0, 1, 1), track=1)
    result = make_result(
        clip,
        {
            "person_tracking": rows,
            "scene_detection": Table.of(Shot, start=[0.0], end=[0.4], start_frame=[0], end_frame=[4]),
        },
    )
    path = draw.video(result, tmp_path / "drawn.mp4")
    info = probe(path)
    assert info.video is not None
    assert info.video.width == size[0] + size[0] % 2
    lanes = info.video.height - (size[1] + size[1] % 2)
    assert (lanes > 0) == (size[0] >= 240)
    assert len(info.video.clock) == 4


def test_ten_bits_and_portrait_phones(tmp_path: Path) -> None:
    deep = write_clip(tmp_path / "a.mp4", frames=4, rate=10, codec="libx265", pixel_format="yuv420p10le")
    phone = write_clip(tmp_path / "b.mp4", frames=4, rate=10, size=(320, 180), rotation=90, sound="tone")
    for clip, size in ((deep, (160, 120)), (phone, (180, 320))):
        film = read_film(draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE))
        assert [read_number(pixels) for _, pixels in film] == [0, 1, 2, 3]
        assert film[0][1].shape == (size[1], size[0], 3)


def test_a_damaged_film_keeps_what_is_whole_at_its_time(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "clip.mkv",
        frames=30,
        rate=10,
        codec="mjpeg",
        pixel_format="yuvj420p",
        sound="tone",
        sound_codec="aac",
    )
    for kind in ("video", "audio"):
        corrupt_packet(clip, 10, kind)  # type: ignore[arg-type]
    film = read_film(draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE))
    assert len(film) in (29, 30), "some decoders give a picture of noise"
    for time, pixels in film:
        if abs(time - 1.0) > 0.05:
            assert read_number(pixels) == round(time * 10)


def test_lanes_lie_under_the_picture_and_move(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=20, rate=10, size=(320, 240))
    speech = Table.of(SpeechRegion, start=[0.5], end=[1.0])
    result = make_result(clip, {"voice_activity": speech})
    film = read_film(draw.video(result, tmp_path / "drawn.mp4", look=draw.Look(show=["lanes", "time"])))
    assert film[0][1].shape[0] > 260
    strips = [pixels[240:] for _, pixels in film]
    assert not differing(film[3][1][:240], read_film(clip)[3][1]).any()

    def cursor(strip: NDArray[np.uint8]) -> float:
        red = (strip[..., 0].astype(int) - strip[..., 1] > 60) & (strip[..., 0].astype(int) - strip[..., 2] > 40)
        return float(np.nonzero(red)[1].mean())

    at = [cursor(strip) for strip in strips]
    assert all(a < b for a, b in pairwise(at))
    blue = (strips[0][..., 2].astype(int) - strips[0][..., 0] > 60).any(axis=0).nonzero()[0]
    assert blue.min() == pytest.approx(at[5], abs=4), "speech begins where the cursor is at 0.5 s"
    assert blue.max() == pytest.approx(at[10], abs=4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), max_size=20),
    st.tuples(st.floats(0, 100), st.floats(0.01, 40)),
)
def test_blocks_of_a_window_are_all_there(blocks: list[tuple[float, float]], window: tuple[float, float]) -> None:
    lane = draw.Lane("x", tuple(draw.Block(a, a + length, (1, 2, 3)) for a, length in blocks))
    span = TimeSpan(window[0], sum(window))
    found = _Lane(lane).during(span).blocks
    seen = [block for block in lane.blocks if block.start < span.end and block.end > span.start]
    assert set(seen) <= set(found) <= set(lane.blocks)


def test_nothing_found_gives_the_film_as_it_was(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=4, rate=10)
    empty = {"person_tracking": Table.empty(Detection), "face_analysis": Table.empty(Face)}
    film = read_film(draw.video(make_result(clip, empty), tmp_path / "a.mp4", look=BARE))
    for (_, drawn), (_, before) in zip(film, read_film(clip), strict=True):
        assert differing(drawn, before).mean() < 0.005, "two encoders differ a little at hard edges"
        assert np.abs(drawn.astype(int) - before).mean() < 3


def test_a_stretch_begins_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    samples = tone(3.0, 48000, start=1.5)
    clip = write_clip(tmp_path / "clip.mp4", frames=30, rate=10, sound=samples)
    result = make_result(clip, {})
    path = draw.video(result, tmp_path / "part.mp4", look=BARE, start=1.0, end=2.0)
    film = read_film(path)
    assert [read_number(pixels) for _, pixels in film] == list(range(10, 20))
    assert [time for time, _ in film] == pytest.approx([n / 10 for n in range(10)], abs=1e-4)
    assert onset(path) == pytest.approx(0.5, abs=0.03)
    assert probe(path).duration == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi", ".ts"])
def test_the_sound_is_in_time(tmp_path: Path, suffix: str) -> None:
    """Copied from MP4 and Matroska, encoded anew from others; late sound stays late."""
    codec = "aac" if suffix == ".mkv" else None
    samples, rate = tone(2.0, 48000, start=1.0), 10 if suffix != ".ts" else 25
    clip = write_clip(
        tmp_path / f"clip{suffix}", frames=2 * rate, rate=rate, sound=samples, sound_codec=codec, sound_start=0.0
    )
    path = draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE)
    assert onset(path) == pytest.approx(onset(clip), abs=0.02)
    info, before = probe(path), probe(clip)
    assert info.audio is not None
    assert info.audio.codec == "aac"
    assert info.duration == pytest.approx(before.duration, abs=0.12)
    assert times_of(path) == pytest.approx(times_of(clip), abs=1e-6)


def test_pictures_that_begin_late_stay_late(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", times=[237, 337, 437], time_base=Fraction(1, 1000), sound="tone")
    path = draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE)
    assert times_of(clip)[0] == pytest.approx(0.237, abs=0.03)
    assert times_of(path) == pytest.approx(times_of(clip), abs=1e-6)


def test_copied_sound_is_the_same_bits(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=20, rate=10, sound="tone", sound_start=0.3)
    path = draw.video(make_result(clip, {}), tmp_path / "drawn.mp4", look=BARE)

    def payload(file: Path) -> list[bytes]:
        with av.open(str(file)) as film:
            return [bytes(packet) for packet in film.demux(audio=0) if packet.size]

    assert payload(path) == payload(clip)
    first, second = probe(clip).audio, probe(path).audio
    assert first is not None
    assert second is not None
    assert second.start == pytest.approx(first.start, abs=0.002)


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=5, rate=10, sound="tone")
    result = make_result(clip, {})
    assert probe(draw.video(result, tmp_path / "a.mp4", sound=False)).audio is None


def moving(path: Path, frames: Sequence[int], rate: float | None = None) -> Result:
    """A noisy film, and a face that is found on ``frames``."""
    noise = np.random.default_rng(5).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=10, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv444p"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.kron(noise, np.ones((4, 4, 1), dtype=np.uint8)), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    rows = [Face(n, n / 10, 0.9, 100, 80, 160, 150) for n in frames]
    return make_result(path, {"face_analysis": Table.from_rows(Face, rows)}, rate=rate)


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill"])
def test_hidden_faces_cannot_be_seen(tmp_path: Path, how: Any) -> None:
    result = moving(tmp_path / "clip.mp4", range(20))
    look = draw.Look(show=[], hide="faces", hide_with=how)
    film = read_film(draw.video(result, tmp_path / "hidden.mp4", look=look))
    for (_, drawn), (_, before) in zip(film, read_film(tmp_path / "clip.mp4"), strict=True):
        inside, was = drawn[80:150, 100:160].astype(float), before[80:150, 100:160].astype(float)
        assert np.abs(np.corrcoef(inside.ravel(), was.ravel())[0, 1]) < 0.5 or how == "fill"
        assert inside.std() < 0.6 * was.std()
        assert not differing(drawn[:40], before[:40], 60).any(), "above it the picture is as it was"


def test_a_face_that_is_missed_in_between_stays_hidden(tmp_path: Path) -> None:
    result = moving(tmp_path / "clip.mp4", [0, 1, 2, 6, 7, 8])
    plain = read_film(tmp_path / "clip.mp4")

    def hidden(hold: float) -> list[int]:
        look = draw.Look(show=[], hide="faces", hide_with="fill", hide_hold=hold)
        film = read_film(draw.video(result, tmp_path / "hidden.mp4", look=look))
        return [
            n for n, ((_, a), (_, b)) in enumerate(zip(film, plain, strict=True)) if differing(a, b, 60).mean() > 0.02
        ]

    assert hidden(0.0) == [0, 1, 2, 6, 7, 8]
    assert hidden(0.2) == list(range(11))


def test_frames_between_those_looked_at_are_hidden(tmp_path: Path) -> None:
    result = moving(tmp_path / "clip.mp4", [0, 5, 10, 15], rate=2.0)
    look = draw.Look(show=[], hide="faces", hide_with="fill", hide_hold=0.0)
    film = read_film(draw.video(result, tmp_path / "hidden.mp4", look=look))
    for (_, drawn), (_, before) in zip(film, read_film(tmp_path / "clip.mp4"), strict=True):
        assert differing(drawn, before, 60).mean() > 0.02


def test_where_nobody_looked_everything_is_hidden(tmp_path: Path) -> None:
    result = moving(tmp_path / "clip.mp4", range(10))
    part = attrs.evolve(result["face_analysis"], coverage=Coverage((TimeSpan(0, 1),)))
    result = attrs.evolve(result, pipelines={"face_analysis": part})
    look = draw.Look(show=[], hide="faces", hide_hold=0.0)
    pictures = [np.asarray(draw.frame(result, frame=n, look=look)) for n in (9, 10)]
    assert [picture[:60].std() > 20 for picture in pictures] == [True, False]


def test_only_those_who_are_named_are_hidden(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10, size=(320, 240))
    rows = [
        Detection(n, n / 10, "person", 0.9, x, 20, x + 60, 100, track)
        for n in range(3)
        for x, track in ((20, 1), (200, 2))
    ]
    result = make_result(clip, {"person_tracking": Table.from_rows(Detection, rows)})
    look = draw.Look(show=[], hide="persons", hide_only=[2], hide_with="fill")
    picture = np.asarray(draw.frame(result, frame=1, look=look))
    plain = np.asarray(draw.frame(result, frame=1, look=draw.Look(show=[])))
    xs = np.nonzero(differing(picture, plain, 20))[1]
    assert (xs.min(), xs.max()) == pytest.approx((195, 265), abs=3)
    with pytest.raises(ConfigError, match="nobody has that name, role or track; there are track 1, track 2"):
        draw.frame(result, frame=1, look=draw.Look(hide="persons", hide_only="mother"))


def test_hiding_without_anything_to_go_by_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10)
    with pytest.raises(ConfigError, match="annotate with face_analysis or person_tracking, too"):
        draw.video(make_result(clip, {}), tmp_path / "x.mp4", look=draw.Look(hide="faces"))
    everything = draw.video(make_result(clip, {}), tmp_path / "x.mp4", look=draw.Look(hide="all", show=[]))
    assert max(pixels.std(axis=(0, 1)).max() for _, pixels in read_film(everything)) < 3


def test_a_moved_film_is_named(tmp_path: Path) -> None:
    from videoannotator.discover.hashing import known_sha256

    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10)
    result = make_result(clip, {})
    provenance = attrs.evolve(result.provenance, media_sha256=known_sha256(clip))
    result = attrs.evolve(result, provenance=provenance)
    moved = Path(shutil.move(clip, tmp_path / "elsewhere.mp4"))
    with pytest.raises(UnreadableMediaError, match=r"clip\.mp4.* is not there\. Say where it is now: media=PATH"):
        draw.video(result, tmp_path / "a.mp4")
    assert len(read_film(draw.video(result, tmp_path / "a.mp4", media=moved))) == 3
    other = write_clip(tmp_path / "other.mp4", frames=4, rate=10)
    with pytest.raises(DataError, match="is not the file that this result was made from"):
        draw.video(result, tmp_path / "a.mp4", media=other)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10)
    sound = write_clip(tmp_path / "sound.m4a", frames=0, sound="tone")
    result = make_result(clip, {})
    with pytest.raises(NoVideoError, match="no pictures in this file"):
        draw.video(make_result(sound, {}), tmp_path / "a.mp4")
    with pytest.raises(ConfigError, match=r"ends with \.mp4"):
        draw.video(result, tmp_path / "a.avi")
    with pytest.raises(ConfigError, match="is the film itself"):
        draw.video(result, clip)
    with pytest.raises(ConfigError, match=r"nothing from 2\.0 s to 3\.0 s"):
        draw.video(result, tmp_path / "a.mp4", start=2.0, end=3.0)
    with pytest.raises(ConfigError, match="at least 2 pixels"):
        draw.video(result, tmp_path / "a.mp4", height=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatError, match="could not be written"):
        draw.video(result, tmp_path / "file" / "a.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "file", "sound.m4a"], "nothing half is left"


def test_a_film_that_breaks_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10, rate=10)

    def stop(part: float) -> None:
        if part > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw.video(make_result(clip, {}), tmp_path / "a.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_progress_goes_to_one(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10, rate=10)
    seen: list[float] = []
    draw.video(make_result(clip, {}), tmp_path / "a.mp4", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_without_pillow_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "videoannotator\[draw\]"'):
        draw.video(make_result(clip, {}), tmp_path / "a.mp4")


def test_real_people_one_film(assets: Path, tmp_path: Path) -> None:
    """HEVC at a variable rate with speech: frames at their times, the same sound, the rest of the picture as it was."""
    clip = assets / "video" / "caregiver_infant.mp4"
    faces = Table.from_rows(Face, [Face(30, float(times_of(clip)[30]), 0.9, 250, 180, 330, 260)])
    result = make_result(clip, {"face_analysis": faces})
    path = draw.video(result, tmp_path / "drawn.mp4", look=draw.Look(show=["faces"]))
    assert times_of(path).tolist() == times_of(clip).tolist()
    assert probe(path).duration == pytest.approx(probe(clip).duration, abs=1e-3)
    film, before = read_film(path), read_film(clip)
    errors = [np.abs(a.astype(float) - b).mean() for (_, a), (_, b) in zip(film[:20], before[:20], strict=True)]
    assert max(errors) < 4
    shown = differing(film[30][1], before[30][1], 60)
    assert shown.any()
    assert not shown[:170].any()
    assert not shown[:, 345:].any()
    start, samples = sound_of(path)
    start_before, samples_before = sound_of(clip)
    assert start == pytest.approx(start_before, abs=1e-3)
    assert np.array_equal(samples, samples_before)


def test_a_crowd_takes_seconds(tmp_path: Path) -> None:
    import time

    clip = write_clip(tmp_path / "clip.mp4", frames=2, rate=10, size=(1280, 720))
    random = np.random.default_rng(0)
    corners = random.uniform(0, [1240, 660], (4000, 2))
    keypoints = random.uniform(0, 1, (4000, 17, 3)) * [40, 60, 1] + np.pad(corners, ((0, 0), (0, 1)))[:, None]
    table = Table.of(
        Detection,
        frame=1,
        time=0.1,
        label="person",
        score=0.5,
        x1=corners[:, 0],
        y1=corners[:, 1],
        x2=corners[:, 0] + 40,
        y2=corners[:, 1] + 60,
        track=np.arange(4000),
        keypoints=keypoints.astype(np.float32),
    )
    result = make_result(clip, {"person_tracking": table})
    began = time.perf_counter()
    draw.frame(result, frame=1)
    draw.frame(result, frame=1, look=draw.Look(hide="faces"))
    assert time.perf_counter() - began < 30


def test_coverage_of_a_result_is_not_needed(tmp_path: Path) -> None:
    """Results of other programs say nothing of what was looked at."""
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rate=10)
    result = make_result(clip, {"boxes": person([1], (20, 20, 90, 90))})
    pipeline = attrs.evolve(result["boxes"], coverage=Coverage())
    result = attrs.evolve(result, pipelines={"boxes": pipeline})
    assert len(read_film(draw.video(result, tmp_path / "a.mp4"))) == 3
