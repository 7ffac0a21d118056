"""Persons on PETS09-S2L1: `person_identity` on top of `person_tracking`, judged like the tracks beneath.

MOTChallenge gives whoever leaves the picture and comes back a new number: the man in red and navy is person 11 before
and 3 after, the woman in red 10 and then 6. So the judged setting is ``reentry="new"``, the benchmark's rule; what the
default (``"same"``) gives stands beside it, counted against the same truth, which calls its right answers wrong.

While somebody is hidden, the truth goes on and takes the nearest box, somebody else's, for theirs: a switch there and a
switch back. So persons are filled in over absences of up to a second (``fill``), also from one track to the next; a
second because ByteTrack and its followers fill 20 frames at 25 to 30 a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from benchmarks.accuracy.mot import Scores, judged, tracked
from benchmarks.accuracy.tracking import FRAMES, OSNET, VIDEO, WEIGHTS, annotated, truth
from benchmarks.speed.report import Figure, Section, Table

import videoannotator as va
from videoannotator_person_identity import by_person

__all__ = ["persons", "sections"]

TRACKS: Mapping[str, Mapping[str, Any]] = {"bytetrack": {}, "cbiou": {"tracker": "cbiou"}}
JUDGED = "cbiou", "new, fill=1"
SIDES: Mapping[str, Mapping[str, Any]] = {
    "new, fill=1": {"weights": str(OSNET), "reentry": "new", "fill": 1.0},
    "new, no weights, fill=1": {"weights": None, "reentry": "new", "fill": 1.0},
    "same, fill=1": {"weights": str(OSNET), "fill": 1.0},
}


def persons(result: va.Result) -> va.Table[va.Detection]:
    """The rows of a result, by person."""
    rows = by_person(result)
    seen = result["person_tracking"].detections
    if (~rows.interpolated).sum() < (~np.ma.getmaskarray(seen.track) & ~seen.interpolated).sum():
        raise ValueError("somebody who was seen and tracked is no person")
    return rows


def sections() -> list[Section]:
    """Measure all sides."""
    right = truth()
    sides: dict[tuple[str, str], Scores] = {}
    for tracker, beneath in TRACKS.items():
        for name, settings in SIDES.items():
            config = {"person_tracking": beneath, "person_identity": settings}
            rows = persons(annotated(config, "person_identity"))
            sides[tracker, name] = judged(tracked(rows), right, FRAMES)
            if name == JUDGED[1]:
                sides[tracker, "new"] = judged(tracked(rows[~rows.interpolated]), right, FRAMES)
    mine = sides[JUDGED]
    figures = (
        Figure("IDF1", (mine.idf1,), "", least=0.80, how=".3f"),
        Figure("switches", (mine.switches,), "", most=12, how="d"),
    )
    head = ("tracks", "persons", "HOTA", "MOTA", "IDF1", "switches", "ids")
    table = tuple(
        (*key, f"{side.hota:.3f}", f"{side.mota:.3f}", f"{side.idf1:.3f}", str(side.switches), str(side.persons))
        for key, side in sides.items()
    )
    title = f"Persons: {VIDEO.name}, {WEIGHTS.name}, {OSNET.name}"
    return [Section(title, "", figures, (Table(head, table),))]
