"""OpenFace 3.0 in an environment of its own: real network code, random weights in the real formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import videoannotator as va
from videoannotator.errors import ConfigError
from videoannotator.shell.main import Exit, main

HEADS = {
    "emotions": ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"),
    "units": ("au1", "au2", "au4", "au6", "au9", "au12", "au25", "au26"),
    "gaze": ("gaze_yaw", "gaze_pitch"),
}
CHECKS = (
    "faces_are_those_of_face_detector",
    "crops_are_those_of_get_face",
    "heads_are_read_in_the_order_of_the_network",
    "red_and_blue_are_not_exchanged",
    "landmarks_are_those_of_landmark_detector",
    "other_files_are_refused",
    "code_in_a_pickle_is_not_run",
    "parts_outside_of_the_picture",
    "bits_depend_neither_on_threads_nor_on_company",
    "pictures_of_any_size",
)


@pytest.fixture(scope="session")
def compared(home: Any, weights: Path, pictures: Path) -> dict[str, str]:
    """What is wrong, by check, where our networks stand beside openface-test's own."""
    found: dict[str, str] = home.run("comparing.py", str(weights), str(pictures), folder=weights)
    return found


def test_every_check_is_run(compared: dict[str, str]) -> None:
    assert sorted(compared) == sorted(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_networks_are_openface_tests_own(compared: dict[str, str], name: str) -> None:
    assert not compared[name], compared[name]


@pytest.fixture
def there(home: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`home`, as the environment that pipelines are looked for in."""
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(home.plugins))
    folder: Path = home.plugins
    return folder


@pytest.mark.slow
def test_contract(home: Any, settings: dict[str, Any], weights: Path, tmp_path: Path) -> None:
    threshold = json.loads((weights / "drawn.json").read_text())
    rows = home.run("contract.py", str(tmp_path), say=json.dumps({**settings, "rate": 2.0, "threshold": threshold}))
    assert rows["plain"] > 1, "a contract kept by no rows at all says little"


@pytest.mark.slow
def test_a_real_video_from_the_run_of_another_environment(
    there: Path, assets: Path, weights: Path, settings: dict[str, Any]
) -> None:
    config = {**settings, "landmarks": str(weights / "Landmark_98.pkl"), "rate": 0.5, "height": 180}
    with va.Annotator(["openface3"], config={"openface3": config}, cache=False) as annotator:
        result = annotator.annotate(assets / "video" / "face_expressions.mp4", end=4.0, progress=False)
    assert result.ok, result.failures
    faces, rows = result["openface3"].faces, result["openface3"].behaviour
    assert len(faces) == len(rows) > 1
    assert faces.row_class is va.Face, "so that COCO and drawing know them"
    assert set(faces.frame) <= {0, 48}
    assert faces.frame.tolist() == rows.frame.tolist()
    for frame in set(rows.frame):
        scores = faces[faces.frame == frame].score
        assert (np.diff(scores) <= 0).all(), "best first"
    for name in ("x1", "y1", "x2", "y2"):
        assert (faces.column(name) == rows.column(name)).all()
    assert min(faces.x1) >= 0
    assert max(faces.x2) <= 640
    assert max(faces.y2) <= 360
    shares = np.stack([rows.column(name) for name in HEADS["emotions"]])
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    units = np.stack([rows.column(name) for name in HEADS["units"]])
    assert ((units >= 0) & (units <= 1)).all()
    assert np.isfinite(np.stack([rows.column(name) for name in HEADS["gaze"]])).all()
    for face, row in zip(faces, rows, strict=True):
        assert row.landmarks.shape == (98, 2)
        assert face.landmarks is not None
        assert face.track is None
        assert row.track is None
    record = result.provenance.pipelines[0]
    assert record.isolation == "environment"
    assert record.libraries["openface-test"] == "0.1.26"
    assert {model.name for model in record.models} == {
        "MTL_backbone.pth",
        "Alignment_RetinaFace.pth",
        "Landmark_98.pkl",
    }
    assert "NonCommercial" in record.licence


@pytest.mark.slow
def test_with_the_boxes_and_tracks_of_another_pipeline(
    there: Path, assets: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    ours = {**settings, "detector": None, "threshold": 0.5, "rate": 1.0}
    config = {"openface3": ours, "face_analysis": {"rate": 1.0}}
    with va.Annotator(["face_analysis", "openface3"], config=config, cache=False) as annotator:
        result = annotator.annotate(assets / "video" / "face_expressions.mp4", end=3.0, progress=False)
    assert result.ok, result.failures
    theirs, faces, rows = result["face_analysis"].faces, result["openface3"].faces, result["openface3"].behaviour
    assert len(theirs) == len(faces) == len(rows) == 3
    for name in ("frame", "time", "score", "x1", "y1", "x2", "y2"):
        np.testing.assert_allclose(faces.column(name), theirs.column(name), rtol=1e-6)
    for one, other in zip(faces, theirs, strict=True):
        np.testing.assert_allclose(one.landmarks, other.landmarks, rtol=1e-5)
        assert one.track == other.track
    assert len({row.happy for row in rows}) == 3, "each face is looked at"
    assert all(row.landmarks is None for row in rows)
    result.export(tmp_path, formats=["native", "coco", "csv"])
    assert va.read(tmp_path / "face_expressions.videoannotator") == result
    assert list(tmp_path.glob("*openface3*.json")), "COCO holds the faces"


def test_where_it_is_not_installed_one_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(va.VideoAnnotatorError, match="videoannotator plugins install openface3 --isolated"):
        va.Annotator(["openface3"])
    assert main(["pipelines"]) == Exit.WELL
    assert "videoannotator plugins install openface3 --isolated" in capsys.readouterr().out


def test_settings_and_weights_are_told_before_a_run(there: Path, assets: Path) -> None:
    with pytest.raises(ConfigError, match=r"openface3\.threshold must be .*\[0\.02, 1\]"):
        va.Annotator(["openface3"], config={"openface3": {"threshold": 0.0}})
    spec = va.catalog().pipeline("openface3").spec
    assert {model.name for model in spec.models} == {
        "openface3-multitask",
        "openface3-retinaface",
        "openface3-landmarks",
    }
    assert all("NonCommercial" in model.licence for model in spec.models)
    with va.Annotator() as annotator:
        assert "openface3-multitask" in annotator.left_out["openface3"]
