"""The rows of `person_tracking` by person instead of by track: for drawing, for MOT files, for judging."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator import Detection, Result, Table
from videoannotator.errors import DataError
from videoannotator_person_identity.rows import Filled

__all__ = ["by_person"]


def by_person(result: Result) -> Table[Detection]:
    """Everybody's rows, ``track`` being the number of the person; in order of frame and person.

    Rows that are no person's are left out, and so are those that the tracker filled in where the person is seen by
    another track. Rows of the output ``filled`` are there, ``interpolated`` and without a score. Raises `DataError` for
    a result without both pipelines.
    """
    for name in ("person_tracking", "person_identity"):
        if name not in result or not result[name].ok:
            raise DataError(f"rows by person need {name}, which the result does not have, or which failed")
    rows = result["person_tracking"].tables["detections"]
    rows = rows[~np.ma.getmaskarray(rows.track)]
    track, person = np.ma.getdata(rows.track), np.zeros(len(rows), dtype=np.int64)
    for link in result["person_identity"].tables["links"]:
        person[(track == link.track) & (rows.frame >= link.start_frame) & (rows.frame <= link.end_frame)] = link.person
    made = result["person_identity"].tables["filled"]
    known = person > 0
    if np.asarray(rows.interpolated).any():
        told = np.stack([rows.frame, person], axis=1)[known & ~rows.interpolated]
        told = np.concatenate([told, np.stack([made.frame, made.person], axis=1)])
        taken = {(int(frame), int(who)) for frame, who in told}
        pairs = zip(rows.frame.tolist(), person.tolist(), strict=True)
        known &= ~np.asarray(rows.interpolated) | [pair not in taken for pair in pairs]
    seen = rows[known].to_arrow()
    at = seen.schema.get_field_index("track")
    seen = seen.set_column(at, seen.schema.field(at), pa.array(person[known], seen.schema.field(at).type))
    return Table.concat([Table.from_arrow(Detection, seen), _drawn(made, rows, person)]).sorted_by("frame", "track")


def _drawn(made: Table[Filled], rows: Table[Detection], person: NDArray[np.int64]) -> Table[Detection]:
    """Filled rows as detections; a person's label is that of their tracks."""
    if not len(made):
        return Table.empty(Detection)
    labels = dict(zip(person.tolist(), np.asarray(rows.label).tolist(), strict=True))
    return Table.of(
        Detection,
        frame=made.frame,
        time=made.time,
        label=[labels[int(who)] for who in made.person],
        score=[None] * len(made),
        x1=made.x1,
        y1=made.y1,
        x2=made.x2,
        y2=made.y2,
        track=made.person,
        interpolated=np.ones(len(made), dtype=bool),
    )
