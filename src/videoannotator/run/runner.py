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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.time import TimeSpan
from videoannotator.decode.batching import Batcher
from videoannotator.decode.passes import DecodePass
from videoannotator.discover.models import ModelStore, sha256_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import CancelledError
from videoannotator.run.control import Control, put
from videoannotator.run.events import Event, Failed, Finished, PipelineDone, Progress
from videoannotator.run.failing import skipped
from videoannotator.run.plan import Plan, PlannedPipeline
from videoannotator.run.provenance import provenance_of
from videoannotator.run.worker import End, Given, Worker

__all__ = ["Run"]

_EVENTS = 64
_POLL = 0.1
_PROGRESS_EVERY = 0.1


class Run:
    """One run of one plan. Iterate `events` once, to the end; closing the iterator cancels the run."""

    def __init__(
        self, plan: Plan, store: ModelStore, control: Control, open_pass: Callable[..., DecodePass] = DecodePass
    ) -> None:
        self.plan = plan
        self.store = store
        self.control = control
        self.open_pass = open_pass
        self._events: queue.Queue[Event] = queue.Queue(_EVENTS)
        self._results: dict[str, PipelineResult] = {}
        self._workers: list[Worker] = []
        self._media_failures: dict[Failure, None] = {}
        self._threads: list[threading.Thread] = []
        self._crash: BaseException | None = None
        self._frames = 0
        self._began = time.perf_counter()
        self._sha256 = ""

    def events(self) -> Iterator[Event]:
        """Run, and tell what happens; the last event is `Finished`. Raises `CancelledError` when cancelled."""
        hashing = threading.Thread(target=self._hash, name="videoannotator:hash", daemon=True)
        hashing.start()
        try:
            for stage in self.plan.stages:
                yield from self._stage(stage)
            hashing.join()
            if self._crash is not None:
                raise self._crash
            self.control.check()
            yield self._progress()
            yield Finished(self._result())
        finally:
            self.control.cancel()
            for thread in (hashing, *self._threads):
                thread.join()

    def _hash(self) -> None:
        try:
            self._sha256 = sha256_of(Path(self.plan.media.path))
        except OSError as error:
            self._crash = error

    def _stage(self, stage: Sequence[PlannedPipeline]) -> Iterator[Event]:
        workers = []
        for planned in stage:
            problem = planned.problem or self._unmet(planned)
            if problem is None:
                workers.append(self._worker(planned))
                continue
            self._results[planned.name] = skipped(planned, problem)
            yield Failed(problem)
            yield PipelineDone(planned.name, 0.0)
        self._workers += workers
        feeder = threading.Thread(target=self._feed, args=(workers,), name="videoannotator:decode", daemon=True)
        threads = [feeder, *(w.thread for w in workers)]
        for thread in threads:
            thread.start()
            self._threads.append(thread)
        yield from self._watch(threads)
        for worker in workers:
            self._results[worker.name] = worker.result()

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
                models=planned.entry.spec.models,
                store=self.store,
                outputs=outputs,
            )

        return Worker(planned, context, self._events, self.control, self.plan.spans, _nothing_to_free)

    def _unmet(self, planned: PlannedPipeline) -> Failure | None:
        for need in planned.outputs:
            result = self._results.get(need.pipeline)
            if not need.optional and (result is None or not result.ok):
                reason = result.failures[0].message if result else "it did not run"
                return Failure(
                    "needs_failed", f"it needs {need.pipeline}, which failed: {reason}", pipeline=planned.name
                )
        return None

    def _feed(self, workers: Sequence[Worker]) -> None:
        try:
            self._feed_stage(workers)
        except CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates the events, which raises it
            self._crash = error
            self.control.cancel()

    def _feed_stage(self, workers: Sequence[Worker]) -> None:
        for span in self.plan.spans:
            self._feed_span(span, workers)

    def _feed_span(self, span: TimeSpan, workers: Sequence[Worker]) -> None:
        needs = list(dict.fromkeys(w.planned.frames for w in workers if w.planned.frames))
        rates = list(dict.fromkeys(w.planned.audio for w in workers if w.planned.audio))
        sounds: dict[Audio, AudioTrack | None] = {}
        coverage: dict[Frames, Coverage] = {}
        if needs or rates:
            first = rates[0] if rates else None
            with self.open_pass(self.plan.media, needs, first, span) as decoding:
                self._pump(decoding, needs, workers)
                coverage = {need: decoding.coverage(need) for need in needs}
                if first is not None:
                    sounds[first] = decoding.audio_track
                self._report_media(decoding)
        for other in rates[1:]:  # a second sample rate is a second, sound-only pass
            with self.open_pass(self.plan.media, (), other, span) as decoding:
                self._pump(decoding, (), ())
                sounds[other] = decoding.audio_track
        for worker in workers:
            sound = sounds.get(worker.planned.audio) if worker.planned.audio else None
            worker.give(End(self._covered(worker.planned, span, sound, coverage), sound))

    def _pump(self, decoding: DecodePass, needs: Sequence[Frames], workers: Sequence[Worker]) -> None:
        groups: dict[tuple[int, int], list[Worker]] = {}
        for worker in workers:
            if worker.planned.frames is not None:
                key = (needs.index(worker.planned.frames), worker.planned.entry.spec.batch)
                groups.setdefault(key, []).append(worker)
        batchers = {key: Batcher(self.plan.media, needs[key[0]], key[0], key[1]) for key in groups}
        before = self._frames

        def give(key: tuple[int, int], batch: FrameBatch | None) -> None:
            if batch is not None:
                given = Given(batch, decoding.coverage(needs[key[0]]))
                for worker in groups[key]:
                    worker.give(given)

        for picture in decoding:
            self.control.check()
            self._frames = before + decoding.decoded
            for key, batcher in batchers.items():
                if key[0] in picture.wanted:
                    give(key, batcher.add(picture))
        self._frames = before + decoding.decoded
        for key, batcher in batchers.items():
            give(key, batcher.flush())

    def _report_media(self, decoding: DecodePass) -> None:
        for failure in decoding.failures:
            if failure not in self._media_failures:
                self._media_failures[failure] = None
                put(self._events, Failed(failure), self.control)

    def _covered(
        self, planned: PlannedPipeline, span: TimeSpan, sound: AudioTrack | None, coverage: dict[Frames, Coverage]
    ) -> Coverage:
        if planned.frames is not None:
            return coverage[planned.frames]
        if sound is not None:
            return Coverage((sound.span,))
        read = [self._results[n.pipeline].coverage for n in planned.outputs if n.pipeline in self._results]
        return read[0].within(span) if read else Coverage((span,))

    def _progress(self) -> Progress:
        total = len(self.plan.pipelines)
        running = [w for w in self._workers if w.name not in self._results]
        done = len(self._results) + sum(w.fraction for w in running)
        fraction = done / total if total else 1.0
        elapsed = time.perf_counter() - self._began - self.control.held
        behind = min((w.fraction for w in running if w.planned.frames and not w.done), default=fraction)
        eta = elapsed * (1 - fraction) / fraction if fraction > 0 else None
        return Progress(fraction, self._frames, behind * self.plan.duration, self.plan.duration, eta)

    def _result(self) -> Result:
        records = [w.record() for w in self._workers]
        return Result(
            media=self.plan.media,
            pipelines={p.name: self._results[p.name] for p in self.plan.pipelines},
            provenance=provenance_of(self.plan, self._sha256, records),
            media_failures=tuple(self._media_failures),
        )


def _nothing_to_free(device: str) -> bool:
    return False
