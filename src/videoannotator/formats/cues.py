"""When a cue of subtitles is shown: whole milliseconds."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["milliseconds"]


def milliseconds(row: Any) -> tuple[int, int]:
    """Start and end of a row, rounded; the end is at least one millisecond later, so that no cue is empty."""
    start, end = (
        int(Decimal(repr(time)).scaleb(3).to_integral_value(rounding=ROUND_HALF_UP)) for time in (row.start, row.end)
    )
    return start, max(end, start + 1)
