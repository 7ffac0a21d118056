"""Boxes on frames, of whatever row class, quickly found by frame and by time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.draw.look import Look

__all__ = ["BoxTable", "Found", "box_tables"]

_BOX = {"frame", "time", "x1", "y1", "x2", "y2"}


@attrs.frozen
class Found:
    """Rows of one frame. ``held``: they are those of a frame near it, because this one was not looked at."""

    rows: Table[Any]
    held: bool


@attrs.frozen(eq=False)
class BoxTable:
    """Boxes on frames, of whatever row class. ``coverage`` tells at which rate frames were looked at."""

    pipeline: str
    output: str
    table: Table[Any]
    coverage: Coverage

    def has(self, column: str) -> bool:
        """True when the rows have that field."""
        return column in self.table.columns

    @property
    def is_face(self) -> bool:
        """True for faces: rows with landmarks."""
        return self.has("landmarks")

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
        first, last = np.searchsorted(self.frames, [frame, frame + 1])
        return self.order[first:last]

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
        return Found(self.table[rows], held)


def box_tables(result: Result, look: Look | None = None) -> tuple[BoxTable, ...]:
    """Every table of the result whose rows are boxes on frames, of the pipelines that ``look`` takes."""
    return tuple(
        BoxTable(name, output, table, result[name].coverage)
        for name, output, table in result.tables()
        if set(table.columns) >= _BOX and (look is None or look.takes(name))
    )
