"""What happens while a run goes on, as values."""

from __future__ import annotations

from typing import Any

import attrs

from videoannotator.data.outcome import Failure
from videoannotator.data.result import Result
from videoannotator.data.table import Table

__all__ = ["Event", "Failed", "Finished", "Notice", "PipelineDone", "Progress", "RowsReady"]


@attrs.frozen
class Progress:
    """How far a run is.

    ``fraction``: 0..1 over all pipelines. ``frames``: decoded so far. ``seconds``: media time that every pipeline
    has behind it. ``duration``: media time of the whole run. ``eta``: seconds left, None while nothing is known.
    """

    fraction: float
    frames: int
    seconds: float
    duration: float
    eta: float | None


@attrs.frozen
class RowsReady:
    """Rows of one output, as soon as the pipeline gave them. They are in the result as well."""

    pipeline: str
    output: str
    table: Table[Any]


@attrs.frozen
class PipelineDone:
    """A pipeline has finished, well or not. ``seconds``: time spent inside it."""

    pipeline: str
    seconds: float


@attrs.frozen
class Notice:
    """Something happened that may be seen in the numbers, or in the time: a smaller batch, another device, waiting.

    Nothing is missing.
    """

    pipeline: str
    message: str


@attrs.frozen
class Failed:
    """Something will be missing in the result."""

    failure: Failure


@attrs.frozen
class Finished:
    """The last event."""

    result: Result


Event = Progress | RowsReady | PipelineDone | Notice | Failed | Finished
