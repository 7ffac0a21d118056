"""A pipeline of this environment that reads the rows of one in another."""

from __future__ import annotations

from typing import Any

import videoannotator as va


class Sums(va.Pipeline[None]):
    """One row: the sum of what it found, and how many had a level."""

    def finish(self) -> va.Table[Any]:
        result = self.context.output("numbers")
        assert result is not None
        rows = result.numbers
        levels = sum(row.level is not None for row in rows)
        return va.Table.of(va.Signal, time=[0.0, 0.0], name=["sum", "levels"], value=[float(rows.mean.sum()), levels])


SUMS = va.PipelineSpec(
    name="sums",
    version="1",
    needs=[va.Output("numbers")],
    gives={"sums": "videoannotator.data.rows:Signal"},
    pipeline=f"{__name__}:Sums",
    licence="MIT",
)
