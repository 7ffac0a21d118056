"""What becomes of a pipeline that could not do its work: empty tables, and a failure that says why."""

from __future__ import annotations

import traceback
from typing import Any

from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.errors import (
    IsolationError,
    MissingDependencyError,
    ModelDownloadError,
    ModelError,
    ModelMissingError,
    PipelineCrashed,
    PipelineHung,
    PluginLoadError,
)
from videoannotator.formats.classes import row_class_of
from videoannotator.run.devices import is_out_of_memory
from videoannotator.run.isolation.proxy import PipelineProcessError
from videoannotator.run.plan import PlannedPipeline

__all__ = ["empty_tables", "failure_of", "skipped"]


def empty_tables(planned: PlannedPipeline) -> dict[str, Table[Any]]:
    """An empty table for every output; none for one whose row class cannot be imported."""
    tables = {}
    for output in planned.entry.spec.gives:
        try:
            tables[output] = Table.empty(row_class_of(planned.entry, output))
        except PluginLoadError:
            continue
    return tables


def skipped(planned: PlannedPipeline, problem: Failure) -> PipelineResult:
    """The result of a pipeline that could not be given this file: empty tables, nothing covered, and why."""
    return PipelineResult(planned.name, empty_tables(planned), Coverage(), (problem,))


def failure_of(name: str, error: BaseException, span: TimeSpan | None = None) -> Failure:
    """The `Failure` that says what ``error`` means for the rows of the pipeline ``name``."""
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (ModelMissingError, "model_missing"),
        (ModelDownloadError, "model_download"),
        (ModelError, "model_error"),
        (MissingDependencyError, "missing_dependency"),
        (PluginLoadError, "plugin_error"),
        (PipelineCrashed, "crashed"),
        (PipelineHung, "hung"),
        (IsolationError, "isolation_error"),
    )
    if is_out_of_memory(error):
        return Failure("out_of_memory", str(error) or f"{name} ran out of memory", span, name)
    for cls, kind in kinds:
        if isinstance(error, cls):
            return Failure(kind, str(error), span, name)
    details = "".join(traceback.format_exception(error))
    said = str(error) if isinstance(error, PipelineProcessError) else f"{type(error).__name__}: {error}"
    return Failure("pipeline_error", said, span, name, details)
