"""The command on a recording of the kind it is for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import webvtt

import videoannotator as va

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def everything() -> None:
    """Skip where one of the shipped plugins is not installed."""
    for name in ("face-analysis", "person-tracking", "scene-detection", "voice-activity"):
        try:
            distribution(f"videoannotator-{name}")
        except PackageNotFoundError:
            pytest.skip(f"videoannotator-{name} is not installed")


@pytest.mark.usefixtures("everything")
def test_annotate_a_mother_and_her_baby(real_command: Command, assets: Path, tmp_path: Path) -> None:
    weights = assets / "models" / "yolov8n-pose_int8_openvino_model"
    video = assets / "video" / "caregiver_infant.mp4"
    done = real_command(
        *("annotate", video, "--end", "4", "--out", tmp_path, "--format", "native,coco,webvtt,rttm,mot", "--sheet"),
        *("--offline", "--set", f"person_tracking.weights={weights}"),
    )
    assert done.returncode == 0, done.stderr
    written = [Path(line) for line in done.stdout.splitlines()]
    assert all(path.exists() for path in written)
    assert tmp_path / "caregiver_infant_sheet.png" in written

    result = va.read(tmp_path / "caregiver_infant.videoannotator")
    assert set(result) >= {"face_analysis", "person_tracking", "scene_detection", "voice_activity"}
    persons = result["person_tracking"].detections
    assert len(set(persons.track[persons.frame == persons.frame[0]].tolist())) >= 1
    assert 0 <= persons.time.min() < persons.time.max() < 4
    assert len(result["face_analysis"].faces) > 10
    assert len(result["voice_activity"].speech) >= 1

    coco = json.loads((tmp_path / "caregiver_infant_person_tracking.json").read_text("utf-8"))
    assert len(coco["annotations"]) == len(persons)
    tracks = (tmp_path / "caregiver_infant_person_tracking.txt").read_text("utf-8").splitlines()
    assert len(tracks) == (~np.ma.getmaskarray(persons.track)).sum()
    captions = webvtt.read(tmp_path / "caregiver_infant_voice_activity.vtt").captions
    assert len(captions) == len(result["voice_activity"].speech)
