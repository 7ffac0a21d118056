"""The others' own tools, run as their users run them, and what they wrote."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from benchmarks.speed.comparing import Floats, Found
from benchmarks.speed.processes import Ran, timed

__all__ = ["scenedetect", "silero", "yolo"]


def yolo(
    video: Path, weights: Path, frames: int, size: tuple[int, int], folder: Path, environment: Mapping[str, str]
) -> Ran:
    """``yolo track`` with the tracker, the class and the output that we have. ``size``: of the picture."""
    options = {
        "model": weights,
        "source": video,
        "tracker": "bytetrack.yaml",
        "classes": 0,
        "save": False,
        "save_txt": True,
        "save_conf": True,
        "project": folder,
        "name": "yolo",
        "exist_ok": True,
        "verbose": False,
    }
    program = Path(sys.executable).with_name("yolo")
    cost = timed([str(program), "track", *(f"{key}={value}" for key, value in options.items())], environment)
    rows = []
    for n in range(frames):
        path = folder / "yolo" / "labels" / f"{video.stem}_{n + 1}.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        rows.append(np.array([_row(line, size) for line in lines]) if lines else np.zeros((0, 6)))
    return Ran(cost, found=Found(rows=rows))


def _row(line: str, size: tuple[int, int]) -> list[float]:
    """A line of ``save_txt``: class, x, y, w, h as shares of the picture, keypoints, score and, if tracked, the id."""
    _, x, y, w, h, *rest = (float(word) for word in line.split())
    points, last = rest[: len(rest) // 3 * 3], rest[len(rest) // 3 * 3 :]  # three numbers for each keypoint
    box = [(x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1]]
    scaled = [value * ((*size, 1)[i % 3]) for i, value in enumerate(points)]
    return [last[1] if len(last) > 1 else 0.0, last[0], *box, *scaled]


def scenedetect(video: Path, folder: Path, environment: Mapping[str, str]) -> Ran:
    """``scenedetect detect-content list-scenes``."""
    command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(video), "detect-content", "list-scenes", "-q"]
    cost = timed([*command, "-s", "-o", str(folder), "-f", "scenes"], environment)
    with (folder / "scenes.csv").open() as file:
        starts = [float(row["Start Time (seconds)"]) for row in csv.DictReader(file)]
    return Ran(cost, found=Found(cuts=np.array(starts[1:])))


def silero(video: Path, folder: Path, environment: Mapping[str, str]) -> Ran:
    """silero-vad's own package, in the program that its README describes."""
    target = folder / "speech.json"
    cost = timed([sys.executable, "-m", "benchmarks.speed.silero", str(video), str(target)], environment)
    told = json.loads(target.read_text(encoding="utf-8"))
    speech: Floats = np.array([[part["start"], part["end"]] for part in told], dtype=np.float64).reshape(-1, 2)
    return Ran(cost, found=Found(speech=speech / 16000))
