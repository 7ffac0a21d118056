"""Boxes on frames, of whatever row class: which tables have them, and which of these only tell more of others' boxes.

Rows are known by their columns, so those of anybody's pipeline count. Rows with ``landmarks``, the angles of a head or
a gaze, or ``speaking``, are faces. Rows with a ``region`` are measurements of places, not things that were found. A
table whose boxes are those of another one (expressions of faces that face_analysis found) tells more of the same
things: `BoxTable.more`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.table import Table

__all__ = ["BoxTable", "Found", "box_tables"]

_BOX = {"frame", "time", "x1", "y1", "x2", "y2"}
_OF_FACES = {"landmarks", "yaw", "gaze_yaw", "valence", "speaking"}
_SAMPLE = 64  # rows that decide whether two tables have the same boxes


@attrs.frozen
class Found:
    """Rows of one frame. ``held``: they are those of a frame near it, because this one was not looked at."""

    rows: Table[Any]
    held: bool


@attrs.frozen(eq=False)
class BoxTable:
    """Boxes on frames, of whatever row class. ``coverage`` tells at which rate frames were looked at.

    ``more``: tables of other outputs that tell more of the same boxes.
    """

    pipeline: str
    output: str
    table: Table[Any]
    coverage: Coverage
    more: tuple[BoxTable, ...] = ()

    def has(self, column: str) -> bool:
        """True when the rows have that field."""
        return column in self.table.columns

    @property
    def is_face(self) -> bool:
        """True for faces: rows with landmarks, or with the angles of a head or a gaze."""
        return bool(_OF_FACES & set(self.table.columns))

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Indices of the rows by frame; rows of one frame as they stand."""
        return np.argsort(self.table.column("frame"), kind="stable")

    @cached_property
    def frames(self) -> NDArray[np.int64]:
        """The frames of the rows in `order`."""
        return np.asarray(self.table.column("frame"), dtype=np.int64)[self.order]

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """The times of the rows in `order`, seconds."""
        return np.asarray(self.table.column("time"), dtype=np.float64)[self.order]

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """The boxes of the rows in `order`, x1, y1, x2, y2: float64 (N, 4)."""
        return np.stack([self.table.column(c) for c in ("x1", "y1", "x2", "y2")], axis=1)[self.order].astype(np.float64)

    @cached_property
    def tracks(self) -> list[int | None]:
        """The tracks of the rows in `order`."""
        if not self.has("track"):
            return [None] * len(self.table)
        column = self.table.column("track")
        missing = np.ma.getmaskarray(column)[self.order].tolist()
        values = np.ma.getdata(column)[self.order].tolist()
        return [None if m else v for m, v in zip(missing, values, strict=True)]

    @cached_property
    def points(self) -> Any:
        """The keypoints of the rows, in the order of the table: (N, K, 3), or an object array with None."""
        return self.table.column("keypoints")

    def box(self, place: int) -> tuple[float, float, float, float]:
        """The box at a place in `order`."""
        x1, y1, x2, y2 = self.corners[place].tolist()
        return x1, y1, x2, y2

    def of_frame(self, frame: int) -> NDArray[np.int64]:
        """Indices of the rows of a frame."""
        return self.order[slice(*self._places(frame))]

    def _places(self, frame: int) -> tuple[int, int]:
        """Where the rows of a frame begin and end in `order`."""
        ends = (np.searchsorted(self.frames, frame, side=side) for side in ("left", "right"))
        first, last = (int(end) for end in ends)
        return first, last

    def during(self, start: float, end: float) -> range:
        """Places in `order` of the rows from ``start`` to ``end``, both included."""
        return range(int(np.searchsorted(self.times, start)), int(np.searchsorted(self.times, end, side="right")))

    def at(self, frame: int, time: float) -> Found:
        """The rows of a frame, or, if it was not looked at, of the nearest one that may stand for it."""
        rows, held = self.of_frame(frame), False
        if not rows.size and self.times.size and self.coverage.rate is not None:
            after = int(np.searchsorted(self.times, time))
            near = [n for n in (after - 1, after) if 0 <= n < self.times.size]
            nearest = min(near, key=lambda n: abs(self.times[n] - time))
            if abs(self.times[nearest] - time) <= 0.5 / self.coverage.rate + 1e-6:
                rows, held = self.of_frame(int(self.frames[nearest])), True
        return Found(self._rows(rows), held)

    def _rows(self, places: NDArray[np.int64]) -> Table[Any]:
        """The rows at places of the table; a slice, which copies nothing, where they follow each other."""
        if places.size and places[-1] - places[0] == places.size - 1 and (np.diff(places) == 1).all():
            return self.table[int(places[0]) : int(places[-1]) + 1]
        return self.table[places]

    def has_boxes_of(self, other: BoxTable) -> bool:
        """True when these rows' boxes are ``other``'s, on the same frames."""
        if not len(self.table):  # their columns are all there is to go by
            return self.is_face and other.is_face and not self.has("landmarks")
        places = np.unique(np.linspace(0, len(self.table) - 1, _SAMPLE).astype(np.int64))
        same = 0
        for place in places.tolist():
            first, last = other._places(int(self.frames[place]))
            same += bool((other.corners[first:last] == self.corners[place]).all(axis=1).any())
        return same >= 0.9 * len(places)


def box_tables(result: Result, pipelines: Collection[str] | None = None) -> tuple[BoxTable, ...]:
    """The tables of a result whose rows are things on frames, of the named ``pipelines``, of all when None.

    Tables that only tell more of another's boxes are in its `BoxTable.more`.
    """
    every = [
        BoxTable(name, output, table, result[name].coverage)
        for name, output, table in result.tables()
        if set(table.columns) >= _BOX and "region" not in table.columns
    ]
    # those that find come before those that tell more of what was found
    finders = sorted(every, key=lambda boxes: not (boxes.has("landmarks") or boxes.has("keypoints")))
    first: list[BoxTable] = []
    more: dict[int, list[BoxTable]] = {}
    for boxes in finders:
        base = next((n for n, other in enumerate(first) if boxes.has_boxes_of(other)), None)
        if base is None:
            first.append(boxes)
        else:
            more.setdefault(base, []).append(boxes)
    found = [attrs.evolve(boxes, more=tuple(more.get(n, ()))) for n, boxes in enumerate(first)]
    order = {id(boxes.table): n for n, boxes in enumerate(every)}
    found.sort(key=lambda boxes: order[id(boxes.table)])
    return tuple(boxes for boxes in found if pipelines is None or boxes.pipeline in pipelines)
