"""Whether two sides found the same, and if not, how much they differ."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["DifferenceError", "Found", "Tolerance", "average_precision", "compare"]

Floats = NDArray[np.float64]


class DifferenceError(Exception):
    """Two sides did not find the same."""


@attrs.frozen
class Tolerance:
    """What may differ: pixels of boxes and keypoints, scores, seconds of cuts and of speech."""

    pixels: float = 0.0
    score: float = 0.0
    cuts: float = 0.0
    speech: float = 0.0


TEXT = Tolerance(pixels=0.04, score=2e-5, cuts=0.0006, speech=1e-4)
"""What is rounded away when others write text: `yolo` six digits of the picture's size, `scenedetect` milliseconds."""


@attrs.frozen(eq=False)
class Found:
    """What one side found; None for what it did not look for.

    ``rows``: one array per frame, of track (0: none), score, x1, y1, x2, y2, keypoints. ``cuts``: seconds since the
    first picture. ``speech``: (N, 2), seconds.
    """

    rows: Sequence[Floats] | None = None
    cuts: Floats | None = None
    speech: Floats | None = None

    def __str__(self) -> str:
        told = []
        if self.rows is not None:
            told.append(f"{sum(map(len, self.rows))} persons in {len(self.rows)} frames")
        if self.cuts is not None:
            told.append(f"{len(self.cuts)} cuts")
        if self.speech is not None:
            told.append(f"{len(self.speech)} stretches of speech")
        return ", ".join(told)

    @classmethod
    def load(cls, path: Path) -> Found:
        """What `save` has written."""
        with np.load(path) as kept:
            rows = None
            if "rows" in kept:
                rows = np.split(kept["rows"], np.searchsorted(kept["frame"], np.arange(1, int(kept["frames"]))))
            return cls(rows, kept.get("cuts"), kept.get("speech"))

    def save(self, path: Path) -> None:
        """Write it down."""
        parts: dict[str, Any] = {}
        if self.rows is not None:
            parts["frame"] = np.repeat(np.arange(len(self.rows)), [len(rows) for rows in self.rows])
            filled = [rows for rows in self.rows if len(rows)]
            parts["rows"] = np.concatenate(filled) if filled else np.zeros((0, 6))
            parts["frames"] = len(self.rows)
        parts |= {name: part for name, part in (("cuts", self.cuts), ("speech", self.speech)) if part is not None}
        np.savez(path, **parts)


def compare(mine: Found, other: Found, allowed: Tolerance = Tolerance()) -> None:
    """Raises `DifferenceError` where two sides differ in what both looked for."""
    if mine.rows is not None and other.rows is not None:
        _compare_rows(mine.rows, other.rows, allowed)
    for what, a, b, most in (
        ("cuts", mine.cuts, other.cuts, allowed.cuts),
        ("speech", mine.speech, other.speech, allowed.speech),
    ):
        if a is not None and b is not None and (a.shape != b.shape or (np.abs(a - b) > most).any()):
            raise DifferenceError(f"{what} at {a.tolist()} here, {b.tolist()} there")


def _compare_rows(mine: Sequence[Floats], other: Sequence[Floats], allowed: Tolerance) -> None:
    if len(mine) != len(other):
        raise DifferenceError(f"{len(mine)} frames here, {len(other)} there")
    for n, (a, b) in enumerate(zip(mine, other, strict=True)):
        if len(a) != len(b) or (len(a) and (a.shape != b.shape or (a[:, 0] != b[:, 0]).any())):
            raise DifferenceError(f"frame {n}: tracks {a[:, :1].tolist()} here, {b[:, :1].tolist()} there")
        if len(a):
            off = np.abs(a - b)
            if off[:, 1].max() > allowed.score or off[:, 2:].max() > allowed.pixels:
                raise DifferenceError(f"frame {n}: scores differ by {off[:, 1].max()}, pixels by {off[:, 2:].max()}")


def average_precision(truth: Sequence[Floats], found: Sequence[Floats], least: float = 0.25) -> tuple[float, float]:
    """COCO's AP (over IoU 0.50 to 0.95) and AP50 of boxes, as pycocotools computes them.

    ``truth``: what counts as right, as in `Found.rows`, from the score ``least`` on. ``found``: what is judged.
    """
    from pycocotools.coco import COCO  # type: ignore[import-untyped]  # it ships no types
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]  # as above

    right = [_boxes(n, rows[rows[:, 1] >= least] if len(rows) else rows) for n, rows in enumerate(truth)]
    judged = [box for n, rows in enumerate(found) for box in _boxes(n, rows)]
    boxes = [{**box, "id": n, "iscrowd": 0} for n, box in enumerate((b for part in right for b in part), start=1)]
    if not boxes or not judged:
        return (1.0, 1.0) if not boxes and not judged else (0.0, 0.0)
    with redirect_stdout(io.StringIO()):  # it tells what it does
        coco = COCO()
        images = [{"id": n} for n in range(len(truth))]
        coco.dataset = {"images": images, "annotations": boxes, "categories": [{"id": 1}]}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(judged), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


def _boxes(image: int, rows: Floats) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image,
            "category_id": 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "score": score,
        }
        for _, score, x1, y1, x2, y2 in rows[:, :6].tolist()
    ]
