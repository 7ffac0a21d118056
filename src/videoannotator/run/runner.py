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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import attrs

from videoannotator.data.outcome import Failure, PipelineRecord
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table
from videoannotator.decode.passes import DecodePass
from videoannotator.discover.models import ModelStore
from videoannotator.discover.pipeline import Context
from videoannotator.discover.specs import load
from videoannotator.errors import CancelledError
from videoannotator.run.cache import Entry, ResultCache, Stored
from videoannotator.run.control import Control, put
from videoannotator.run.events import Event, Failed, Finished, PipelineDone, Progress, RowsReady
from videoannotator.run.failing import skipped
from videoannotator.run.feeding import Feeder
from videoannotator.run.identity import media_sha256
from videoannotator.run.keys import keys_of
from videoannotator.run.loaded import LoadedModels, shared_models
from videoannotator.run.plan import Plan, PlannedPipeline
from videoannotator.run.provenance import provenance_of
from videoannotator.run.worker import Worker

__all__ = ["Run"]

_EVENTS = 64
_POLL = 0.1
_PROGRESS_EVERY = 0.1


class Run:
    """One run of one plan. Iterate `events` once, to the end; closing the iterator cancels the run.

    ``models``: where loaded ones are kept, on behalf of ``user``.
    """

    def __init__(
        self,
        plan: Plan,
        store: ModelStore,
        control: Control,
        cache: ResultCache | None = None,
        models: LoadedModels | None = None,
        user: object = None,
        open_pass: Callable[..., DecodePass] = DecodePass,
    ) -> None:
        self.plan = plan
        self.store = store
        self.control = control
        self.cache = cache
        self.models = models if models is not None else shared_models()
        self.user = user
        self.open_pass = open_pass
        self._keys: dict[str, str] = {}
        self._records: dict[str, PipelineRecord] = {}
        self._events: queue.Queue[Event] = queue.Queue(_EVENTS)
        self._results: dict[str, PipelineResult] = {}
        self._workers: list[Worker] = []
        self._media_failures: dict[Failure, None] = {}
        self._threads: list[threading.Thread] = []
        self._crash: BaseException | None = None
        self._feeders: list[Feeder] = []
        self._began = time.perf_counter()
        self._sha256 = ""

    def events(self) -> Iterator[Event]:
        """Run, and tell what happens; the last event is `Finished`. Raises `CancelledError` when cancelled."""
        try:
            self._sha256 = media_sha256(Path(self.plan.media.path))
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
            for thread in self._threads:
                thread.join()

    def _stage(self, stage: Sequence[PlannedPipeline], held: ExitStack) -> Iterator[Event]:
        workers = []
        entries: dict[str, Entry] = {}
        # in one order everywhere, so that two runs never wait for each other's
        for planned in sorted(stage, key=lambda p: self._keys.get(p.name, "")):
            problem = planned.problem or self._unmet(planned)
            if problem is not None:
                self._results[planned.name] = skipped(planned, problem)
                yield Failed(problem)
                yield PipelineDone(planned.name, 0.0)
                continue
            stored = self._stored(planned, entries, held)
            if stored is None:
                workers.append(self._worker(planned))
                if planned.name in entries:
                    gives, media = planned.entry.spec.gives, Path(self.plan.media.path).name
                    workers[-1].take_up(entries[planned.name].chain(planned.name, media, gives))
            else:
                yield from self._taken(planned, stored)
        workers.sort(key=lambda worker: self.plan.names.index(worker.name))
        self._workers += workers
        yield from self._told(f for w in sorted(workers, key=_known, reverse=True) for f in w.point.media_failures)
        covered = {name: result.coverage for name, result in self._results.items()}
        feeder = Feeder(self.plan, workers, self.control, self._media_failed, covered, self.open_pass)
        self._feeders.append(feeder)
        thread = threading.Thread(target=self._feed, args=(feeder,), name="videoannotator:decode", daemon=True)
        threads = [thread, *(w.thread for w in workers)] if workers else []
        for thread in threads:
            thread.start()
            self._threads.append(thread)
        yield from self._watch(threads)
        for worker in workers:
            self._results[worker.name], self._records[worker.name] = worker.result(), worker.record()
        for name, entry in entries.items():
            if self._results[name].ok:
                self._keep(name, entry)

    def _stored(self, planned: PlannedPipeline, entries: dict[str, Entry], held: ExitStack) -> Stored | None:
        """What the cache has of a pipeline; where it has nothing, its entry is ours to fill until the stage ends."""
        key = self._keys.get(planned.name)
        if self.cache is None or key is None:
            return None
        stored = self.cache.lookup(key)
        if stored is None:
            entry = held.enter_context(self.cache.open(key, self.control.check))
            stored = entry.stored  # somebody else may have filled it while we waited
            if stored is None:
                entries[planned.name] = entry
        return stored

    def _taken(self, planned: PlannedPipeline, stored: Stored) -> Iterator[Event]:
        gives = planned.entry.spec.gives
        tables = {name: Table.from_arrow(load(gives[name]), t.to_arrow()) for name, t in stored.result.tables.items()}
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

    def _worker(self, planned: PlannedPipeline) -> Worker:
        outputs = {n.pipeline: r for n in planned.outputs if (r := self._results.get(n.pipeline)) and r.ok}

        def context(device: str) -> Context:
            return Context(
                media=self.plan.media,
                span=self.plan.spans[0],
                device=device,
                threads=planned.lease.threads,
                batch=planned.entry.spec.batch,
                precision=planned.precision,
                models=planned.entry.spec.models,
                store=self.store,
                outputs=outputs,
            )

        told = (self._events, self.control, self.plan.spans, self.plan.media)
        return Worker(planned, context, *told, self.models, self.user)

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
        eta = elapsed * (1 - fraction) / fraction if fraction > 0 else None
        return Progress(fraction, frames, behind * self.plan.duration, self.plan.duration, eta)

    def _result(self) -> Result:
        records = [self._records[p.name] for p in self.plan.pipelines if p.name in self._records]
        return Result(
            media=self.plan.media,
            pipelines={p.name: self._results[p.name] for p in self.plan.pipelines},
            provenance=provenance_of(self.plan, self._sha256, records),
            media_failures=tuple(self._media_failures),
        )


def _known(worker: Worker) -> int:
    return len(worker.point.media_failures)
