"""The runner: one decode pass feeds every pipeline of a stage, each in a thread of its own.

Threads and queues of a stage::

    feeder ── one DecodePass ──> a bounded queue per pipeline ──> worker (one per pipeline)
       └── failures of the file          workers ──> one bounded queue of events ──> whoever iterates `Run.events`

Every queue is bounded, so the slowest pipeline sets the pace and memory stays what the queues hold: per pipeline
at most `worker._QUEUED_BATCHES` batches waiting, one being filled and one being worked on.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs

from videoannotator.data.outcome import Failure, PipelineRecord
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table
from videoannotator.decode.passes import DecodePass
from videoannotator.discover.hashing import known_sha256
from videoannotator.discover.models import ModelStore
from videoannotator.discover.pipeline import Context
from videoannotator.errors import CancelledError, LeaseTimeout
from videoannotator.formats.classes import row_class_of
from videoannotator.run.cache import Entry, ResultCache, Stored
from videoannotator.run.control import Control, put
from videoannotator.run.estimating import learn
from videoannotator.run.events import Event, Failed, Finished, Notice, PipelineDone, Progress, RowsReady
from videoannotator.run.failing import skipped
from videoannotator.run.feeding import Feeder
from videoannotator.run.keys import keys_of
from videoannotator.run.measured import Measured
from videoannotator.run.plan import Plan, PlannedPipeline
from videoannotator.run.provenance import provenance_of
from videoannotator.run.resources import LOOK, Lease, ResourceManager, shared_resources
from videoannotator.run.worker import Surroundings, Worker

__all__ = ["Run", "time_left"]

_EVENTS = 64
_POLL = 0.1
_PROGRESS_EVERY = 0.1
_PATIENCE = 1.0
"""Seconds of waiting for a device that nobody needs to be told of."""


class Run:
    """One run of one plan. Iterate `events` once, to the end; closing the iterator cancels the run.

    ``resources``: who gives leases. ``user``: on whose behalf models stay loaded. ``lease_timeout``: seconds that it
    waits for a device, at most.
    """

    def __init__(
        self,
        plan: Plan,
        store: ModelStore,
        control: Control,
        cache: ResultCache | None = None,
        resources: ResourceManager | None = None,
        user: object = None,
        lease_timeout: float = 3600.0,
        open_pass: Callable[..., DecodePass] = DecodePass,
    ) -> None:
        self.plan = plan
        self.store = store
        self.control = control
        self.cache = cache
        self.resources = resources if resources is not None else shared_resources()
        self.user = user
        self.lease_timeout = lease_timeout
        self.measured = Measured()
        self.open_pass = open_pass
        self._keys: dict[str, str] = {}
        self._records: dict[str, PipelineRecord] = {}
        self._events: queue.Queue[Event] = queue.Queue(_EVENTS)
        self._results: dict[str, PipelineResult] = {}
        self._workers: list[Worker] = []
        self._media_failures: dict[Failure, None] = {}
        self._crash: BaseException | None = None
        self._feeders: list[Feeder] = []
        self._began = time.perf_counter()
        self._sha256 = ""
        told = (self._events, control, plan.spans, plan.media)
        self._around = Surroundings(*told, self.resources, self.measured, user)

    def events(self) -> Iterator[Event]:
        """Run, and tell what happens; the last event is `Finished`. Raises `CancelledError` when cancelled."""
        try:
            self._sha256 = known_sha256(Path(self.plan.media.path))
            if self.cache is not None:
                self._keys = keys_of(self.plan, self._sha256, self.store)
            for stage in self.plan.stages:
                with ExitStack() as held:
                    yield from self._stage(stage, held)
            self.control.check()
            yield self._progress()
            yield Finished(self._result())
        finally:
            self.control.cancel()

    def _stage(self, stage: Sequence[PlannedPipeline], held: ExitStack) -> Iterator[Event]:
        todo: list[PlannedPipeline] = []
        entries: dict[str, Entry] = {}
        # in one order everywhere, so that two runs never wait for each other's
        for planned in sorted(stage, key=lambda p: self._keys.get(p.name, "")):
            problem = planned.problem or self._unmet(planned)
            if problem is not None:
                yield from self._skipped(planned, problem)
                continue
            stored = self._stored(planned, entries, held)
            if stored is None:
                todo.append(planned)
            else:
                yield from self._taken(planned, stored)
        todo.sort(key=lambda planned: self.plan.names.index(planned.name))
        while todo:  # what does not fit on a device side by side takes turns
            try:
                leases = yield from self._leased(todo)
            except LeaseTimeout as error:
                for planned in todo:
                    problem = Failure("lease_timeout", str(error), pipeline=planned.name)
                    yield from self._skipped(planned, problem)
                return
            try:
                yield from self._group([p for p in todo if p.name in leases], leases, entries)
            finally:
                for lease in leases.values():
                    self.resources.give_back(lease)
            todo = [planned for planned in todo if planned.name not in leases]

    def _leased(self, todo: Sequence[PlannedPipeline]) -> Generator[Event, None, dict[str, Lease]]:
        """Leases for some of them; says so when it has to wait. Raises `LeaseTimeout`."""
        told = False
        with self.resources.turn([planned.request for planned in todo]) as turn:
            while not (leases := turn.take(max(0.0, min(LOOK, self.lease_timeout - turn.waited)))):
                self.control.check()
                if turn.waited >= self.lease_timeout:
                    raise turn.late(self.lease_timeout)
                if turn.waited > _PATIENCE and not told:
                    told = True
                    yield Notice(todo[0].name, f"waits for room: {turn}")
        return leases

    def _skipped(self, planned: PlannedPipeline, problem: Failure) -> Iterator[Event]:
        self._results[planned.name] = skipped(planned, problem)
        yield Failed(problem)
        yield PipelineDone(planned.name, 0.0)

    def _group(
        self, group: Sequence[PlannedPipeline], leases: Mapping[str, Lease], entries: Mapping[str, Entry]
    ) -> Iterator[Event]:
        """Run pipelines side by side, fed by one pass."""
        began, held = time.perf_counter(), self.control.held
        workers = [self._worker(planned, leases[planned.name]) for planned in group]
        for worker in workers:
            if worker.name in entries:
                gives, media = worker.planned.entry.importable, Path(self.plan.media.path).name
                worker.take_up(entries[worker.name].chain(worker.name, media, gives))
        self._workers += workers
        yield from self._told(f for w in sorted(workers, key=_known, reverse=True) for f in w.point.media_failures)
        covered = {name: result.coverage for name, result in self._results.items()}
        feeder = Feeder(self.plan, workers, self.control, self._media_failed, covered, self.open_pass)
        self._feeders.append(feeder)
        thread = threading.Thread(target=self._feed, args=(feeder,), name="videoannotator:decode", daemon=True)
        threads, started = [thread, *(w.thread for w in workers)], []
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
            yield from self._watch(threads)
        finally:
            if any(thread.is_alive() for thread in threads):  # whoever iterates wants no more
                self.control.cancel()
            for thread in started:
                thread.join()
        for worker in workers:
            self._results[worker.name], self._records[worker.name] = worker.result(), worker.record()
            if worker.name in entries and self._results[worker.name].ok:
                self._keep(worker.name, entries[worker.name])
        if all(self._results[w.name].ok and w.whole for w in workers):
            seconds = time.perf_counter() - began - (self.control.held - held)
            learn(self.plan, self.measured, group, seconds, [w.seconds for w in workers])

    def _stored(self, planned: PlannedPipeline, entries: dict[str, Entry], held: ExitStack) -> Stored | None:
        """What the cache has of a pipeline; where it has nothing, its entry is ours to fill until the stage ends."""
        key = self._keys.get(planned.name)
        if self.cache is None or key is None:
            return None
        stored = self._looked_up(planned, key, self.cache)
        if stored is None:
            entry = held.enter_context(self.cache.open(key, self.control.check))
            stored = self._looked_up(planned, key, self.cache)  # somebody else may have filled it while we waited
            if stored is None:
                entries[planned.name] = entry
        return stored

    @staticmethod
    def _looked_up(planned: PlannedPipeline, key: str, cache: ResultCache) -> Stored | None:
        if not cache.has(key):
            return None
        return cache.lookup(key, [row_class_of(planned.entry, output) for output in planned.entry.spec.gives])

    def _taken(self, planned: PlannedPipeline, stored: Stored) -> Iterator[Event]:
        entry, found = planned.entry, stored.result.tables
        tables = {name: _as(row_class_of(entry, name), t) for name, t in found.items()}
        self._results[planned.name] = attrs.evolve(stored.result, tables=tables)
        self._records[planned.name] = attrs.evolve(stored.record, cached=True)
        yield from self._told(stored.media_failures)
        for output, table in tables.items():
            if len(table):
                yield RowsReady(planned.name, output, table)
        yield PipelineDone(planned.name, 0.0)

    def _told(self, failures: Iterable[Failure]) -> Iterator[Event]:
        """What an earlier run found wrong with the file, once each."""
        for failure in failures:
            if failure not in self._media_failures:
                self._media_failures[failure] = None
                yield Failed(failure)

    def _keep(self, name: str, entry: Entry) -> None:
        result, record = self._results[name], self._records[name]
        planned = next(p for p in self.plan.pipelines if p.name == name)
        decoded = planned.frames is not None or planned.audio is not None
        failures = tuple(self._media_failures) if decoded else ()
        provenance = provenance_of(self.plan, self._sha256, [record])
        entry.finish(Stored(result, record, failures), self.plan.media, provenance)

    def _watch(self, threads: Sequence[threading.Thread]) -> Iterator[Event]:
        """Pass events on until every thread has ended and nothing is left in the queue."""
        told = 0.0
        while True:
            alive = any(t.is_alive() for t in threads)
            try:
                yield self._events.get(timeout=_POLL if alive else 0)
            except queue.Empty:
                if not alive:
                    break
            if time.perf_counter() - told > _PROGRESS_EVERY:
                told = time.perf_counter()
                yield self._progress()
        if self._crash is not None:
            raise self._crash
        self.control.check()

    def _worker(self, planned: PlannedPipeline, lease: Lease) -> Worker:
        outputs = {n.pipeline: r for n in planned.outputs if (r := self._results.get(n.pipeline)) and r.ok}

        def context(lease: Lease) -> Context:
            return Context(
                media=self.plan.media,
                span=self.plan.spans[0],
                precision=planned.precision,
                device=lease.device,
                threads=lease.threads,
                batch=lease.batch,
                dtypes=lease.dtypes,
                models=planned.entry.spec.models,
                store=self.store,
                outputs=outputs,
            )

        return Worker(planned, lease, context, self._around)

    def _unmet(self, planned: PlannedPipeline) -> Failure | None:
        for need in planned.outputs:
            result = self._results.get(need.pipeline)
            if not need.optional and (result is None or not result.ok):
                reason = result.failures[0].message if result else "it did not run"
                return Failure(
                    "needs_failed", f"it needs {need.pipeline}, which failed: {reason}", pipeline=planned.name
                )
        return None

    def _feed(self, feeder: Feeder) -> None:
        try:
            feeder.run()
        except CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates the events, which raises it
            self._crash = error
            self.control.cancel()

    def _media_failed(self, failure: Failure) -> None:
        if failure not in self._media_failures:
            self._media_failures[failure] = None
            put(self._events, Failed(failure), self.control)

    def _progress(self) -> Progress:
        total = len(self.plan.pipelines)
        running = [w for w in self._workers if w.name not in self._results]
        done = len(self._results) + sum(w.fraction for w in running)
        fraction = done / total if total else 1.0
        elapsed = time.perf_counter() - self._began - self.control.held
        behind = min((w.fraction for w in running if w.planned.frames and not w.done), default=fraction)
        frames = sum(feeder.decoded for feeder in self._feeders)
        eta = time_left(fraction, elapsed, self.plan.seconds)
        return Progress(fraction, frames, behind * self.plan.duration, self.plan.duration, eta)

    def _result(self) -> Result:
        records = [self._records[p.name] for p in self.plan.pipelines if p.name in self._records]
        return Result(
            media=self.plan.media,
            pipelines={p.name: self._results[p.name] for p in self.plan.pipelines},
            provenance=provenance_of(self.plan, self._sha256, records),
            media_failures=tuple(self._media_failures),
        )


def time_left(fraction: float, elapsed: float, planned: float | None) -> float | None:
    """Seconds: at first as earlier runs tell, and the further this one is, the more by its own pace."""
    pace = elapsed / fraction if fraction > 0 else None
    if pace is None or planned is None:
        whole = pace if planned is None else planned
    else:
        whole = fraction * pace + (1 - fraction) * planned
    return None if whole is None else whole * (1 - fraction)


def _as(row_class: type[Any], table: Table[Any]) -> Table[Any]:
    """A table that was read, of the class that its pipeline gives: that of a plugin may have been made from columns."""
    return table if table.row_class is row_class else Table.from_arrow(row_class, table.to_arrow())


def _known(worker: Worker) -> int:
    return len(worker.point.media_failures)
