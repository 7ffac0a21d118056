"""The pipeline in an environment of its own, with MediaPipe and its real weights, on real videos."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import videoannotator as va
from videoannotator.discover.known import how_to_install
from videoannotator.discover.models import sha256_of
from videoannotator.errors import ModelError
from videoannotator_face_landmarks import videoannotator_pipelines
from videoannotator_face_landmarks.rows import BLENDSHAPES

HERE = Path(__file__).parent

Recoded = Callable[..., Path]


def run(video: Path, weights: Path | str, *, rate: float = 5.0, **settings: Any) -> va.Result:
    config: Mapping[str, Any] = {
        "face_analysis": {"rate": rate},
        "face_landmarks": {"weights": str(weights), "rate": rate, **settings},
    }
    with va.Annotator(["face_landmarks"], config=config, download=False, cache=False) as annotator:
        return annotator.annotate(video, progress=False)


def rows(result: va.Result) -> va.PipelineResult:
    assert result.ok, result.failures
    return result["face_landmarks"]


def test_the_declared_file_is_this_one(weights: Path) -> None:
    (spec,) = videoannotator_pipelines()
    (model,) = spec.models
    assert (model.sha256, model.size) == (sha256_of(weights), weights.stat().st_size)


@pytest.mark.slow
def test_contract_batches_and_mediapipes_own_results(
    recoded: Recoded, python: str, weights: Path, assets: Path, tmp_path: Path
) -> None:
    clip = recoded(assets / "video" / "face_expressions.mp4", tmp_path / "clip.mkv", count=30)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    command = [python, str(HERE / "inside.py"), str(tmp_path), str(weights), str(clip)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["rows"] == 15
    assert np.mean(told["points"]) < 1.5  # pixels, of a face 230 wide: seen in its surroundings or by itself
    assert max(told["turns"]) < 6  # degrees: a picture's middle is another line of sight
    assert np.mean(told["coefficients"]) < 0.03


def test_a_face_is_where_face_analysis_sees_it(plugins: Path, weights: Path, assets: Path) -> None:
    result = run(assets / "video" / "face_expressions.mp4", weights, rate=2.0)
    faces, found = result["face_analysis"].faces, rows(result)
    assert len(found.landmarks) == len(found.blendshapes) == len(faces) == 40
    for name in ("frame", "time", "x1", "y1", "x2", "y2"):
        np.testing.assert_array_equal(found.landmarks.column(name), faces.column(name))
        np.testing.assert_array_equal(found.blendshapes.column(name), faces.column(name))
    points = np.stack(list(found.landmarks.points))
    width = (faces.x2 - faces.x1)[:, None]
    five = np.stack(list(faces.landmarks))
    for ours, theirs in (
        (468, 0),
        (473, 1),
        (1, 2),
        (61, 3),
        (291, 4),
    ):  # irises, tip of the nose, corners of the mouth
        distance = np.linalg.norm(points[:, ours, :2] - five[:, theirs], axis=1, keepdims=True) / width
        assert np.median(distance) < 0.08, (ours, theirs)
    assert (points[..., :2].mean(axis=1) > np.stack([faces.x1, faces.y1], axis=1)).all()
    assert (points[..., :2].mean(axis=1) < np.stack([faces.x2, faces.y2], axis=1)).all()
    eyes = points[:, 473, :2] - points[:, 468, :2]
    np.testing.assert_allclose(found.landmarks.roll, np.degrees(np.arctan2(-eyes[:, 1], eyes[:, 0])), atol=8)
    record = result.provenance.pipelines[-1]
    assert (record.name, record.isolation, record.models[0].sha256) == (
        "face_landmarks",
        "environment",
        sha256_of(weights),
    )


def test_the_head_turns_as_its_points_do(plugins: Path, weights: Path, assets: Path) -> None:
    """Where the nose is between the eyes tells to which side the head is turned, without any model."""
    found = rows(run(assets / "video" / "caregiver_infant.mp4", weights, rate=4.0)).landmarks
    points = np.stack(list(found.points))[..., :2]
    right, left, nose = points[:, 468], points[:, 473], points[:, 1]
    middle, across = (right + left) / 2, left - right
    offset = ((nose - middle) * across).sum(axis=1) / (across**2).sum(axis=1)
    assert len(found) >= 15
    assert np.corrcoef(offset, found.yaw)[0, 1] > 0.8
    assert found.yaw.min() < -15
    assert found.yaw.max() > 40  # the mother looks to her right, the infant to its left


def test_settings_act(recoded: Recoded, plugins: Path, weights: Path, assets: Path, tmp_path: Path) -> None:
    clip = recoded(assets / "video" / "face_expressions.mp4", tmp_path / "clip.mkv")
    plain = rows(run(clip, weights)).landmarks
    small = rows(run(clip, weights, height=180, points=False)).landmarks
    assert len(plain) == len(small) == 6
    assert small[0].points is None
    assert np.abs(small.yaw - plain.yaw).max() < 8
    assert len(rows(run(clip, weights, detection=1.0)).landmarks) == 0


def test_a_rotated_video_gives_what_the_upright_one_gives(
    recoded: Recoded, plugins: Path, weights: Path, assets: Path, tmp_path: Path
) -> None:
    source = assets / "video" / "face_expressions.mp4"
    upright = rows(run(recoded(source, tmp_path / "upright.mkv", count=6), weights))
    turned = rows(run(recoded(source, tmp_path / "turned.mkv", rotation=90, count=6), weights))
    assert len(upright.landmarks) == 3
    assert upright.landmarks == turned.landmarks
    assert upright.blendshapes == turned.blendshapes


@pytest.mark.parametrize("size", [(16, 90), (160, 90)])
def test_black_and_tiny_videos_are_covered_and_empty(
    plugins: Path, weights: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    clip = tmp_path / "black.mkv"
    with av.open(str(clip), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p10le"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p10le")))
        output.mux(stream.encode(None))
    found = rows(run(clip, weights))
    assert (len(found.landmarks), len(found.blendshapes)) == (0, 0)
    assert found.coverage.duration == pytest.approx(1.0)


def test_files_hold_all_of_it(recoded: Recoded, plugins: Path, weights: Path, assets: Path, tmp_path: Path) -> None:
    result = run(recoded(assets / "video" / "face_expressions.mp4", tmp_path / "clip.mkv", count=4), weights)
    written = result.export(tmp_path / "out", formats=["native", "csv"])
    (table,) = [path for path in written if path.suffix == ".csv" and "blendshapes" in path.name]
    header = table.read_text().splitlines()[0].replace('"', "").split(",")
    assert [name for name in header if name in BLENDSHAPES] == list(BLENDSHAPES)


def test_another_file_is_named(recoded: Recoded, plugins: Path, assets: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.task"
    other.write_bytes(b"no bundle")
    result = run(recoded(assets / "video" / "face_expressions.mp4", tmp_path / "clip.mkv", count=2), other)
    (failure,) = result.failures
    assert ModelError.__name__ in str(failure.kind) or "is no face_landmarker bundle of MediaPipe" in failure.message


def test_where_it_is_missing_the_command_is_told() -> None:
    assert how_to_install("face_landmarks") == "videoannotator plugins install face_landmarks --isolated"
