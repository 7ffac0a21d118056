"""The rows of another pipeline, frame by frame: for a pipeline that looks at pictures where another found something.

Such a pipeline names the other in its needs, as `Output`, and `Frames` that the other has looked at, too::

    def begin(self):
        self._faces = RowsBeside(self.context, "face_analysis", "faces", self.config.needs()[0])

    def process(self, batch):
        faces, picture = self._faces.of(batch)  # batch.pixels[picture[n]] shows faces[n]
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.frames import FrameBatch
from videoannotator.data.needs import Frames
from videoannotator.data.table import Table
from videoannotator.decode.sampling import frames_in, sampled
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, PlanError

__all__ = ["RowsBeside"]


class RowsBeside:
    """The rows of ``output`` of the pipeline ``pipeline``, by frame.

    ``frames``: what the pipeline that asks takes. Raises `ConfigError` when among them are frames that the other has
    not looked at: there its silence would mean *not measured*, and be taken for *nothing there*. Raises `PlanError`
    when the other is not named in the needs, or is optional and does not run.
    """

    def __init__(self, context: Context, pipeline: str, output: str, frames: Frames) -> None:
        result = context.output(pipeline)
        if result is None:
            raise PlanError(f"the rows of {pipeline} are not there: name Output({pipeline!r}) in the needs")
        _check_looked_at(context, pipeline, result.coverage.rate, frames.rate)
        table: Table[Any] = result.tables[output]
        order = table.column("frame")
        if len(order) and (np.diff(order) < 0).any():
            table = table.sorted_by("frame")
        self._table = table
        self._frame: NDArray[np.int64] = np.asarray(table.column("frame"), dtype=np.int64)

    def of(self, batch: FrameBatch) -> tuple[Table[Any], NDArray[np.intp]]:
        """The rows in the pictures of ``batch``, picture by picture, and for each the picture's number: int (rows,)."""
        first = np.searchsorted(self._frame, batch.frame, side="left")
        count = np.searchsorted(self._frame, batch.frame, side="right") - first
        picture = np.repeat(np.arange(len(batch)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return self._table[first[picture] + within], picture


def _check_looked_at(context: Context, pipeline: str, theirs: float | None, ours: float | None) -> None:
    video = context.media.video
    if theirs is None or theirs == ours or video is None:
        return
    looked = frames_in(video.clock, context.span)
    within = slice(looked.start, looked.stop)
    missed = sampled(video.clock, Frames(rate=ours))[within] & ~sampled(video.clock, Frames(rate=theirs))[within]
    if missed.any():
        wanted = "every frame" if ours is None else f"{ours:g} pictures per second"
        raise ConfigError(
            f"{wanted} are to be looked at, and {pipeline} looks at {theirs:g} per second: {int(missed.sum())} of them "
            f"it has not seen. Set the rate of both to the same, or to one of which the other is a multiple"
        )
