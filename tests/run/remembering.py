"""Pipelines that remember, and that run out of memory when they are told to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

import videoannotator as va


@va.row
class Counted:
    frame: int
    time: float
    nth: int
    size: int


@attrs.frozen
class Config:
    """``limit``: more frames than these do not fit on an accelerator. ``cpu_limit``: nor on the processor."""

    limit: int = 1000
    cpu_limit: int = 1000
    late: bool = False


class Counts(va.Pipeline[Config]):
    """Numbers the frames it has seen in a span, in state that a retry would spoil were it not put back."""

    def begin(self) -> None:
        self.count = 0

    def process(self, batch: va.FrameBatch) -> va.Table[Counted]:
        limit = self.config.cpu_limit if self.context.device == "cpu" else self.config.limit
        rows = []
        for frame, time in zip(batch.frame.tolist(), batch.time.tolist(), strict=True):
            self.count += 1
            rows.append((frame, time, self.count, len(batch)))
        if len(batch) > limit:
            raise MemoryError(f"{len(batch)} frames do not fit")
        frames, times, counts, sizes = zip(*rows, strict=True)
        return va.Table.of(Counted, frame=frames, time=times, nth=counts, size=sizes)

    def state(self) -> Any:
        return self.count

    def restore(self, state: Any) -> None:
        self.count = state


class Pieces(va.Pipeline[Config]):
    """Gives its last rows piece by piece, and runs short of memory in the middle."""

    def begin(self) -> None:
        self.given = 0

    def finish(self) -> Iterator[va.Table[va.Signal]]:
        for n in range(self.given, 5):
            if n == 3 and self.context.device != "cpu":
                raise MemoryError("the fourth piece is too large")
            self.given = n + 1
            yield va.Table.of(va.Signal, time=[self.context.span.start], name="piece", value=[float(n)])

    def state(self) -> Any:
        return self.given

    def restore(self, state: Any) -> None:
        self.given = state
