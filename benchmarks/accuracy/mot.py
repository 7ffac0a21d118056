"""Tracks against marked ones, judged by TrackEval (https://github.com/JonathonLuiten/TrackEval).

HOTA: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. MOTA and switches:
Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", 2008. IDF1:
Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016.
"""

from __future__ import annotations

import io
from collections.abc import Hashable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Detection, Table

__all__ = ["Boxes", "Scores", "judged", "read_truth", "tracked"]


@attrs.frozen(eq=False)
class Boxes:
    """Boxes with ids. ``frame``: int (N,), 0-based. ``track``: int (N,). ``boxes``: float (N, 4), x1, y1, x2, y2."""

    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    boxes: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)


@attrs.frozen
class Scores:
    """What TrackEval says: shares in 0..1 (MOTA may be below 0) and counts.

    HOTA and its parts, detection and association (DetA, AssA), are means over IoU thresholds.
    ``switches``: how often a marked person's id changes (CLEAR MOT). ``persons``: ids that were found.
    """

    hota: float
    mota: float
    idf1: float
    switches: int
    detection: float
    association: float
    missed: int
    false: int
    persons: int


def read_truth(path: Path, scale: float = 1.0) -> Boxes:
    """The marked boxes of a MOTChallenge ``gt.txt`` with flag 1 (0: to be ignored), times ``scale``."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    rows = rows[rows[:, 6] == 1]
    near = rows[:, 2:4]
    corners = np.concatenate([near, near + rows[:, 4:6]], axis=1) * scale
    return Boxes(rows[:, 0].astype(np.int64) - 1, rows[:, 1].astype(np.int64), corners)


def tracked(rows: Table[Detection], persons: Mapping[int, Hashable] | None = None) -> Boxes:
    """The tracked rows of a table. ``persons``: whose track it is, for tracks that were tied together to one person.

    Tracks that ``persons`` does not name keep an id of their own.
    """
    rows = rows[~np.ma.getmaskarray(rows.track)]
    track = np.ma.getdata(rows.track).astype(np.int64)
    if persons is not None:
        numbers: dict[tuple[bool, Hashable], int] = {}
        keys = [(n in persons, persons.get(n, n)) for n in track.tolist()]
        track = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    return Boxes(rows.frame, track, np.stack([rows.x1, rows.y1, rows.x2, rows.y2], axis=1).astype(np.float64))


def judged(found: Boxes, truth: Boxes, frames: int) -> Scores:
    """How well ``found`` says who is where in the frames 0 to ``frames`` - 1. Boxes match from an IoU of 0.5 on.

    (HOTA: from 0.05 to 0.95.) Raises `ValueError` when an id is in one frame twice.
    """
    from trackeval.metrics import CLEAR, HOTA, Identity

    given = _sequence(found, truth, frames)
    with redirect_stdout(io.StringIO()):  # they tell how they are configured
        metrics = HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False})
        hota, clear, identity = (metric.eval_sequence(given) for metric in metrics)
    return Scores(
        hota=float(np.mean(hota["HOTA"])),
        mota=float(clear["MOTA"]),
        idf1=float(identity["IDF1"]),
        switches=int(clear["IDSW"]),
        detection=float(np.mean(hota["DetA"])),
        association=float(np.mean(hota["AssA"])),
        missed=int(clear["CLR_FN"]),
        false=int(clear["CLR_FP"]),
        persons=len(np.unique(found.track)),
    )


def _sequence(found: Boxes, truth: Boxes, frames: int) -> dict[str, Any]:
    """A sequence as TrackEval's metrics take it: ids from 0 on, frame by frame, with the overlaps of the boxes."""
    from trackeval.datasets._base_dataset import _BaseDataset

    theirs, ours = _by_frame(truth, frames), _by_frame(found, frames)
    return {
        "num_timesteps": frames,
        "num_gt_ids": len(np.unique(truth.track)),
        "num_tracker_ids": len(np.unique(found.track)),
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(found),
        "gt_ids": [ids for ids, _ in theirs],
        "tracker_ids": [ids for ids, _ in ours],
        "similarity_scores": [
            _BaseDataset._calculate_box_ious(a, b, box_format="x0y0x1y1")
            for (_, a), (_, b) in zip(theirs, ours, strict=True)
        ],
    }


def _by_frame(boxes: Boxes, frames: int) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    pairs = np.stack([boxes.frame, boxes.track], axis=1)
    if len(np.unique(pairs, axis=0)) < len(pairs):
        raise ValueError("an id is in one frame twice")
    if len(boxes) and (boxes.frame.min() < 0 or boxes.frame.max() >= frames):
        raise ValueError(f"there are frames {boxes.frame.min()} to {boxes.frame.max()}, and {frames} were expected")
    _, ids = np.unique(boxes.track, return_inverse=True)
    return [(ids[boxes.frame == n], boxes.boxes[boxes.frame == n]) for n in range(frames)]
