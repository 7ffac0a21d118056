"""What the pixels are: right frame, right way up, right size, right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from videoannotator.data.needs import Frames
from videoannotator.data.time import TimeSpan
from videoannotator.decode.batching import Batcher
from videoannotator.decode.geometry import Orientation, orientation_of, output_size, shown_size
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.errors import DataError
from videoannotator.testing.clips import draw, read_number, write_clip


def _first(path: Path, need: Frames) -> np.ndarray:  # type: ignore[type-arg]
    with DecodePass(probe(path), [need]) as decoding:
        return next(iter(decoding)).pixels(0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_come_as_shown(tmp_path: Path, suffix: str, mirrored: bool, rotation: int) -> None:
    path = write_clip(tmp_path / f"r.{suffix}", frames=3, rotation=rotation, mirrored=mirrored)  # type: ignore[arg-type]
    info = probe(path)
    assert info.video is not None
    size = (120, 160) if rotation in (90, 270) else (160, 120)
    assert (info.video.width, info.video.height) == size
    assert (info.video.coded_width, info.video.coded_height) == (160, 120)
    if not mirrored:
        assert info.video.rotation == rotation
    assert any("mirrored" in n for n in info.notices) == mirrored
    half = Frames(width=size[0] // 2)
    with DecodePass(info, [Frames(), half]) as decoding:
        for picture in decoding:
            pixels = picture.pixels(0)
            assert pixels.shape == (size[1], size[0], 3)
            assert picture.pixels(1).shape == (size[1] // 2, size[0] // 2, 3)
            assert read_number(pixels) == read_number(picture.pixels(1)) == picture.frame
            assert np.abs(pixels.astype(int) - draw(picture.frame, *size)).mean() < 12


def test_display_matrices() -> None:
    one = 1 << 16

    def matrix(a: int, b: int, c: int, d: int) -> bytes:
        return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], dtype=np.int32).tobytes()

    assert orientation_of(None) == Orientation()
    assert orientation_of(matrix(0, 0, 0, 0)) == Orientation()
    assert orientation_of(matrix(one, 0, 0, one)) == Orientation()
    assert orientation_of(matrix(0, one, -one, 0)) == Orientation(90)  # what phones write
    assert orientation_of(matrix(-one, 0, 0, -one)) == Orientation(180)
    assert orientation_of(matrix(0, -one, one, 0)) == Orientation(270)
    assert orientation_of(matrix(-one, 0, 0, one)) == Orientation(0, mirrored=True)
    tilted = orientation_of(matrix(60000, 26000, -26000, 60000))
    assert (tilted.rotation, tilted.exact) == (0, False)


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(64, 45), 228), (Fraction(8, 9), 142), (Fraction(2), 320)])
def test_pixel_aspect_is_applied(tmp_path: Path, aspect: Fraction, width: int) -> None:
    path = write_clip(tmp_path / "sar.mkv", frames=2, sample_aspect_ratio=aspect)
    info = probe(path)
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.sample_aspect_ratio) == (width, 120, aspect)
    assert read_number(_first(path, Frames())) == 0
    assert _first(path, Frames()).shape == (120, width, 3)
    turned = probe(write_clip(tmp_path / "both.mkv", frames=1, sample_aspect_ratio=aspect, rotation=90)).video
    assert turned is not None
    assert (turned.width, turned.height) == shown_size(160, 120, aspect, 90) == (120, width)


@pytest.mark.parametrize(
    ("need", "size"),
    [
        (Frames(), (160, 120)),
        (Frames(width=80), (80, 60)),
        (Frames(height=30), (40, 30)),
        (Frames(width=1000), (160, 120)),
        (Frames(width=33, height=77), (33, 77)),
        (Frames(width=320, height=240), (320, 240)),
    ],
)
def test_sizes(tmp_path: Path, need: Frames, size: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "size.mp4", frames=1)
    info = probe(path)
    assert info.video is not None
    assert output_size(info.video, need) == size
    assert _first(path, need).shape == (size[1], size[0], 3)


def test_colours(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "colour.mkv", frames=1, codec="ffv1", pixel_format="yuv444p")
    rgb, bgr, gray = (_first(path, Frames(color=c)) for c in ("rgb", "bgr", "gray"))
    assert np.array_equal(rgb, bgr[..., ::-1])
    assert np.abs(rgb[100, 20].astype(int) - (200, 30, 30)).max() <= 3
    assert np.abs(rgb[100, 140].astype(int) - (30, 30, 200)).max() <= 3
    assert gray.shape == (120, 160)
    assert gray[:50].max() <= 1  # frame 0 has no bit set: black is 0, not 16
    white = _first(write_clip(tmp_path / "w.mkv", codec="ffv1", times=[0]), Frames(color="gray"))
    assert white[:50].max() <= 1
    luma = 0.299 * 200 + 0.587 * 30 + 0.114 * 30
    assert abs(int(gray[100, 20]) - luma) <= 3


def test_white_is_255_in_gray(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "white.mkv", frames=2, codec="ffv1")
    with DecodePass(probe(path), [Frames(color="gray")]) as decoding:
        *_, last = decoding
    assert last.pixels(0)[20, 155] >= 254  # the lowest bit of frame 1


@pytest.mark.parametrize("name", ["caregiver_infant.mp4", "speech_on_stage.mp4", "face_expressions.mp4"])
def test_bgr_at_full_size_is_what_opencv_reads(assets: Path, name: str) -> None:
    cv2 = pytest.importorskip("cv2")
    capture = cv2.VideoCapture(str(assets / "video" / name))
    with DecodePass(probe(assets / "video" / name), [Frames(color="bgr")], span=TimeSpan(0, 2)) as decoding:
        for picture in decoding:
            there, pixels = capture.read()
            assert there
            assert np.abs(picture.pixels(0).astype(int) - pixels).mean() < 0.01
    capture.release()


def test_each_look_is_made_once_and_read_only(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "once.mp4", frames=10)
    needs = [Frames(), Frames(rate=5.0), Frames(width=80), Frames(height=60), Frames(width=80, color="gray")]
    with DecodePass(probe(path), needs) as decoding:
        for picture in decoding:
            made = {n: picture.pixels(n) for n in picture.wanted}
            assert all(picture.pixels(n) is made[n] for n in made)
            assert made[2] is made[3]
            assert not any(p.flags.writeable for p in made.values())
            if 1 in made:
                assert made[0] is made[1]
        assert decoding.decoded == 10
        assert decoding.conversions == 30


def test_pictures_outlive_the_pass(tmp_path: Path) -> None:
    with DecodePass(probe(write_clip(tmp_path / "keep.mp4", frames=12)), [Frames()]) as decoding:
        pictures = list(decoding)
    assert [read_number(p.pixels(0)) for p in pictures] == list(range(12))


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("mpeg4", "yuv420p", (161, 121)),
        ("libx264", "yuv444p", (97, 33)),
        ("ffv1", "yuv422p", (131, 77)),
        ("ffv1", "gray", (160, 120)),
        ("ffv1", "bgr0", (160, 120)),
        ("ffv1", "yuv420p10le", (160, 120)),
        ("ffv1", "gray16le", (160, 120)),
        ("mjpeg", "yuvj420p", (160, 120)),
    ],
)
def test_odd_sizes_and_formats(tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "odd.mkv", frames=4, codec=codec, pixel_format=pixel_format, size=size)
    for need in (Frames(), Frames(color="gray"), Frames(width=63)):
        with DecodePass(probe(path), [need]) as decoding:
            assert [read_number(p.pixels(0)) for p in decoding] == [0, 1, 2, 3]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_ten_bits_and_hdr_are_said(tmp_path: Path, transfer: int, name: str) -> None:
    options = {"x265-params": "log-level=none"}
    path = write_clip(
        tmp_path / "hdr.mkv",
        frames=4,
        codec="libx265",
        pixel_format="yuv420p10le",
        transfer=transfer,
        options=options,
    )
    info = probe(path)
    assert info.video is not None
    assert info.video.bit_depth == 10
    assert info.video.color_transfer == {"PQ": "smpte2084", "HLG": "arib-std-b67"}[name]
    assert [n for n in info.notices if "10 bits" in n]
    assert [n for n in info.notices if name in n]
    with DecodePass(info, [Frames()]) as decoding:
        assert [read_number(p.pixels(0)) for p in decoding] == [0, 1, 2, 3]


def test_interlaced_pictures_come_woven_and_are_said(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "i.mkv", frames=6, codec="mpeg2video", interlaced=True))
    assert info.video is not None
    assert info.video.interlaced
    assert any("interlaced" in n for n in info.notices)
    with DecodePass(info, [Frames()]) as decoding:
        assert [read_number(p.pixels(0)) for p in decoding] == list(range(6))


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        ("png", "png", "rgb24"),
        ("jpg", "mjpeg", "yuvj420p"),
        ("bmp", "bmp", "bgr24"),
        ("tiff", "tiff", "rgb24"),
        ("gif", "gif", "rgb8"),
    ],
)
def test_images_are_media_of_one_frame(tmp_path: Path, suffix: str, codec: str, pixel_format: str) -> None:
    container = "gif" if suffix == "gif" else "image2"
    path = tmp_path / f"image %03d.{suffix}"
    written = write_clip(
        tmp_path / f"image.{suffix}", frames=1, codec=codec, pixel_format=pixel_format, container=container,
        container_options={} if suffix == "gif" else {"update": "1"},
    )  # fmt: skip
    written.rename(path)
    info = probe(path)
    assert info.still
    assert info.audio is None
    assert info.video is not None
    assert (info.video.width, info.video.height, len(info.video.clock)) == (160, 120, 1)
    with DecodePass(info, [Frames(), Frames(rate=1.0, width=80)]) as decoding:
        (picture,) = decoding
    assert (picture.frame, picture.time, picture.wanted) == (0, 0.0, (0, 1))
    assert np.abs(picture.pixels(0).astype(int) - draw(0)).mean() < 30


def test_batches(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "b.mp4", frames=25, rotation=90))
    needs = [Frames(), Frames(rate=5.0, width=60, color="gray")]
    batchers = [Batcher(info, need, index, size) for index, (need, size) in enumerate(zip(needs, (8, 3), strict=True))]
    got: list[list[list[int]]] = [[], []]
    with DecodePass(info, needs) as decoding:
        for picture in decoding:
            for index, batcher in enumerate(batchers):
                if (batch := batcher.add(picture)) is not None:
                    got[index].append(batch.frame.tolist())
        for index, batcher in enumerate(batchers):
            batch = batcher.flush()
            assert batch is not None
            assert not batch.pixels.flags.writeable
            assert all(np.shares_memory(upload._pixels, batch.pixels) for upload in batch.uploads), "held twice"
            assert [read_number(p) for p in batch.pixels] == batch.frame.tolist()
            assert batch.time == pytest.approx(batch.frame / 25)
            got[index].append(batch.frame.tolist())
            assert batcher.flush() is None
    assert [len(b) for b in got[0]] == [8, 8, 8, 1]
    assert got[1] == [[0, 5, 10], [15, 20]]
    assert batch.pixels.shape == (2, 80, 60)
    assert (batch.source_width, batch.source_height, batch.scale) == (120, 160, (2.0, 2.0))
    with pytest.raises(DataError, match="at least 1"):
        Batcher(info, needs[0], 0, 0)
