"""One pipeline in one thread: what it is given, what it gives, and the border its errors stop at."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage, Failure, ModelRecord, PipelineRecord
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import plain_config
from videoannotator.discover.pipeline import Context, Pipeline, Rows
from videoannotator.errors import CancelledError, DataError
from videoannotator.formats.classes import row_class_of
from videoannotator.run.control import WAIT, Control, put, take
from videoannotator.run.enduring import Enduring
from videoannotator.run.events import Event, Failed, Notice, PipelineDone, RowsReady
from videoannotator.run.failing import empty_tables, failure_of
from videoannotator.run.handing import End, Given
from videoannotator.run.isolation.proxy import IsolatedPipeline
from videoannotator.run.making import make_pipeline
from videoannotator.run.measured import Measured
from videoannotator.run.plan import PlannedPipeline
from videoannotator.run.resources import Lease, ResourceManager
from videoannotator.run.segments import Chain, Point, Segment
from videoannotator.run.threads import algebra_in_one_thread, keep_to, put_thread_counts, thread_counts
from videoannotator.run.watching import Watch

__all__ = ["Surroundings", "Worker"]

_QUEUED_BATCHES = 2


@attrs.frozen(eq=False)
class Surroundings:
    """What all workers of a run share. Models are taken on behalf of ``user``."""

    events: queue.Queue[Event]
    control: Control
    spans: tuple[TimeSpan, ...]
    media: MediaInfo
    resources: ResourceManager
    measured: Measured
    user: object


class Worker:
    """Runs one pipeline in a thread of its own; `result` is complete once the thread has ended.

    ``lease``: given back when it is done. ``context``: as it is for a lease.
    """

    def __init__(
        self,
        planned: PlannedPipeline,
        lease: Lease,
        context: Callable[[Lease], Context],
        around: Surroundings,
    ) -> None:
        self._resources, self._user = around.resources, around.user
        self._lease = lease
        self._holder = self._resources.models.holder(self._user, planned.name)
        self._watch = Watch(self._resources, planned.request, around.measured, self._taken_apart)
        self._thread_counts = thread_counts()  # now, while no pipeline of the stage is at work
        self._media = around.media
        self.planned = planned
        self.name = planned.name
        self.inbox: queue.Queue[Given | End] = queue.Queue(_QUEUED_BATCHES)
        self.events = around.events
        self.control = around.control
        self.spans = around.spans
        self.seen = self.spans[0].start  # seconds: it has every frame before this time behind it
        self.finishing = 0.0  # how much of finish() is done, 0..1
        self.done = False
        self.seconds = 0.0
        self.notices: list[str] = []
        self._number = 0  # of the span at work
        self._before = Coverage()  # of the spans that are complete
        self._coverage = Coverage()  # of what the pipeline has behind it, all spans
        self.point = Point()  # where it begins
        self._chain: Chain | None = None
        self._taken: Segment | None = None  # what an earlier run has left
        self._unwritten: dict[str, list[Table[Any]]] = {}  # rows since the last segment
        self._media_failures: dict[Failure, None] = {}  # of the file, in what the pipeline has behind it
        self._tables: dict[str, list[Table[Any]]] = {}
        self._failures: tuple[Failure, ...] = ()
        self._rows: dict[str, type[Any]] = {}
        self._new_context = context
        self._context: Context | None = None
        self._calls = Enduring(
            self._make,
            lease.device,
            lease.batch,
            free=self._resources.models.free,
            notice=self._notice,
            calling=self._calling,
            moved=self._moved,
        )
        self._settle_algebra: Callable[[], None] = lambda: None
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

    def take_up(self, chain: Chain) -> None:
        """Write segments into ``chain``, and begin behind those that are there. Called before the thread is started."""
        self._chain, self._taken = chain, chain.read()
        if self._taken is None:
            return
        self.point = point = self._taken.point
        self._number, self.seconds, self.notices = point.number, point.seconds, list(point.notices)
        self._before, self._coverage = point.before, point.coverage
        self._media_failures = dict.fromkeys(point.media_failures)
        span = self.spans[point.number]
        if point.done:
            self.seen = span.end
        elif point.frame is not None:
            self.seen = min(span.end, self._shown_until(point.frame - 1))

    @property
    def whole(self) -> bool:
        """True when it began at the beginning."""
        return self._taken is None

    def wants(self, number: int) -> bool:
        """True when the span is not behind it."""
        return number > self.point.number or (number == self.point.number and not self.point.done)

    def first_frame(self, number: int) -> int | None:
        """The first frame of the span that it has not seen, or an earlier one; None when it needs no more."""
        if self.planned.frames is None or (number == self.point.number and self.point.finishing):
            return None
        return (self.point.frame or 0) if number == self.point.number else 0

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
            with algebra_in_one_thread() as self._settle_algebra:
                self._work()
        except CancelledError:
            pass
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: whatever a pipeline raises is its Failure
            self._failures = (failure_of(self.name, error, self._missing_span()),)
        finally:
            self.done = True
            self._resources.give_back(self._lease)
        try:
            for failure in self._failures:
                put(self.events, Failed(failure), self.control)
            put(self.events, PipelineDone(self.name, self.seconds), self.control)
        except CancelledError:
            pass

    def _work(self) -> None:
        if self._lease.batch < self.planned.request.batch:
            self._notice(f"memory of {self._lease.device} is short: batches of {self._lease.batch} frames")
        self._rows = {output: row_class_of(self.planned.entry, output) for output in self.planned.entry.spec.gives}
        try:
            self._timed(self._calls.setup)
            put_thread_counts(self._thread_counts)
            keep_to(self._lease.threads)
            self._settle_algebra()
            if self._taken is not None:
                self._go_on(self._taken)
            for number in range(self.point.number + self.point.done, len(self.spans)):
                self._number = number
                self._stretch(self.spans[number], new=self._taken is None or number > self.point.number)
        finally:
            try:
                self._calls.close()
            finally:
                self._holder.close()

    def _make(self, device: str) -> Pipeline[Any]:
        self._holder.close()  # of an object before this one
        self._holder = self._resources.models.holder(self._user, self.name)
        self._context = self._new_context(self._lease)
        self._context.loader = self._holder
        self._context.span = self.spans[self._number]
        self._context.report = self._report
        self._context.tell = self._told
        return make_pipeline(self.planned, self._context)

    def _calling(self, frames: int, alone: bool) -> AbstractContextManager[None]:
        return self._watch.calling(self._lease, self._holder, frames, alone)

    def _moved(self, device: str) -> None:
        self._lease = self._resources.move(self._lease, device)

    def _taken_apart(self) -> int | None:
        made = self._calls.made
        return made.taken if isinstance(made, IsolatedPipeline) else None

    @property
    def _here(self) -> Context:
        assert self._context is not None  # noqa: S101 - made with the pipeline
        return self._context

    def _go_on(self, taken: Segment) -> None:
        """Tell what an earlier run has found, and remember what its pipeline remembered."""
        for output, table in taken.tables.items():
            self._check(output, table)
            self._tables[output] = [table]
            put(self.events, RowsReady(self.name, output, table), self.control)
        self._here.span = self.spans[self._number]
        self._timed(self._calls.begin)
        self._timed(lambda: self._calls.restore(taken.state))
        self._notice("taken up here, where an earlier run had ended")

    def _stretch(self, span: TimeSpan, *, new: bool) -> None:
        """Work on a span; unless it is ``new``, an earlier run has begun it."""
        earlier = Coverage() if new else self.point.coverage
        decoded = Coverage() if new else self.point.decoded
        if new:
            self._here.span, self.seen, self.finishing = span, span.start, 0.0
            self._timed(self._calls.begin)
        while not isinstance(item := take(self.inbox, self.control), End):
            self._keep(self._calls.process(item.batch))
            last = int(item.batch.frame[-1])
            self.seen = min(span.end, self._shown_until(last))
            self._cover(earlier, item.coverage.within(TimeSpan(span.start, self.seen)))
            if item.settled and self._calls.resumable:
                self._mark(frame=last + 1, failures=item.failures)
        self._media_failures |= dict.fromkeys(item.failures)
        self._here._audio = item.audio
        self._settle_algebra()
        decoded = Coverage((*decoded.spans, *item.coverage.spans), item.coverage.rate)
        self._keep(self._calls.finish(), lambda: self._mark(finishing=True, decoded=decoded))
        self.seen = span.end
        self._cover(earlier, decoded)
        self._before = self._coverage
        self._mark(done=True)

    def _mark(self, failures: Sequence[Failure] = (), **where: Any) -> None:
        """Write a segment when it is time for one: all that was found since the last, and how to go on from here."""
        if self._chain is None or not self._chain.due:
            return
        state = self._calls.state()
        if state is None and where.get("finishing"):
            return  # nobody could tell which of the last rows are there
        point = Point(
            number=self._number,
            coverage=self._coverage,
            before=self._before,
            media_failures=tuple(self._media_failures | dict.fromkeys(failures)),
            seconds=self.seconds,
            notices=tuple(self.notices),
            **where,
        )
        tables = {output: Table.concat(parts) for output, parts in self._unwritten.items()}
        if self._chain.append(Segment(point, tables, state)):
            self._unwritten = {}

    def _cover(self, earlier: Coverage, part: Coverage) -> None:
        self._coverage = Coverage((*self._before.spans, *earlier.spans, *part.spans), part.rate)

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

    def _told(self, text: str) -> None:
        """What a pipeline says of itself, once: another object of it, or a run that is taken up, says it again."""
        if text not in self.notices:
            self.notices.append(text)
            put(self.events, Notice(self.name, text), self.control)

    def _shown_until(self, frame: int) -> float:
        video = self._media.video
        assert video is not None  # noqa: S101 - a batch came, so there is a picture stream
        clock = video.clock
        return clock.seconds(int(clock.pts[frame + 1])) if frame + 1 < len(clock) else clock.end

    def _keep(self, pieces: Iterable[Rows], between: Callable[[], None] = lambda: None) -> None:
        """Take rows piece by piece; only the time until a piece is there counts as the pipeline's."""
        began = time.perf_counter()
        for rows in pieces:
            self.seconds += time.perf_counter() - began
            for output, table in self._named(rows).items():
                self._check(output, table)
                self._tables.setdefault(output, []).append(table)
                if self._chain is not None:
                    self._unwritten.setdefault(output, []).append(table)
                if len(table):
                    put(self.events, RowsReady(self.name, output, table), self.control)
            between()
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
        return PipelineResult(self.name, tables, self._coverage, self._failures, self._models())

    def _models(self) -> tuple[ModelRecord, ...]:
        return tuple(self._context.models_used) if self._context else ()

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
            models=self._models(),
            device=self._calls.device,
            seconds=self.seconds,
            dtype=context.dtype if context else "float32",
            batch=self._calls.batch,
            threads=self._lease.threads,
            notices=tuple(self.notices),
            isolation=self.planned.isolation.kind if self.planned.isolation else "",
            precision=self.planned.precision,
            libraries=self.planned.entry.libraries,
        )
