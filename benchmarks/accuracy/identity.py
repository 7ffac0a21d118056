"""Persons on PETS09-S2L1: `person_identity` on top of `person_tracking`, judged like the tracks beneath.

MOTChallenge gives whoever leaves the picture and comes back a new number: the man in red and navy is person 11 before
and 3 after, the woman in red 10 and then 6. So the judged setting is ``reentry="new"``, the benchmark's rule; what the
default (``"same"``) gives stands beside it, counted against the same truth, which calls its right answers wrong.

While somebody is hidden, the truth goes on and takes the nearest box, somebody else's, for theirs: a switch there and a
switch back. So the judged tracks are filled in over gaps of up to a second (``interpolate``), as is usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from benchmarks.accuracy.mot import Boxes, Scores, judged, tracked
from benchmarks.accuracy.tracking import FRAMES, OSNET, VIDEO, WEIGHTS, annotated, truth
from benchmarks.speed.report import Figure, Section, Table

import videoannotator as va

__all__ = ["persons", "sections"]

TRACKS: Mapping[str, Mapping[str, Any]] = {
    "bytetrack": {},
    "cbiou": {"tracker": "cbiou"},
    "cbiou, interpolate=1": {"tracker": "cbiou", "interpolate": 1.0},
}
JUDGED = "cbiou, interpolate=1", "new"
SIDES: Mapping[str, Mapping[str, Any]] = {
    "new": {"weights": str(OSNET), "reentry": "new"},
    "new, no weights": {"weights": None, "reentry": "new"},
    "same": {"weights": str(OSNET)},
}


def persons(result: va.Result) -> Boxes:
    """The tracked rows of a result, by the person of the link they lie in."""
    rows = result["person_tracking"].detections
    rows = rows[~np.ma.getmaskarray(rows.track)]
    track, frame = np.ma.getdata(rows.track), rows.frame
    person = np.zeros(len(rows), dtype=np.int64)
    for link in result["person_identity"].links:
        person[(track == link.track) & (frame >= link.start_frame) & (frame <= link.end_frame)] = link.person
    known = person > 0
    if not (known | rows.interpolated).all():
        raise ValueError("somebody who was seen and tracked is no person")
    return attrs.evolve(tracked(rows[known]), track=person[known])  # filled-in rows between two persons are nobody's


def sections() -> list[Section]:
    """Measure all sides."""
    right = truth()
    sides: dict[tuple[str, str], Scores] = {}
    for tracker, beneath in TRACKS.items():
        for name, settings in SIDES.items():
            config = {"person_tracking": beneath, "person_identity": settings}
            sides[tracker, name] = judged(persons(annotated(config, "person_identity")), right, FRAMES)
    mine = sides[JUDGED]
    figures = (
        Figure("IDF1", (mine.idf1,), "", least=0.80, how=".3f"),
        Figure("switches", (mine.switches,), "", most=12, how="d"),
    )
    head = ("tracks", "reentry", "HOTA", "MOTA", "IDF1", "switches", "ids")
    rows = tuple(
        (*key, f"{side.hota:.3f}", f"{side.mota:.3f}", f"{side.idf1:.3f}", str(side.switches), str(side.persons))
        for key, side in sides.items()
    )
    title = f"Persons: {VIDEO.name}, {WEIGHTS.name}, {OSNET.name}"
    return [Section(title, "", figures, (Table(head, rows),))]
