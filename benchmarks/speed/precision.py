"""What `precision="fast"` of person_tracking saves, and what it costs: time per frame, and agreement with exact.

The same frames go through the same weights in both modes, in one process, the modes taking turns. Time is the
processor's, of all threads, from frame to boxes (decoding and tracking are the same in both). Agreement: COCO's
average precision of fast's boxes when exact's with a score of at least 0.25 are taken for the truth, and the share of
exact's boxes with a score of at least 0.5 that fast has at an IoU of 0.9 or more.

    python -m benchmarks.speed.precision [--video FILE ...] [--weights FILE_OR_FOLDER ...] [--frames 64] [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from benchmarks.speed.comparing import average_precision
from numpy.typing import NDArray

from videoannotator.run.devices import Machine
from videoannotator_person_tracking.detector import Detections, Detector

ASSETS = Path(os.environ.get("VIDEOANNOTATOR_TEST_ASSETS", Path(__file__).parents[2] / "../shared/assets")).resolve()
VIDEOS = ("video/sitcom_kitchen.avi", "video/caregiver_infant.mp4", "video/people_walking.mp4", "pets/PETS09-S2L1.avi")
WEIGHTS = ("yolo11n_int8_openvino_model", "yolov8n-pose_int8_openvino_model")
BATCH = 8


def frames_of(video: Path, count: int) -> NDArray[np.uint8]:
    """``count`` frames spread over a video, blue first."""
    with av.open(str(video)) as container:
        total = sum(packet.size > 0 for packet in container.demux(video=0))
    step = max(1, total // count)
    with av.open(str(video)) as container:
        shown = (frame for number, frame in enumerate(container.decode(video=0)) if number % step == 0)
        return np.stack([frame.to_ndarray(format="bgr24") for frame, _ in zip(shown, range(count), strict=False)])


def found(detector: Detector, frames: NDArray[np.uint8]) -> tuple[float, list[Detections]]:
    """Milliseconds of processor per frame, and what was found."""
    began = time.process_time()
    result = [one for first in range(0, len(frames), BATCH) for one in detector.detect(frames[first : first + BATCH])]
    return 1e3 * (time.process_time() - began) / len(frames), result


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of each of (N, 4) with each of (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2, dtype=np.float64)
    one, other = (np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b))
    return both / (one[:, None] + other[None] - both)


def rows(results: Sequence[Detections]) -> list[NDArray[np.float64]]:
    """As `benchmarks.speed.comparing` has them: no track, score, x1, y1, x2, y2."""
    return [one.boxes[:, [5, 4, 0, 1, 2, 3]].astype(np.float64) for one in results]


def found_again(truth: Sequence[Detections], given: Sequence[Detections]) -> float:
    """The share of sure boxes that are there again, hardly moved."""
    best = [
        overlaps(exact.boxes[exact.boxes[:, 4] >= 0.5][:, :4], fast.boxes[:, :4]).max(axis=1, initial=0)
        for exact, fast in zip(truth, given, strict=True)
    ]
    every = np.concatenate(best)
    return float((every >= 0.9).mean()) if len(every) else float("nan")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, nargs="+", default=[ASSETS / name for name in VIDEOS])
    parser.add_argument("--weights", type=Path, nargs="+", default=[ASSETS / "models" / name for name in WEIGHTS])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--imgsz", type=int, help="also ask fast for this size")
    given = parser.parse_args()
    for weights in given.weights:
        settings = {"conf": 0.1, "classes": ["person"], "threads": given.threads}
        exact = Detector(weights, **settings)
        dtypes = (*Machine().halves("cpu"), "float32")
        fast = Detector(weights, fast=True, dtypes=dtypes, imgsz=given.imgsz, **settings)
        for video in given.video:
            frames = frames_of(video, given.frames)
            height, width = frames.shape[1:3]
            ratios, costs, results = [], [], []
            for detector in (exact, fast):
                detector.detect(frames[:BATCH])
            for _ in range(given.repeats):
                (slow, one), (quick, other) = found(exact, frames), found(fast, frames)
                ratios.append(slow / quick)
                costs.append((slow, quick))
                results = [one, other]
            ap, ap50 = average_precision(*map(rows, results))
            slow, quick = (statistics.median(column) for column in zip(*costs, strict=True))
            print(f"{weights.name}, {video.name} {width}x{height}, {len(frames)} frames: {fast.habit(height, width)}")
            print(
                f"  exact {slow:.1f} ms ({exact.dtype}), fast {quick:.1f} ms ({fast.dtype}) of processor per frame: "
                f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}); AP against exact "
                f"{ap:.3f}, AP50 {ap50:.3f}, found again {found_again(*results):.3f}",
                flush=True,
            )
        exact.close()
        fast.close()


if __name__ == "__main__":
    main()
