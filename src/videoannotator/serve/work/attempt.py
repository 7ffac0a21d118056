"""One attempt at a job, watched from its claim to the commit of how it ended."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from videoannotator.serve.errors import DatabaseUnavailable, LeaseLostError, StorageFullError
from videoannotator.serve.failpoints import failpoint
from videoannotator.serve.operating import logs
from videoannotator.serve.operating.tracing import AttemptSpan
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.jobs import Claim, Ended, Job, JobStore, ProgressReport
from videoannotator.serve.work.executor import Execution
from videoannotator.serve.work.messages import Done, Gone, Noted, Progressed, Task
from videoannotator.serve.work.naming import relative
from videoannotator.serve.work.retrying import delay_of, passes, retries

__all__ = ["Attempt"]

_log = logging.getLogger(__name__)
_PROGRESS = 1.0
"""Seconds between two reports to the database, at least."""
_MEMORY = 0.5
_AGAIN = 0.5

Wish = Literal["cancel", "give back"]


class Attempt:
    """``store``: where it is written down. ``ended``: called with the job when that is committed.

    `step` is called again and again, by one thread; it never waits for the work.
    """

    def __init__(
        self,
        claim: Claim,
        task: Task,
        execution: Execution,
        store: JobStore,
        settings: ServerSettings,
        ended: Callable[[Job | None], None],
    ) -> None:
        self.claim = claim
        self.task = task
        self.execution = execution
        self._store = store
        self._settings = settings
        self._ended = ended
        self._progress: Progressed | None = None
        self._notes: list[Noted] = []
        self._done: Done | None = None
        self._gone = False
        self._beat = self._told = time.monotonic()
        self._looked = 0.0
        self._not_before = 0.0
        self._wish: Wish | None = None
        self._wished = 0.0
        self._steps = 0
        self._moved = self._beat
        self._newest: Progressed | None = None
        self._sentence: Done | None = None  # how it ended, when it was we who ended it
        self.lost = False
        self.over = False
        self._known = {"job_id": task.job, "attempt": task.attempt}
        self._span = AttemptSpan(task.traceparent, {**self._known, "worker": claim.worker})
        if self._span.trace_id is not None:
            self._known["trace_id"] = self._span.trace_id

    @property
    def wish(self) -> Wish | None:
        """What somebody wants of it, other than that it goes on."""
        return self._wish

    def want(self, wish: Wish) -> None:
        """Have it stop: because it was cancelled, or because this worker ends."""
        if self._wish is None:
            self._wished = time.monotonic()
        if self._wish != "cancel":
            self._wish = wish

    def lose(self) -> None:
        """The job is somebody else's now: what is at work here is ended, and nothing of it counts."""
        if not self.lost:
            _log.warning("job %s: attempt %d here is over, somebody else has it", self.task.job, self.task.attempt)
            self.lost = True
            self.execution.kill()

    def step(self) -> None:
        """Take what it tells, pass it on, and see to it that it ends when it has to."""
        if self.over:
            return
        with logs.about(**self._known):
            self._step()

    def _step(self) -> None:
        self._listen()
        if self._done is None:
            self._escalate()
            self._watch_memory()
            self._watch_progress()
        if time.monotonic() < self._not_before:
            return
        try:
            self._write()
        except LeaseLostError:
            self.lose()
        except (DatabaseUnavailable, StorageFullError) as error:  # the work goes on meanwhile
            _log.warning("job %s: %s", self.task.job, error)
            self._not_before = time.monotonic() + _AGAIN

    def _listen(self) -> None:
        for message in self.execution.take():
            if isinstance(message, Progressed):
                self._moves(message)
                self._progress = message
            elif isinstance(message, Noted):
                self._moved = time.monotonic()
                self._notes.append(message)
            elif isinstance(message, Done):
                self._done = message
            else:
                self._done = self._fate(message)

    def _fate(self, gone: Gone) -> Done:
        """What it means that the process has ended without a word."""
        if self._sentence is not None:
            return self._sentence
        if self._wish is not None:
            return Done(state="cancelled")
        return Done(state="failed", code="CRASHED", message=gone.message)

    def _escalate(self) -> None:
        if self._wish is None:
            return
        since = time.monotonic() - self._wished
        jobs = self._settings.jobs
        if self._steps == 0:
            self.execution.ask_to_stop()
        elif self._steps == 1 and since >= jobs.soft_cancel:
            self.execution.terminate()
        elif self._steps == 2 and since >= jobs.hard_cancel:
            self.execution.kill()
        else:
            return
        self._steps += 1

    def _watch_memory(self) -> None:
        limit = self._settings.jobs.memory
        now = time.monotonic()
        if limit is None or self._sentence is not None or now - self._looked < _MEMORY:
            return
        self._looked = now
        taken = self.execution.memory(limit)
        if taken is not None and taken > limit:
            self._end(
                "OUT_OF_MEMORY",
                f"the job took {taken / 1e9:.2f} GB of memory; {limit / 1e9:.2f} GB are allowed: "
                "run fewer pipelines at once, or ask the operator for more (jobs.memory)",
            )

    def _moves(self, message: Progressed) -> None:
        """Reports come all the time, also from one that hangs: what they say must have changed."""
        said = attrs.evolve(message, eta=None)
        if said != self._newest:
            self._newest, self._moved = said, time.monotonic()

    def _watch_progress(self) -> None:
        """End one that hangs: it would hold its place for ever. What it listens to was taken in just before."""
        limit = self._settings.jobs.stalled
        if limit is None or self._sentence is not None or self._wish is not None:
            return
        if time.monotonic() - self._moved >= limit:
            stage = "" if self._progress is None else f" while it was at {self._progress.stage}"
            self._end(
                "STALLED",
                f"the job reported nothing new for {limit:g} s{stage}, and was ended; "
                "if it only takes that long, ask the operator for more (jobs.stalled)",
            )

    def _end(self, code: str, message: str) -> None:
        self._sentence = Done(state="failed", code=code, message=message)
        self.execution.kill()

    def _write(self) -> None:
        if self._done is not None:
            self._commit(self._done)
            return
        if self.lost:
            return
        now = time.monotonic()
        fresh = self._progress is not None and now - self._told >= _PROGRESS
        if not fresh and now - self._beat < self._settings.jobs.heartbeat and not self._notes:
            return
        report = None
        if fresh and self._progress is not None:
            report = ProgressReport(**attrs.asdict(self._progress))
        while self._notes:
            note = self._notes[0]
            self._store.log(self.claim, note.message, pipeline=note.pipeline)
            self._notes.pop(0)
        job = self._store.heartbeat(self.claim, self._settings.jobs.lease, report)
        self._beat = now
        if report is not None:
            self._told, self._progress = now, None
        if job.cancel_requested_at is not None:
            self.want("cancel")

    def _commit(self, done: Done) -> None:
        failpoint("before-commit")
        job = None
        if not self.lost:
            try:
                job = self._settled(done)
            except LeaseLostError:
                self.lose()
        failpoint("after-commit")
        if job is None and done.folder is not None:
            shutil.rmtree(done.folder, ignore_errors=True)  # it has the number of an attempt that does not count
        if job is not None and job.delete_requested_at is not None:
            shutil.rmtree(self.task.folder, ignore_errors=True)
        self.over = True
        self._span.end(None if job is None else job.state, None if job is None else job.error_code)
        self._ended(job)

    def _settled(self, done: Done) -> Job:
        """Write down how it ended. Raises `LeaseLostError`."""
        for note in self._notes:
            self._store.log(self.claim, note.message, pipeline=note.pipeline)
        self._notes.clear()
        if done.state == "cancelled" and self._wish == "give back":
            return self._store.give_back(self.claim)
        if done.state == "cancelled" and self._wish is None:
            done = Done(state="failed", code="CRASHED", message="it ended without a result, and nobody had asked it to")
        task = self.task
        if done.folder is None and retries(
            done.code, attempt=task.attempt, max_attempts=task.max_attempts, before=task.before
        ):
            delay = delay_of(self._settings.jobs.back_off, task.attempt)
            return self._store.retry_later(self.claim, delay, done.code or "CRASHED", done.message or "")
        folder = None if done.folder is None else relative(self._settings, str(Path(done.folder)))
        ended = Ended(
            state=done.state,
            error_code=done.code,
            error_message=self._said(done),
            folder=folder,
            bytes=done.bytes,
            summary=done.summary,
        )
        return self._store.finish(self.claim, ended)

    def _said(self, done: Done) -> str | None:
        """The message for people; of what was tried more than once, that it was."""
        number = self.task.attempt
        return f"{done.message} (in {number} attempts)" if passes(done.code) and number > 1 else done.message
