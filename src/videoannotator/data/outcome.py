"""What a run looked at, what went wrong, and with what it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError

__all__ = ["Coverage", "Failure", "ModelRecord", "PipelineRecord", "Precision", "Provenance"]

Precision = Literal["exact", "fast"]
"""``"exact"``: the numbers that the reference tool gives on this device, the same bits whenever it is done again.

``"fast"``: a smaller number type, another memory layout or another engine, where that takes less time.
"""


def _merged(spans: Sequence[TimeSpan]) -> tuple[TimeSpan, ...]:
    merged: list[TimeSpan] = []
    for span in sorted(s for s in spans if s.duration > 0):
        if merged and span.start <= merged[-1].end:
            merged[-1] = TimeSpan(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


@attrs.frozen
class Coverage:
    """The spans a pipeline really looked at, and how often.

    Covered and no row: not detected. Not covered: not measured. ``spans`` are kept sorted, merged and not empty.
    ``rate``: samples per second asked for; None when every frame, or the whole sound, was looked at.
    """

    spans: tuple[TimeSpan, ...] = attrs.field(default=(), converter=_merged)
    rate: float | None = None

    @property
    def duration(self) -> float:
        """Seconds covered."""
        return sum(span.duration for span in self.spans)

    def within(self, span: TimeSpan) -> Coverage:
        """The part of it that lies in ``span``."""
        shared = (s for s in self.spans if s.overlaps(span))
        return Coverage(tuple(TimeSpan(max(s.start, span.start), min(s.end, span.end)) for s in shared), self.rate)

    def without(self, spans: Sequence[TimeSpan]) -> Coverage:
        """The part of it that lies in none of ``spans``."""
        left = list(self.spans)
        for gone in spans:
            parts = ((s.start, min(s.end, gone.start)) for s in left), ((max(s.start, gone.end), s.end) for s in left)
            left = [TimeSpan(start, end) for side in parts for start, end in side if end > start]
        return Coverage(tuple(left), self.rate)

    def __contains__(self, time: float) -> bool:
        return any(time in span for span in self.spans)


@attrs.frozen
class Failure:
    """Something that was asked for and is not in the result, and why.

    ``kind``: a stable code in snake_case, for programs (``"no_audio"``, ``"decode_error"``, ``"pipeline_error"``).
    ``message``: what is wrong and what to do next, for people. ``span``: the stretch that is missing, None = all of it.
    ``pipeline``: whose rows are missing; None when it concerns the file. ``details``: a traceback, for a bug report.
    """

    kind: str = attrs.field()
    message: str
    span: TimeSpan | None = None
    pipeline: str | None = None
    details: str | None = None

    @kind.validator
    def _check_kind(self, attribute: attrs.Attribute[str], value: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
            raise DataError(f"Failure.kind must be a code in snake_case, got {value!r}")

    def __str__(self) -> str:
        where = f" {self.span}" if self.span else ""
        return f"{self.pipeline or 'media'}: {self.kind}{where}: {self.message}"


@attrs.frozen
class ModelRecord:
    """Weights that were used. ``sha256``: of the file; for a folder, of its sorted file names and their hashes."""

    name: str
    source: str
    sha256: str
    licence: str | None = None


@attrs.frozen
class PipelineRecord:
    """How one pipeline was run. ``config`` is complete, defaults included, as plain values.

    ``seconds``: time spent inside the pipeline. ``plugin``: the distribution that publishes it.
    ``device``, ``dtype``, ``batch``, ``threads``: how it computed at last. ``notices``: what happened on the way and
    may be seen in the numbers (moved to the CPU, batch halved). ``cached``: taken from the cache; all else tells of the
    run that filled it. ``precision``: in which it computed, ``"exact"`` also where fast was asked of one that has no
    fast mode.
    ``isolation``: ``"process"`` when it ran in a process of its own, ``"environment"`` when in an environment of its
    own; then ``libraries`` has the versions of what its plugin requires there.
    """

    name: str
    version: str
    plugin: str
    plugin_version: str
    licence: str
    config: Mapping[str, Any] = attrs.field(factory=dict)
    models: tuple[ModelRecord, ...] = ()
    device: str = "cpu"
    seconds: float | None = None
    dtype: str = "float32"
    batch: int | None = None
    threads: int | None = None
    notices: tuple[str, ...] = ()
    cached: bool = False
    isolation: str = ""
    precision: Precision = "exact"
    libraries: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Provenance:
    """With what a result was made: enough to make it again, or to see why it differs.

    ``span``: from the first to the last second looked at; ``spans``: the stretches asked for, where there are several.
    ``created``: ISO 8601, UTC. ``decoder``: versions of PyAV and of FFmpeg's libraries. ``libraries``: versions of
    the installed distributions that took part. ``platform``: operating system, processor, Python.
    """

    media_name: str
    media_sha256: str
    videoannotator: str
    created: str
    span: TimeSpan
    pipelines: tuple[PipelineRecord, ...] = ()
    decoder: Mapping[str, str] = attrs.field(factory=dict)
    libraries: Mapping[str, str] = attrs.field(factory=dict)
    platform: Mapping[str, str] = attrs.field(factory=dict)
    spans: tuple[TimeSpan, ...] = ()
