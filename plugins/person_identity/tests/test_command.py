"""Hints through the command, on a real recording."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("videoannotator_person_tracking", reason="person_tracking is not installed")


def test_hints_in_a_settings_file_name_mother_and_infant(assets: Path, tmp_path: Path) -> None:
    pose = assets / "models" / "yolov8n-pose_int8_openvino_model"
    (tmp_path / "study.toml").write_text(
        f"""
        [person_tracking]
        weights = "{pose.as_posix()}"
        [person_identity]
        hints = [
            {{ time = 0.5, x = 200, y = 380, role = "infant" }},
            {{ time = 0.5, x = 540, y = 300, role = "mother", name = "A." }},
        ]
        """
    )
    video = assets / "video" / "caregiver_infant.mp4"
    chosen = ["--pipelines", "person_tracking,person_identity", "--config", str(tmp_path / "study.toml")]
    osnet = ["--set", f"person_identity.weights={assets / 'models' / 'osnet_x0_25_msmt17.onnx'}"]
    written = ["--out", str(tmp_path / "out"), "--format", "csv", "--end", "1.5", "--no-cache", "--offline"]
    command = Path(sys.executable).with_name("videoannotator")
    done = subprocess.run(
        [str(command), "annotate", str(video), *chosen, *osnet, *written], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (table,) = (tmp_path / "out").glob("*_persons.csv")
    with table.open() as file:
        rows = [(row["name"], row["role"], row["role_score"], row["role_method"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("", "infant", "", "hint"), ("A.", "mother", "", "hint")]
