"""The pipeline on real files against PySceneDetect's own command, and on made ones against what was made."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.data.frames import FrameBatch
from videoannotator.data.media import MediaInfo, VideoInfo
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError
from videoannotator_scene_detection import videoannotator_pipelines
from videoannotator_scene_detection.config import DetectorName, SceneDetectionConfig
from videoannotator_scene_detection.pipeline import SceneDetection

(SPEC,) = videoannotator_pipelines()
_COMMANDS: dict[DetectorName, str] = {
    "content": "detect-content",
    "adaptive": "detect-adaptive",
    "hash": "detect-hash",
    "histogram": "detect-hist",
    "threshold": "detect-threshold",
}


def _command(video: Path, folder: Path, detector: DetectorName, *options: str) -> list[tuple[float, float]]:
    """Shots of the ``scenedetect`` command: start and end in seconds since the first picture, to the millisecond."""
    run = [sys.executable, "-m", "scenedetect", "-q", "-i", str(video), _COMMANDS[detector], *options]
    subprocess.run([*run, "list-scenes", "-q", "-s", "-o", str(folder), "-f", "scenes"], check=True, timeout=120)
    with (folder / "scenes.csv").open() as file:
        return [(float(r["Start Time (seconds)"]), float(r["End Time (seconds)"])) for r in csv.DictReader(file)]


def _compare(ran: Any, expected: list[tuple[float, float]]) -> None:
    """Times equal to the millisecond that the command prints.

    Its frame numbers are not compared: it rounds them from the time at the average rate, so in ``shot_change.mp4``,
    which lacks a frame, the first frame of the second shot is its 95 where the file has 96. It counts time from the
    first picture, we from the file's time 0; and it guesses how long the last frame is shown.
    """
    found, clock = ran.tables["shots"], ran.media.video.clock
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.start - clock.times[0], [start for start, _ in expected], atol=0.0006)
    np.testing.assert_allclose(found.end[:-1] - clock.times[0], [end for _, end in expected[:-1]], atol=0.0006)
    assert found.end[-1] - clock.times[0] == pytest.approx(expected[-1][1], abs=0.05)
    np.testing.assert_array_equal(found.start, clock.times[found.start_frame])
    assert found.end_frame.tolist() == [*found.start_frame[1:], len(clock)]


@pytest.mark.parametrize("detector", list(_COMMANDS))
@pytest.mark.parametrize("name", ["shot_change.mp4", "speech_on_stage.mp4", "face_expressions.mp4"])
def test_shots_are_those_of_the_scenedetect_command(
    assets: Path, tmp_path: Path, run_alone: Any, name: str, detector: DetectorName
) -> None:
    video = assets / "video" / name
    _compare(run_alone(SPEC, video, {"detector": detector}), _command(video, tmp_path, detector))


@pytest.mark.parametrize(
    ("name", "detector", "threshold", "shortest"),
    [
        ("speech_on_stage.mp4", "content", 12.0, 0.0),  # many weak cuts: the values have to be equal, too
        ("face_expressions.mp4", "content", 10.0, 0.3),
        ("speech_on_stage.mp4", "adaptive", 1.5, 1.0),
        ("speech_on_stage.mp4", "hash", 0.1, 0.2),
        ("face_expressions.mp4", "histogram", 0.005, 0.1),
        ("shot_change.mp4", "threshold", 60.0, 0.1),
    ],
)
def test_shots_are_those_of_the_command_with_other_settings(
    assets: Path, tmp_path: Path, run_alone: Any, name: str, detector: DetectorName, threshold: float, shortest: float
) -> None:
    video = assets / "video" / name
    expected = _command(video, tmp_path, detector, "-t", str(threshold), "-m", f"{shortest}s")
    config = {"detector": detector, "threshold": threshold, "min_scene_length": shortest}
    _compare(run_alone(SPEC, video, config), expected)


def test_scores_are_those_of_the_detector(assets: Path, run_alone: Any) -> None:
    shots = run_alone(SPEC, assets / "video" / "shot_change.mp4").tables["shots"]
    assert np.isnan(shots.score[0])
    assert shots.score[1] == pytest.approx(75.025, abs=0.001)  # content_val in the command's stats file


def test_a_variable_frame_rate_gives_the_files_own_times(assets: Path, run_alone: Any) -> None:
    ran = run_alone(SPEC, assets / "video" / "caregiver_infant.mp4", {"threshold": 4.0})
    shots, clock = ran.tables["shots"], ran.media.video.clock
    assert clock.variable
    assert len(shots) > 2
    np.testing.assert_array_equal(shots.start, clock.times[shots.start_frame])
    assert (shots.start[0], shots.end[-1]) == (clock.times[0], clock.end)


def test_repaired_times_give_shots_that_do_not_end_before_they_begin(assets: Path, run_alone: Any) -> None:
    """PySceneDetect prints a last shot from 24.4 s to 18.1 s for this file."""
    ran = run_alone(SPEC, assets / "video" / "sitcom_kitchen.avi")
    shots = ran.tables["shots"]
    assert ran.media.video.clock.source == "repaired"
    assert len(shots) >= 3
    assert (shots.start < shots.end).all()
    assert shots.end_frame[-1] == len(ran.media.video.clock)


def test_a_span_gives_the_shots_inside_it(assets: Path, run_alone: Any) -> None:
    span = TimeSpan(2.0, 4.0)
    shots = run_alone(SPEC, assets / "video" / "shot_change.mp4", span=span).tables["shots"]
    assert shots.start_frame.tolist() == [60, 96]
    assert shots.start[0] == pytest.approx(2.0, abs=0.04)
    assert shots.end[-1] == 4.0


def test_a_video_of_one_frame_is_one_shot(tmp_path: Path, run_alone: Any) -> None:
    path = tmp_path / "one.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    (shot,) = run_alone(SPEC, path).tables["shots"]
    assert (shot.start_frame, shot.end_frame, shot.start, shot.score) == (0, 1, 0.0, None)
    assert shot.end > 0


@pytest.mark.parametrize("detector", list(_COMMANDS))
def test_a_black_video_is_one_shot_without_fades(tmp_path: Path, run_alone: Any, detector: DetectorName) -> None:
    path = tmp_path / "black.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    tables = run_alone(SPEC, path, {"detector": detector, "fades": True}).tables
    (shot,) = tables["shots"]
    assert (shot.start_frame, shot.end_frame, shot.score, shot.label) == (0, 30, None, None)
    assert len(tables["transitions"]) == len(tables["labels"]) == 0


# ---- without files --------------------------------------------------------------------------------------------------


def _pipeline(
    pts: Any,
    config: dict[str, Any],
    time_base: Fraction = Fraction(1, 1000),
    kind: type[SceneDetection] = SceneDetection,
) -> SceneDetection:
    clock = FrameClock(pts, time_base, origin=Fraction(int(pts[0])), duration=40)
    rate = Fraction(len(clock), int(clock.pts[-1] - clock.pts[0]) + 40) / time_base
    video = VideoInfo("h264", "yuv420p", 32, 24, 32, 24, 0, Fraction(1), rate, len(clock), 8, False, None, clock)
    media = MediaInfo("/made.mp4", 1, "mov", clock.end, video, None)
    pipeline = kind(config_of(SPEC, config), Context(media=media, span=media.span))
    pipeline.setup()
    pipeline.begin()
    return pipeline


def _feed(pipeline: SceneDetection, frames: list[int], colors: list[int], batch: int = 4) -> None:
    clock = pipeline._clock
    for begin in range(0, len(frames), batch):
        index = np.array(frames[begin : begin + batch])
        levels = np.array(colors[begin : begin + batch], dtype=np.uint8)
        pixels = np.ones((len(index), 24, 32, 3), np.uint8) * levels[:, None, None, None]
        pipeline.process(FrameBatch(index, clock.times[index], pixels, "bgr", 32, 24))


def _show(pipeline: SceneDetection, frames: list[int], colors: list[int], batch: int = 4) -> Table[Shot]:
    _feed(pipeline, frames, colors, batch)
    return pipeline.finish()["shots"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=80),
    st.sampled_from(["content", "adaptive", "hash", "histogram", "threshold"]),
    st.floats(0, 2),
    st.randoms(use_true_random=False),
)
def test_shots_follow_each_other_without_gap_or_overlap(
    steps: list[int], detector: str, shortest: float, random: Any
) -> None:
    pipeline = _pipeline(1000 + np.cumsum(steps), {"detector": detector, "min_scene_length": shortest})
    frames = sorted(random.sample(range(len(steps)), random.randint(1, len(steps))))  # some did not decode
    shots = _show(pipeline, frames, [random.choice([0, 5, 90, 250]) for _ in frames])
    clock = pipeline._clock
    assert shots.start_frame[0] == frames[0]
    assert shots.end_frame[-1] == frames[-1] + 1
    np.testing.assert_array_equal(shots.end[:-1], shots.start[1:])
    np.testing.assert_array_equal(shots.end_frame[:-1], shots.start_frame[1:])
    np.testing.assert_array_equal(shots.start, clock.times[shots.start_frame])
    assert set(shots.start_frame.tolist()) <= set(frames)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([0, 5, 90, 250])), min_size=1, max_size=40),
    st.sampled_from(list(_COMMANDS)),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_shots_are_the_same_when_another_goes_on_from_the_state(
    steps: list[tuple[int, int]], detector: str, shortest: float, random: Any
) -> None:
    pts = 1000 + np.cumsum([step for step, _ in steps])
    config = {"detector": detector, "min_scene_length": shortest}
    frames = sorted(random.sample(range(len(steps)), random.randint(1, len(steps))))
    colors = [steps[frame][1] for frame in frames]
    expected = _show(_pipeline(pts, config), frames, colors)
    for border in range(0, len(frames) + 1, 4):
        before, after = _pipeline(pts, config), _pipeline(pts, config)
        _feed(before, frames[:border], colors[:border])
        state = before.state()
        kept = pickle.dumps(state)
        _show(before, frames[border:], colors[border:])
        assert pickle.dumps(state) == kept
        after.restore(state)
        assert _show(after, frames[border:], colors[border:]) == expected


@pytest.mark.parametrize("detector", list(_COMMANDS))
def test_memory_does_not_grow_with_the_frames(detector: str) -> None:
    count = 3000
    pipeline = _pipeline(range(0, count * 40, 40), {"detector": detector, "min_scene_length": 0.2})
    # two changes close to each other, which leave a merge waiting; then a fade to a black that does not end
    colors = [90, 90, 250] + [90] * 20 + [250, 90, 250, 0] + [120] * 100
    colors += [0] * (count - len(colors))
    _feed(pipeline, list(range(500)), colors[:500])
    early = len(pickle.dumps(pipeline.state()))
    _feed(pipeline, list(range(500, count)), colors[500:])
    assert len(pickle.dumps(pipeline.state())) < early + 100


def test_the_shortest_shot_is_measured_in_time_where_the_rate_varies() -> None:
    """The second change comes three frames after the first, but a second later: both are cuts."""
    pts = [*range(0, 1000, 40), 1000, 1040, 1080, 2080, *range(2120, 3000, 40)]
    colors = [0] * 25 + [200] * 3 + [20] * (len(pts) - 28)
    shots = _show(_pipeline(pts, {"min_scene_length": 0.6}), list(range(len(pts))), colors)
    np.testing.assert_allclose(shots.start, [0.0, 1.0, 2.08])


def test_no_frames_no_shots() -> None:
    assert len(_pipeline([0, 40], {}).finish()["shots"]) == 0


def test_a_fade_opens_the_shot_in_the_middle_of_the_black() -> None:
    colors = [120] * 20 + [0] * 10 + [120] * 20
    config = {"detector": "threshold", "min_scene_length": 0.2}
    shots = _show(_pipeline(range(0, 2000, 40), config), list(range(50)), colors)
    assert shots.start_frame.tolist() == [0, 25]
    assert shots.score[1] == 0.0


@pytest.mark.parametrize(("detector", "threshold"), [("hash", 1.5), ("histogram", 27.0)])
def test_a_threshold_in_another_detectors_unit_is_refused(detector: str, threshold: float) -> None:
    with pytest.raises(
        ConfigError, match=rf"threshold of the {detector} detector must be in \[0, 1\], got {threshold}"
    ):
        config_of(SPEC, {"detector": detector, "threshold": threshold})


def test_the_defaults_are_those_of_the_command() -> None:
    from scenedetect._cli.config import CONFIG_MAP

    for detector, command in _COMMANDS.items():
        assert SceneDetectionConfig(detector=detector).cut_at == CONFIG_MAP[command]["threshold"].value
    assert CONFIG_MAP["global"]["min-scene-len"].value == f"{SceneDetectionConfig().min_scene_length}s"


def test_importing_the_plugin_and_its_config_imports_no_picture_library() -> None:
    code = (
        "import sys, videoannotator_scene_detection as p, videoannotator_scene_detection.config as c;"
        "p.videoannotator_pipelines(); c.SceneDetectionConfig().needs();"
        "print(sorted({'cv2', 'scenedetect', 'av', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
