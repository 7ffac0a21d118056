"""One pipeline in one thread: what it is given, what it gives, and the border its errors stop at."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from videoannotator.errors import CancelledError, DataError
from videoannotator.run.control import WAIT, Control, put, take
from videoannotator.run.enduring import Enduring
from videoannotator.run.events import Event, Failed, Notice, PipelineDone, RowsReady
from videoannotator.run.failing import empty_tables, failure_of
from videoannotator.run.plan import PlannedPipeline

__all__ = ["End", "Given", "Worker"]

_QUEUED_BATCHES = 2


@attrs.frozen(eq=False)
class Given:
    """A batch. ``coverage``: what was decoded of the stretch so far."""

    batch: FrameBatch
    coverage: Coverage


@attrs.frozen(eq=False)
class End:
    """The stretch has no more frames. ``coverage``: what was decoded of it. ``audio``: its sound, if asked for."""

    coverage: Coverage
    audio: AudioTrack | None


class Worker:
    """Runs one pipeline in a thread of its own; `result` is complete once the thread has ended.

    ``context``: as it is for a device. ``free``: gives up models that nobody uses on a device.
    """

    def __init__(
        self,
        planned: PlannedPipeline,
        context: Callable[[str], Context],
        events: queue.Queue[Event],
        control: Control,
        spans: Sequence[TimeSpan],
        free: Callable[[str], bool],
    ) -> None:
        self.planned = planned
        self.name = planned.name
        self.inbox: queue.Queue[Given | End] = queue.Queue(_QUEUED_BATCHES)
        self.events = events
        self.control = control
        self.spans = tuple(spans)
        self.seen = self.spans[0].start  # seconds: it has every frame before this time behind it
        self.finishing = 0.0  # how much of finish() is done, 0..1
        self.done = False
        self.seconds = 0.0
        self.notices: list[str] = []
        self._number = 0  # of the span at work
        self._before = Coverage()  # of the spans that are complete
        self._coverage = Coverage()  # of what the pipeline has behind it, all spans
        self._tables: dict[str, list[Table[Any]]] = {}
        self._failures: tuple[Failure, ...] = ()
        self._rows: dict[str, type[Any]] = {}
        self._new_context = context
        self._context: Context | None = None
        self._calls = Enduring(
            self._make, planned.lease.device, planned.entry.spec.batch, free=free, notice=self._notice
        )
        self.thread = threading.Thread(target=self._run, name=f"videoannotator:{self.name}", daemon=True)

    @property
    def fraction(self) -> float:
        """How much of its work is done, 0..1."""
        if self.done:
            return 1.0
        total = sum(span.duration for span in self.spans)
        behind = sum(span.duration for span in self.spans[: self._number])
        span = self.spans[self._number]
        if self.planned.frames is None:
            behind += self.finishing * span.duration
        else:
            behind += min(max(self.seen - span.start, 0.0), span.duration)
        return behind / total if total else 0.0

    def give(self, item: Given | End) -> None:
        """Hand over a batch, or the end of a stretch. A pipeline that has failed takes nothing more."""
        while not self.done:
            self.control.check()
            try:
                self.inbox.put(item, timeout=WAIT)
            except queue.Full:
                continue
            return

    # in the thread ------------------------------------------------------------------------------------------------

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
                put(self.events, Failed(failure), self.control)
            put(self.events, PipelineDone(self.name, self.seconds), self.control)
        except CancelledError:
            pass

    def _work(self) -> None:
        self._rows = {output: load(path) for output, path in self.planned.entry.spec.gives.items()}
        try:
            self._timed(self._calls.setup)
            for number, span in enumerate(self.spans):
                self._number = number
                self._stretch(span)
        finally:
            self._calls.close()

    def _make(self, device: str) -> Pipeline[Any]:
        self._context = self._new_context(device)
        self._context.span = self.spans[self._number]
        self._context.report = self._report
        pipeline: Pipeline[Any] = load(self.planned.entry.spec.pipeline)(self.planned.config, self._context)
        return pipeline

    @property
    def _here(self) -> Context:
        assert self._context is not None  # noqa: S101 - made with the pipeline
        return self._context

    def _stretch(self, span: TimeSpan) -> None:
        self._here.span, self.seen, self.finishing = span, span.start, 0.0
        self._timed(self._calls.begin)
        while not isinstance(item := take(self.inbox, self.control), End):
            self._keep(self._calls.process(item.batch))
            self.seen = min(span.end, self._shown_until(int(item.batch.frame[-1])))
            self._cover(item.coverage.within(TimeSpan(span.start, self.seen)))
        self._here._audio = item.audio
        self._keep(self._calls.finish())
        self.seen = span.end
        self._cover(item.coverage)
        self._before = self._coverage

    def _cover(self, part: Coverage) -> None:
        self._coverage = Coverage((*self._before.spans, *part.spans), part.rate)

    def _timed(self, call: Callable[[], None]) -> None:
        began = time.perf_counter()
        call()
        self.seconds += time.perf_counter() - began

    def _report(self, fraction: float) -> None:
        self.control.check()
        self.finishing = min(1.0, max(0.0, fraction))

    def _notice(self, text: str) -> None:
        self.notices.append(f"at {self.seen:.2f} s: {text}")
        put(self.events, Notice(self.name, self.notices[-1]), self.control)

    def _shown_until(self, frame: int) -> float:
        video = self._here.media.video
        assert video is not None  # noqa: S101 - a batch came, so there is a picture stream
        clock = video.clock
        return clock.seconds(int(clock.pts[frame + 1])) if frame + 1 < len(clock) else clock.end

    def _keep(self, pieces: Iterable[Rows]) -> None:
        """Take rows piece by piece; only the time until a piece is there counts as the pipeline's."""
        began = time.perf_counter()
        for rows in pieces:
            self.seconds += time.perf_counter() - began
            for output, table in self._named(rows).items():
                self._check(output, table)
                self._tables.setdefault(output, []).append(table)
                if len(table):
                    put(self.events, RowsReady(self.name, output, table), self.control)
            began = time.perf_counter()
        self.seconds += time.perf_counter() - began

    def _check(self, output: str, table: Any) -> None:
        if output not in self._rows:
            raise DataError(f"{self.name} gave rows for {output!r}; it declares {', '.join(self._rows)}")
        if not isinstance(table, Table) or table.row_class is not self._rows[output]:
            raise DataError(
                f"{self.name} must give a Table of {self._rows[output].__name__} for {output!r}, gave {table!r}"
            )

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
        first = self.seen if self.planned.frames is not None or self._number else self.spans[0].start
        return TimeSpan(first, self.spans[-1].end)

    # afterwards ---------------------------------------------------------------------------------------------------

    def result(self) -> PipelineResult:
        """What the pipeline gave. An output it never returned is an empty table."""
        tables = empty_tables(self.planned)
        tables.update({output: Table.concat(parts) for output, parts in self._tables.items()})
        return PipelineResult(self.name, tables, self._coverage, self._failures)

    def record(self) -> PipelineRecord:
        """What the provenance keeps of it."""
        spec, plugin = self.planned.entry.spec, self.planned.entry.plugin
        context = self._context
        return PipelineRecord(
            name=spec.name,
            version=spec.version,
            plugin=plugin.distribution,
            plugin_version=plugin.version,
            licence=spec.licence,
            config=plain_config(self.planned.config),
            models=tuple(context.models_used) if context else (),
            device=self._calls.device,
            seconds=self.seconds,
            dtype=context.dtype if context else "float32",
            batch=self._calls.batch,
            threads=self.planned.lease.threads,
            notices=tuple(self.notices),
        )
