"""Cuts against a list made by looking: `scene_detection` beside PySceneDetect's own command.

Score: a found cut is right when a marked one lies at most `TOLERANCE` frames away that no other found one has (largest
matching). Precision, recall and F1 over all files together.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Figure, Section, Table

import videoannotator as va

__all__ = ["CUTS", "TOLERANCE", "Score", "judged", "sections"]

TOLERANCE = 1
"""Frames: at most this far from the marked one. 0 would be the same frame."""

CUTS: Mapping[str, tuple[int, ...]] = {
    "sitcom_kitchen.avi": (158, 289),
    "speech_on_stage.mp4": (20, 82, 211),
    "shot_change.mp4": (96,),
}
"""The first frame of each shot but the first, counted from 0 in the decoder's order.

Made by looking, not from what a detector says: all 434, 275 and 148 frames of the three files, 160 pixels wide, 120 on
a sheet, in the order in which FFmpeg gives them (the times in sitcom_kitchen.avi jump back, so time says nothing
there). All six are hard cuts: the frame before shows nothing of the new picture, the frame itself nothing of the old
one. What is none: the camera that draws back and the woman who walks through the kitchen (frames 0 to 157), the heads
before the camera in the audience (20 to 81), hands in motion.
"""

_OURS: Mapping[str, Mapping[str, Any]] = {
    detector: {"detector": detector} for detector in ("content", "adaptive", "hash", "histogram", "threshold")
}
_THEIRS: Mapping[str, str] = {
    "content": "detect-content",
    "adaptive": "detect-adaptive",
    "hash": "detect-hash",
    "histogram": "detect-hist",
    "threshold": "detect-threshold",
}


@attrs.frozen
class Score:
    """Counts of one side over all files."""

    right: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.false + other.false, self.missed + other.missed)

    @property
    def precision(self) -> float | None:
        """Of what was found, the share that is right; None where nothing was found."""
        return self.right / (self.right + self.false) if self.right + self.false else None

    @property
    def recall(self) -> float:
        """Of what is marked, the share that was found."""
        return self.right / (self.right + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / (2 * self.right + self.false + self.missed)


def judged(found: Sequence[int], marked: Sequence[int], tolerance: int = TOLERANCE) -> Score:
    """How many cuts match, none twice. On a line, taking the earliest partner first gives the largest matching."""
    left, right = sorted(found), 0
    for cut in sorted(marked):
        left = [one for one in left if one >= cut - tolerance]
        if left and left[0] <= cut + tolerance:
            left.pop(0)
            right += 1
    return Score(right, len(found) - right, len(marked) - right)


def ours(video: Path, config: Mapping[str, Any]) -> list[int]:
    """First frames of all shots but the first."""
    with va.Annotator(["scene_detection"], config={"scene_detection": config}, cache=False) as annotator:
        shots = annotator.annotate(video, progress=False, on_error="raise")["scene_detection"].shots
    return [int(frame) for frame in shots.start_frame[1:]]


def theirs(video: Path, command: str) -> list[int]:
    """The same by ``scenedetect -b pyav -i FILE COMMAND list-scenes``.

    The frame is that of the time it prints, since the frame numbers it prints are times at the average rate, rounded.
    Its PyAV backend prints FFmpeg's own times, also where they jump; those of its OpenCV backend are OpenCV's, which
    differ in sitcom_kitchen.avi, so no frame could be told from them. The cuts are the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "scenedetect", "-q", "-b", "pyav", "-i", str(video), command]
        subprocess.run([*run, "list-scenes", "-q", "-s", "-o", folder, "-f", "scenes"], check=True)
        with (Path(folder) / "scenes.csv").open() as file:
            starts = [float(row["Start Time (seconds)"]) for row in csv.DictReader(file)]
    with av.open(str(video)) as container:
        times = np.array([frame.time for frame in container.decode(video=0)], dtype=float)
    return [int(np.abs(times - times[0] - (start - starts[0])).argmin()) for start in starts[1:]]


def sections() -> list[Section]:
    """Measure all sides."""
    rows, totals = [], {}
    for detector in _OURS:
        sides = {
            "scene_detection": {name: ours(ASSETS / "video" / name, _OURS[detector]) for name in CUTS},
            "scenedetect": {name: theirs(ASSETS / "video" / name, _THEIRS[detector]) for name in CUTS},
        }
        for side, found in sides.items():
            total = sum((judged(found[name], CUTS[name]) for name in CUTS), Score())
            totals[side, detector] = total
            kitchen = judged(found["sitcom_kitchen.avi"], CUTS["sitcom_kitchen.avi"])
            precision = "-" if total.precision is None else f"{total.precision:.2f}"
            shown = (f"{kitchen.f1:.2f}", f"{total.f1:.2f}", precision, f"{total.recall:.2f}")
            frames = "; ".join(", ".join(map(str, found[name])) or "none" for name in CUTS)
            rows.append((detector, side, *shown, frames))
    default = totals["scene_detection", "content"]
    figures = (
        Figure("F1 with the default settings", (default.f1,), "", least=totals["scenedetect", "content"].f1, how=".2f"),
    )
    head = ("detector", "side", "F1, kitchen", "F1, all", "precision", "recall", "frames found, by file")
    count = sum(map(len, CUTS.values()))
    title = f"Cuts: {count} marked by hand in {', '.join(CUTS)}, {TOLERANCE} frame of tolerance"
    return [Section(title, "", figures, (Table(head, tuple(rows)),))]
