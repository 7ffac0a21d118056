"""The row that MOT files give where a `Detection` would say more than they do."""

from __future__ import annotations

from typing import ClassVar

from videoannotator.data.columns import Ascending
from videoannotator.data.rows import FrameIndex, Pixels, Score, Seconds, row

__all__ = ["CLASSES", "MotBox"]

CLASSES = {
    1: "pedestrian",
    2: "person on vehicle",
    3: "car",
    4: "bicycle",
    5: "motorbike",
    6: "non motorized vehicle",
    7: "static person",
    8: "distractor",
    9: "occluder",
    10: "occluder on the ground",
    11: "occluder full",
    12: "reflection",
    13: "crowd",
}
"""MOTChallenge's class numbers (Milan et al., MOT16, arXiv:1603.00831, table 3; crowd since MOT20)."""


@row
class MotBox:
    """A box of a MOTChallenge file: one that people drew (ground truth), or one whose confidence is no probability.

    ``track``: the id, None for -1. ``label``: the class, None where the file does not say it. ``confidence``: the
    detector's number, of any range; None in ground truth. ``ignored``: the flag of a ground-truth box is 0: evaluation
    leaves it out, and whoever finds it is neither right nor wrong. ``visibility``: the part of it that can be seen.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    label: str | None = None
    confidence: float | None = None
    ignored: bool = False
    visibility: Score | None = None
    __rules__: ClassVar = (Ascending("x1", "x2"), Ascending("y1", "y2"))
