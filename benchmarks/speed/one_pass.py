"""One pass against one after the other: persons and cuts of a video.

Here by videoannotator, there by `yolo track` and then `scenedetect`, with the same weights and settings. Both sides are
programs of their own, started afresh for every repeat, so imports and loading count on both. What they find is compared
first; if it differs this program says where and exits with 1, without any figures.

    python benchmarks/speed/one_pass.py [--video FILE] [--weights FILE_OR_FOLDER] [--repeats 5]
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

ASSETS = Path(os.environ.get("VIDEOANNOTATOR_TEST_ASSETS", Path(__file__).parents[2] / "../shared/assets")).resolve()
PIXELS, SCORE, SECONDS = 0.02, 2e-5, 0.0006  # what `yolo` and `scenedetect` round away when they write text

TIMEOUT = 3600.0  # seconds for one program


class DifferenceError(Exception):
    """The two sides did not find the same."""


@attrs.frozen(eq=False)
class Found:
    """What one side found. ``rows``: one array per frame, of track (0: none), score, x1, y1, x2, y2, keypoints.

    ``cuts``: seconds since the first picture.
    """

    rows: Sequence[NDArray[np.float64]]
    cuts: NDArray[np.float64]


@attrs.frozen
class Cost:
    """Seconds of wall clock and of processor."""

    wall: float
    cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


def timed(command: Sequence[str], environment: dict[str, str]) -> Cost:
    """Run a program to its end and say what it cost. Its output is shown only when it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except subprocess.TimeoutExpired as late:
        raise SystemExit(f"{' '.join(command)}\nwas not done after {late.timeout} seconds") from late
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def annotate(video: str, weights: str, target: str) -> None:
    """Our side, in a process of its own: both pipelines in one pass."""
    import videoannotator as va
    from videoannotator.errors import NoVideoError

    settings = {"person_tracking": {"weights": weights}}
    with va.Annotator(["person_tracking", "scene_detection"], config=settings) as annotator:
        result = annotator.annotate(video, progress=False, on_error="raise")
    found, shots, picture = result["person_tracking"].detections, result["scene_detection"].shots, result.media.video
    if picture is None:
        raise NoVideoError("there are no pictures to compare", path=video)
    points = [np.zeros(0) if row.keypoints is None else row.keypoints.ravel() for row in found]
    np.savez(
        target,
        frame=found.frame,
        boxes=np.stack([np.ma.filled(found.track, 0), found.score, found.x1, found.y1, found.x2, found.y2], axis=1),
        points=np.stack(points) if points else np.zeros((0, 0)),
        cuts=shots.start[1:] - picture.clock.times[0],
        size=[picture.width, picture.height, len(picture.clock)],
    )


def ours(folder: Path, video: Path, weights: Path, environment: dict[str, str]) -> tuple[Cost, Found, tuple[int, int]]:
    """Cost and findings of videoannotator, and the size of the picture."""
    target = folder / "ours.npz"
    cost = timed([sys.executable, __file__, "--child", str(video), str(weights), str(target)], environment)
    with np.load(target) as kept:
        rows = np.concatenate([kept["boxes"], kept["points"]], axis=1)
        width, height, frames = kept["size"].tolist()
        return cost, Found([rows[kept["frame"] == n] for n in range(frames)], kept["cuts"]), (width, height)


def yolo(folder: Path, video: Path, weights: Path, environment: dict[str, str]) -> Cost:
    """Cost of ``yolo track`` with the tracker, the class and the output that we have."""
    program = Path(sys.executable).with_name("yolo")
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
    return timed([str(program), "track", *(f"{key}={value}" for key, value in options.items())], environment)


def scenedetect(folder: Path, video: Path, environment: dict[str, str]) -> Cost:
    """Cost of ``scenedetect detect-content list-scenes``."""
    command = [sys.executable, "-m", "scenedetect", "-q", "-i", str(video), "detect-content", "list-scenes", "-q"]
    return timed([*command, "-s", "-o", str(folder), "-f", "scenes"], environment)


def theirs(folder: Path, video: Path, frames: int, size: tuple[int, int], width: int) -> Found:
    """What the two programs wrote. ``width``: numbers in one of our rows."""
    rows = []
    for n in range(frames):
        path = folder / "yolo" / "labels" / f"{video.stem}_{n + 1}.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        rows.append(np.array([_row(line, size, width) for line in lines]).reshape(-1, width))
    with (folder / "scenes.csv").open() as file:
        starts = [float(row["Start Time (seconds)"]) for row in csv.DictReader(file)]
    return Found(rows, np.array(starts[1:]))


def _row(line: str, size: tuple[int, int], width: int) -> list[float]:
    """A line of ``save_txt``: class, x, y, w, h as shares of the picture, keypoints, score and, if tracked, the id."""
    _, x, y, w, h, *rest = (float(word) for word in line.split())
    points, last = rest[: width - 6], rest[width - 6 :]
    box = [(x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1]]
    scaled = [value * ((*size, 1)[i % 3]) for i, value in enumerate(points)]
    return [last[1] if len(last) > 1 else 0.0, last[0], *box, *scaled]


def compare(mine: Found, other: Found) -> None:
    """Raises `DifferenceError` where the two sides found something else."""
    for n, (a, b) in enumerate(zip(mine.rows, other.rows, strict=True)):
        if a.shape != b.shape or (a[:, 0] != b[:, 0]).any():
            raise DifferenceError(f"frame {n}: tracks {a[:, 0].tolist()} here, {b[:, 0].tolist()} there")
        off = np.abs(a - b)
        if off.size and (off[:, 1].max() > SCORE or off[:, 2:].max() > PIXELS):
            raise DifferenceError(f"frame {n}: scores differ by {off[:, 1].max()}, pixels by {off[:, 2:].max()}")
    if len(mine.cuts) != len(other.cuts) or (np.abs(mine.cuts - other.cuts) > SECONDS).any():
        raise DifferenceError(f"cuts at {mine.cuts.tolist()} here, {other.cuts.tolist()} there")


def measure(video: Path, weights: Path, repeats: int) -> dict[str, list[Cost]]:
    """Costs of every repeat; the sides take turns. Raises `DifferenceError`."""
    costs: dict[str, list[Cost]] = {"yolo track": [], "scenedetect": [], "one after the other": [], "one pass": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # neither side calls home (OpenVINO heeds CI) or touches the settings of whoever runs this
            environment = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": name, "CI": "true"}
            one, mine, size = ours(folder, video, weights, environment)
            track, cuts = yolo(folder, video, weights, environment), scenedetect(folder, video, environment)
            width = next((rows.shape[1] for rows in mine.rows if len(rows)), 6)
            compare(mine, theirs(folder, video, len(mine.rows), size, width))
        for side, cost in zip(costs, (track, cuts, track + cuts, one), strict=True):
            costs[side].append(cost)
        print(f"  found the same: {sum(map(len, mine.rows))} rows, {len(mine.cuts)} cuts", file=sys.stderr)
    return costs


def report(costs: dict[str, list[Cost]]) -> None:
    """Medians, and the ratio of one after the other to one pass, repeat by repeat."""

    def median(side: str, of: Callable[[Cost], float]) -> float:
        return statistics.median(of(cost) for cost in costs[side])

    print(f"\n{'':22}{'wall s':>10}{'CPU s':>10}   (medians of {len(costs['one pass'])})")
    for side in costs:
        print(f"{side:22}{median(side, lambda c: c.wall):>10.2f}{median(side, lambda c: c.cpu):>10.2f}")
    pairs = list(zip(costs["one after the other"], costs["one pass"], strict=True))
    for what, ratios in (("wall", [a.wall / b.wall for a, b in pairs]), ("CPU", [a.cpu / b.cpu for a, b in pairs])):
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"one pass is {statistics.median(ratios):.2f} times as fast in {what} time (median; {spread})")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=ASSETS / "pets/PETS09-S2L1.avi")
    parser.add_argument("--weights", type=Path, default=ASSETS / "models/yolo11n_int8_openvino_model")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", nargs=3, metavar=("VIDEO", "WEIGHTS", "TARGET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        annotate(*arguments.child)
        return 0
    for path in (arguments.video, arguments.weights):
        if not path.exists():
            parser.error(f"{path} does not exist; give --video and --weights, or set VIDEOANNOTATOR_TEST_ASSETS")
    print(f"{arguments.video.name}, {arguments.weights.name}; {platform.machine()}, {os.cpu_count()} CPUs")
    try:
        report(measure(arguments.video.resolve(), arguments.weights.resolve(), arguments.repeats))
    except DifferenceError as difference:
        print(f"the two sides differ: {difference}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
