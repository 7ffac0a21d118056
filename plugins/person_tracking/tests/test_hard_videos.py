"""Videos that others stumble over: what comes out of a whole run is defined, and the same as of a plain one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import videoannotator as va

RATE = 10


def film(
    path: Path, pictures: Any, *, codec: str = "libx264", pixels: str = "yuv420p", rotation: int = 0, **options: str
) -> Path:
    """A video of pictures as shown, uint8 (height, width, 3), blue first; ``rotation``: what a player has to turn."""
    stored = [np.ascontiguousarray(np.rot90(picture, rotation // 90)) for picture in pictures]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        stream.height, stream.width = stored[0].shape[:2]
        stream.pix_fmt = pixels
        if rotation:
            stream.set_display_rotation(-rotation)
        for picture in stored:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format=pixels)))
        output.mux(stream.encode(None))
    return path


def annotated(path: Path, **settings: Any) -> va.PipelineResult:
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    with va.Annotator(["person_tracking"], config={"person_tracking": settings}, cache=False) as annotator:
        result = annotator.annotate(path, progress=False, on_error="raise")
    (span,) = result["person_tracking"].coverage.spans
    assert (span.start, span.end) == (0, pytest.approx(result.media.duration)), "all of it was looked at"
    return result["person_tracking"]


def photograph(height: int) -> NDArray[np.uint8]:
    """Four people at a bus, upright: 3 wide to 4 high."""
    import cv2
    from ultralytics.utils import ASSETS

    return cv2.resize(cv2.imread(str(ASSETS / "bus.jpg")), (height * 3 // 4, height), interpolation=cv2.INTER_AREA)


def boxes(rows: Any) -> NDArray[np.float32]:
    return np.stack([rows.x1, rows.y1, rows.x2, rows.y2], axis=1)


def same_people(one: Any, other: Any) -> None:
    """The same tracks in the same frames, boxes as near as two lossy codecs leave them."""
    sure, also = (part[part.score > 0.5] for part in (one, other))
    assert sure.frame.tolist() == also.frame.tolist()
    assert len(set(sure.track.compressed())) == len(set(also.track.compressed())) >= 3
    assert np.abs(np.sort(boxes(sure), axis=0) - np.sort(boxes(also), axis=0)).max() < 12


@pytest.fixture(scope="module")
def shown() -> list[NDArray[np.uint8]]:
    """Six pictures of people, 480x640, who move a little."""
    picture = photograph(660)[:, :483]
    return [picture[3 * n : 3 * n + 640, :480] for n in range(6)]


@pytest.fixture(scope="module")
def plain(shown: Any, detect_openvino: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = film(tmp_path_factory.mktemp("plain") / "portrait.mp4", shown, crf="8")
    return annotated(path, weights=detect_openvino).detections


def test_a_phone_held_upright(plain: Any) -> None:
    """Stored as it is shown: higher than wide."""
    assert 3 * 6 <= len(plain) <= 6 * 6
    assert plain.x2.max() <= 480
    assert 480 < plain.y2.max() <= 640


def test_a_phone_that_lets_the_player_turn(plain: Any, shown: Any, detect_openvino: Path, tmp_path: Path) -> None:
    path = film(tmp_path / "turned.mp4", shown, rotation=90, crf="8")
    info = va.probe(path).video
    assert (info.rotation, info.width, info.height, info.coded_width) == (90, 480, 640, 640)
    same_people(annotated(path, weights=detect_openvino).detections, plain)


def test_ten_bits(plain: Any, shown: Any, detect_openvino: Path, tmp_path: Path) -> None:
    path = film(
        tmp_path / "deep.mkv", shown, codec="libx265", pixels="yuv420p10le", **{"x265-params": "log-level=0:crf=8"}
    )
    assert va.probe(path).video.bit_depth == 10
    same_people(annotated(path, weights=detect_openvino).detections, plain)


@pytest.mark.parametrize("size", [(120, 16), (16, 120), (16, 16)], ids=["16 wide", "16 high", "16 by 16"])
def test_sixteen_pixels(shown: Any, detect_openvino: Path, pose_openvino: Path, tmp_path: Path, size: Any) -> None:
    import cv2

    path = film(tmp_path / "narrow.mp4", [cv2.resize(picture, size[::-1]) for picture in shown])
    for weights in (detect_openvino, pose_openvino):
        found = annotated(path, weights=weights, tracker="cbiou", camera_motion=True)
        if len(found.detections):
            assert boxes(found.detections).min() >= 0
            assert found.detections.x2.max() <= size[1]
            assert found.detections.y2.max() <= size[0]
        assert len(found.tracks) == len(set(found.detections.track.compressed()))


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort", "cbiou", "none"])
def test_black(detect_openvino: Path, tmp_path: Path, tracker: str) -> None:
    path = film(tmp_path / "black.mp4", np.zeros((5, 120, 160, 3), np.uint8))
    found = annotated(path, weights=detect_openvino, tracker=tracker)
    assert (len(found.detections), len(found.tracks)) == (0, 0)


def test_nobody(pose_openvino: Path, tmp_path: Path) -> None:
    """A sky over a meadow, with a cloud that moves."""
    sky = np.linspace((200, 160, 110), (90, 150, 60), 240).astype(np.uint8)[:, None].repeat(320, axis=1)
    pictures = [sky.copy() for _ in range(5)]
    for n, picture in enumerate(pictures):
        picture[30:60, 40 + 5 * n : 140 + 5 * n] = 230
    found = annotated(film(tmp_path / "meadow.mp4", pictures), weights=pose_openvino, interpolate=1.0)
    assert (len(found.detections), len(found.tracks)) == (0, 0)


def test_one_picture(shown: Any, detect_openvino: Path, tmp_path: Path) -> None:
    found = annotated(film(tmp_path / "one.mp4", shown[:1]), weights=detect_openvino)
    assert len(found.detections) >= 3
    assert all(track.start == track.end == 0 and track.frames == 1 and track.gaps == () for track in found.tracks)


@pytest.mark.slow
def test_a_crowd_of_thousands(made: Mapping[str, Path], tmp_path: Path) -> None:
    """4000 people, 20x26 pixels each. Weights that see something everywhere, so that there is much to follow."""
    person = photograph(640)[240:560, 20:150]
    import cv2

    small = cv2.resize(person, (20, 26), interpolation=cv2.INTER_AREA)
    crowd = np.tile(small, (50, 80, 1))
    path = film(tmp_path / "crowd.mp4", [np.roll(crowd, 2 * n, axis=1) for n in range(3)], crf="20")
    everywhere = {"weights": made["detect"], "imgsz": 640, "conf": 0.001, "iou": 0.9, "track_low_thresh": 0.0005}
    follow = {"track_high_thresh": 0.001, "new_track_thresh": 0.001}
    many = annotated(path, max_det=1500, tracker="cbiou", **everywhere, **follow)
    counts = np.bincount(many.detections.frame, minlength=3)
    assert 1000 < counts.max() <= 1500
    assert len(many.tracks) == len(set(many.detections.track.compressed()))
    few = annotated(path, **everywhere, **follow)
    assert np.bincount(few.detections.frame).max() <= 300, "the best 300 are kept, as ultralytics does"
