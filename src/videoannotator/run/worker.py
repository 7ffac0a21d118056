"""One pipeline in one thread: what it is given, what it gives, and the border its errors stop at."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.outcome import Coverage, Failure, PipelineRecord
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import plain_config
from videoannotator.discover.pipeline import Context, Pipeline, Rows
from videoannotator.discover.specs import load
from videoannotator.errors import (
    CancelledError,
    DataError,
    MissingDependencyError,
    ModelError,
    ModelMissingError,
    PluginLoadError,
)
from videoannotator.run.events import Event, Failed, PipelineDone, RowsReady
from videoannotator.run.plan import PlannedPipeline

__all__ = ["Cancel", "End", "Worker", "failure_of", "put", "skipped", "take"]

_WAIT = 0.05  # seconds between two looks at whether the run was cancelled
_QUEUED_BATCHES = 2


class Cancel:
    """Set once, seen by everybody within a batch."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everybody to stop."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises `CancelledError` once set."""
        if self:
            raise CancelledError("the run was cancelled")


@attrs.frozen(eq=False)
class End:
    """No more frames come. ``audio``: the sound of the span, for a pipeline that asked for it."""

    audio: AudioTrack | None


def put(channel: queue.Queue[Any], item: Any, cancel: Cancel) -> None:
    """Put into a bounded queue, waiting for room. Raises `CancelledError` when the run is cancelled meanwhile."""
    while True:
        cancel.check()
        try:
            channel.put(item, timeout=_WAIT)
        except queue.Full:
            continue
        return


def take(channel: queue.Queue[Any], cancel: Cancel) -> Any:
    """Take from a queue, waiting. Raises `CancelledError` when the run is cancelled meanwhile."""
    while True:
        cancel.check()
        try:
            return channel.get(timeout=_WAIT)
        except queue.Empty:
            continue


class Worker:
    """Runs one pipeline in a thread of its own; `result` is complete once the thread has ended."""

    def __init__(
        self, planned: PlannedPipeline, context: Context, events: queue.Queue[Event], cancel: Cancel, span: TimeSpan
    ) -> None:
        self.planned = planned
        self.name = planned.name
        self.context = context
        self.inbox: queue.Queue[FrameBatch | End] = queue.Queue(_QUEUED_BATCHES)
        self.events = events
        self.cancel = cancel
        self.span = span
        self.seen = span.start  # seconds: it has every frame before this time behind it
        self.covered = Coverage()  # what was decoded for it; set by the feeder
        self.finishing = 0.0  # how much of finish() is done, 0..1
        self.done = False
        self.seconds = 0.0
        self._tables: dict[str, list[Table[Any]]] = {}
        self._failures: tuple[Failure, ...] = ()
        self._finished = False
        self._rows: dict[str, type[Any]] = {}
        self.thread = threading.Thread(target=self._run, name=f"videoannotator:{self.name}", daemon=True)
        context.report = self._report

    def _report(self, fraction: float) -> None:
        self.cancel.check()
        self.finishing = min(1.0, max(0.0, fraction))

    @property
    def fraction(self) -> float:
        """How much of its work is done, 0..1."""
        if self.done:
            return 1.0
        if self.planned.frames is None:
            return self.finishing
        return (self.seen - self.span.start) / self.span.duration if self.span.duration else 0.0

    def give(self, item: FrameBatch | End) -> None:
        """Hand over a batch, or the end. A pipeline that has failed takes nothing more."""
        while not self.done:
            self.cancel.check()
            try:
                self.inbox.put(item, timeout=_WAIT)
            except queue.Full:
                continue
            return

    def _run(self) -> None:
        try:
            self._work()
        except CancelledError:
            pass
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: whatever a pipeline raises is its Failure
            self._failures = (failure_of(self.name, error, self._missing_span()),)
        self.done = True
        try:
            for failure in self._failures:
                put(self.events, Failed(failure), self.cancel)
            put(self.events, PipelineDone(self.name, self.seconds), self.cancel)
        except CancelledError:
            pass

    def _work(self) -> None:
        spec = self.planned.entry.spec
        self._rows = {output: load(path) for output, path in spec.gives.items()}
        began = time.perf_counter()
        pipeline: Pipeline[Any] = load(spec.pipeline)(self.planned.config, self.context)
        try:
            pipeline.setup()
            self.seconds += time.perf_counter() - began
            while not isinstance(item := take(self.inbox, self.cancel), End):
                began = time.perf_counter()
                rows = pipeline.process(item)
                self.seconds += time.perf_counter() - began
                self._keep(rows)
                self.seen = min(self.span.end, self._shown_until(int(item.frame[-1])))
            self.context._audio = item.audio
            began = time.perf_counter()
            rows = pipeline.finish()
            self.seconds += time.perf_counter() - began
            self._keep(rows)
            self._finished = True
        finally:
            pipeline.close()

    def _shown_until(self, frame: int) -> float:
        video = self.context.media.video
        assert video is not None  # noqa: S101 - a batch came, so there is a picture stream
        clock = video.clock
        return clock.seconds(int(clock.pts[frame + 1])) if frame + 1 < len(clock) else clock.end

    def _keep(self, rows: Rows) -> None:
        for output, table in self._named(rows).items():
            if output not in self._rows:
                raise DataError(f"{self.name} gave rows for {output!r}; it declares {', '.join(self._rows)}")
            if not isinstance(table, Table) or table.row_class is not self._rows[output]:
                raise DataError(
                    f"{self.name} must give a Table of {self._rows[output].__name__} for {output!r}, gave {table!r}"
                )
            self._tables.setdefault(output, []).append(table)
            if len(table):
                put(self.events, RowsReady(self.name, output, table), self.cancel)

    def _named(self, rows: Rows) -> Mapping[str, Table[Any]]:
        if rows is None:
            return {}
        if isinstance(rows, Mapping):
            return rows
        if len(self._rows) != 1:
            raise DataError(
                f"{self.name} gives {', '.join(self._rows)}: return a mapping that says which rows are which"
            )
        return {next(iter(self._rows)): rows}

    def _missing_span(self) -> TimeSpan:
        frames = self.planned.frames is not None
        return TimeSpan(self.seen, self.span.end) if frames and self.seen > self.span.start else self.span

    def _coverage(self) -> Coverage:
        if self._finished:
            return self.covered
        behind = TimeSpan(self.span.start, self.seen if self.planned.frames else self.span.start)
        return self.covered.within(behind)

    def result(self) -> PipelineResult:
        """What the pipeline gave. An output it never returned is an empty table."""
        tables = empty_tables(self.planned)
        tables.update({output: Table.concat(parts) for output, parts in self._tables.items()})
        return PipelineResult(self.name, tables, self._coverage(), self._failures)

    def record(self) -> PipelineRecord:
        """What the provenance keeps of it."""
        spec, plugin = self.planned.entry.spec, self.planned.entry.plugin
        return PipelineRecord(
            name=spec.name,
            version=spec.version,
            plugin=plugin.distribution,
            plugin_version=plugin.version,
            licence=spec.licence,
            config=plain_config(self.planned.config),
            models=tuple(self.context.models_used),
            device=self.planned.lease.device,
            seconds=self.seconds,
        )


def empty_tables(planned: PlannedPipeline) -> dict[str, Table[Any]]:
    """An empty table for every output; none for one whose row class cannot be imported."""
    tables = {}
    for output, path in planned.entry.spec.gives.items():
        try:
            tables[output] = Table.empty(load(path))
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
        (ModelError, "model_error"),
        (MissingDependencyError, "missing_dependency"),
        (PluginLoadError, "plugin_error"),
        (MemoryError, "out_of_memory"),
    )
    for cls, kind in kinds:
        if isinstance(error, cls):
            message = str(error) or f"{name} ran out of memory"
            return Failure(kind, message, span, name)
    details = "".join(traceback.format_exception(error))
    return Failure("pipeline_error", f"{type(error).__name__}: {error}", span, name, details)
