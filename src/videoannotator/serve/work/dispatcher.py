"""The dispatcher: takes jobs, has them executed, and sees to it that each of them ends."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from videoannotator.errors import CancelledError, VideoAnnotatorError
from videoannotator.serve.errors import DatabaseUnavailable, LeaseLostError, RefusedError, StorageFullError
from videoannotator.serve.failpoints import failpoint
from videoannotator.serve.request import JobRequest
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.jobs import Claim, Ended, Job, JobStore
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.attempt import Attempt
from videoannotator.serve.work.executor import Executor
from videoannotator.serve.work.identity import Identity
from videoannotator.serve.work.local import LocalExecutor
from videoannotator.serve.work.messages import Task
from videoannotator.serve.work.naming import absolute, job_folder, stem_of, target_of
from videoannotator.serve.work.reaper import Reaper
from videoannotator.serve.work.retrying import delay_of

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)
_LOOK = 0.05
_LONGEST_WAIT = 5.0
_LAST = 15.0
"""Seconds that a dispatcher which ends tries to write down what it had."""


class Dispatcher:
    """One thread that claims, watches, and commits; the work itself is the executor's.

    ``claims``: it looks for work by itself; otherwise it does what is given to `work_on` (a queue outside).
    Any number of dispatchers may share a database.
    """

    def __init__(
        self,
        settings: ServerSettings,
        jobs: JobStore,
        workers: WorkerStore,
        executor: Executor,
        *,
        claims: bool = True,
    ) -> None:
        self.me = Identity.of_this_process()
        self._settings = settings
        self._jobs = jobs
        self._workers = workers
        self._executor = executor
        self._claims = claims
        # twice a heartbeat is soon enough, and a lease that nobody renews is seen to end at most a step too late
        self._step = min(settings.jobs.heartbeat, settings.jobs.lease / 4) / 2
        self._reaper = Reaper(self.me, jobs, workers, lease=settings.jobs.lease, step=self._step)
        self._attempts: dict[str, Attempt] = {}
        self._given: deque[tuple[str, Future[None]]] = deque()
        self._futures: dict[str, Future[None]] = {}
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: Exception | None = None
        self._next = {"look": 0.0, "reap": 0.0, "arrive": 0.0, "claim": 0.0, "tidy": 0.0}
        self._away = 0  # how often in a row the database did not answer

    @classmethod
    def of(cls, service: Service, *, claims: bool = True) -> Dispatcher:
        """One for a service, with processes of this machine."""
        jobs = service.settings.jobs
        executor = LocalExecutor(jobs.concurrent, nice=jobs.nice, idle=jobs.idle)
        made = cls(service.settings, service.jobs, WorkerStore(service.database), executor, claims=claims)
        executor.on_news(made.wake)
        return made

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the jobs that are at work here."""
        return tuple(self._attempts)

    @property
    def alive(self) -> bool:
        """True while its thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def away(self) -> bool:
        """True while the database does not answer."""
        return self._away > 0

    def wake(self) -> None:
        """Look at once: there is news. From any thread."""
        self._news.set()

    def hurry(self) -> None:
        """Look for work at once: there may be some. From any thread."""
        self._next["claim"] = self._next["look"] = 0.0
        self._news.set()

    def work_on(self, job_id: str) -> Future[None]:
        """Claim this job, if it is pending, and see it through; done when it is not at work here any more."""
        future: Future[None] = Future()
        self._given.append((job_id, future))
        self.wake()
        return future

    def start(self) -> None:
        """Work in a thread of its own, until `stop`. Should it ever crash, ``failure`` has the reason."""
        self._thread = threading.Thread(target=self._run_kept, name="videoannotator:dispatcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more jobs, and give back those at work: another dispatcher, or the next start, goes on with them.

        They are asked to stop and have what they did so far on the disk; the attempt does not count. Waits.
        """
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join()

    def ask_to_stop(self) -> None:
        """`stop`, without waiting; from any thread."""
        self._stopping.set()
        self.wake()

    def _run_kept(self) -> None:
        try:
            self.run()
        except Exception as error:  # noqa: BLE001 - whoever started the thread looks at it
            self.failure = error

    def run(self) -> None:
        """Work in this thread, until `stop` is called in another."""
        try:
            while not self._stopping.is_set():
                self._round()
                self._news.wait(self._pause())
                self._news.clear()
            self._give_back()
        finally:
            self._executor.close()
            stopped = CancelledError("this worker was stopped")
            for future in (*(future for _, future in self._given), *self._futures.values()):
                _resolve(future, stopped)

    def _pause(self) -> float:
        """Seconds until there is something to do, unless there is news before."""
        if self._attempts:
            return _LOOK
        return max(0.0, min(self._settings.jobs.poll, min(self._next.values()) - time.monotonic()))

    def _round(self) -> None:
        for attempt in tuple(self._attempts.values()):
            attempt.step()
        if self._due("tidy", 1.0):
            self._executor.tidy()
        for name, every, do in (
            ("arrive", self._settings.jobs.heartbeat, self._arrive),
            ("look", self._settings.jobs.poll, self._look),
            ("reap", self._step, self._reap),
        ):
            if self._due(name, every):
                self._try(do)
        if not self._stopping.is_set():
            self._try(self._claim_given)
            if self._claims and self._due("claim", self._settings.jobs.poll):
                self._try(self._claim)

    def _due(self, name: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._next[name]:
            return False
        self._next[name] = now + every
        return True

    def _try(self, do: Callable[[], None]) -> None:
        """Do it; where the database does not answer, or takes nothing more, try again a little later."""
        try:
            do()
        except (DatabaseUnavailable, StorageFullError) as error:
            self._away += 1
            wait = min(_LONGEST_WAIT, 0.1 * 2 ** min(self._away, 10))
            if self._away == 1:
                _log.warning("%s", error)
            self._reaper.forget()
            for name in ("arrive", "look", "reap", "claim"):
                self._next[name] = time.monotonic() + wait
        else:
            if self._away:
                _log.warning("the database answers again")
            self._away = 0

    def _arrive(self) -> None:
        self._workers.arrive(self.me.id, self.me.host, self.me.pid, self._executor.name, self.me.info)

    def _look(self) -> None:
        """Is what is at work here still ours, and does anybody want it to stop?"""
        held = self._jobs.held(self.me.id)
        for job_id, attempt in self._attempts.items():
            job = held.get(job_id)
            if job is None or job.attempt != attempt.claim.attempt:
                attempt.lose()
            elif job.cancel_requested_at is not None:
                attempt.want("cancel")
        for job_id, job in held.items():
            if job_id not in self._attempts:  # the database went away between its claim and its beginning
                with suppress(LeaseLostError):
                    self._jobs.give_back(Claim(job, self.me.id, job.attempt))

    def _reap(self) -> None:
        if self._reaper.look():
            self.hurry()

    def _claim(self) -> None:
        while len(self._attempts) < self._executor.slots:
            failpoint("before-claim")
            claim = self._jobs.claim(self.me.id, self._settings.jobs.lease)
            if claim is None:
                return
            failpoint("after-claim")
            self._begin(claim)

    def _claim_given(self) -> None:
        while self._given and len(self._attempts) < self._executor.slots:
            job_id, future = self._given[0]
            failpoint("before-claim")
            claim = self._jobs.claim(self.me.id, self._settings.jobs.lease, job_id=job_id)
            self._given.popleft()
            if claim is None:  # cancelled, ended, or somebody else's meanwhile
                _resolve(future)
                continue
            failpoint("after-claim")
            self._futures[job_id] = future
            self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        """Have it executed. What cannot begin ends at once, with its reason."""
        job = claim.job
        try:
            task = self._task(job)
            execution = self._executor.start(task)
        except (RefusedError, VideoAnnotatorError) as error:
            if isinstance(error, DatabaseUnavailable | StorageFullError):
                raise  # `_look` gives it back
            code = error.stable_code if isinstance(error, RefusedError) else "INVALID_CONFIG"
            self._fail(claim, code, str(error))
        except OSError as error:
            delay = delay_of(self._settings.jobs.back_off, claim.attempt)
            self._jobs.retry_later(claim, delay, "CRASHED", f"its process could not be started: {error}")
            self._over(job.id)
        else:
            _log.info("job %s: attempt %d begins", job.id, claim.attempt)
            self._attempts[job.id] = Attempt(
                claim, task, execution, self._jobs, self._settings, lambda ended: self._ended(job.id, ended)
            )

    def _task(self, job: Job) -> Task:
        request = JobRequest.of(job.request)
        if request.db_location is not None:
            inside = inside_roots(self._settings, request.db_location, what="db_location")
            request = attrs.evolve(request, db_location=str(inside))
        path, name = self._jobs.media(job)
        data = self._settings.data_dir.absolute()
        return Task(
            job=job.id,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            media=str(absolute(self._settings, path)),
            name=name,
            request=request,
            device=self._settings.jobs.device,
            folder=str(job_folder(self._settings, job.id)),
            target=str(target_of(self._settings, request, job.id, job.attempt, stem_of(name))),
            cache=str(data / "cache"),
            before=job.error_code,
            traceparent=job.traceparent,
        )

    def _fail(self, claim: Claim, code: str, message: str) -> None:
        try:
            self._jobs.finish(claim, Ended(state="failed", error_code=code, error_message=message))
        except LeaseLostError:
            _log.info("job %s: somebody else has it", claim.job.id)
        self._over(claim.job.id)

    def _ended(self, job_id: str, job: Job | None) -> None:
        if job is not None:
            _log.info("job %s: %s", job_id, job.state)
        self._attempts.pop(job_id, None)
        self._over(job_id)
        self._next["claim"] = 0.0  # there is room

    def _over(self, job_id: str) -> None:
        future = self._futures.pop(job_id, None)
        if future is not None:
            _resolve(future)

    def _give_back(self) -> None:
        """Have everything stop, and write down that others may go on with it."""
        until = time.monotonic() + self._settings.jobs.hard_cancel + _LAST
        for attempt in self._attempts.values():
            attempt.want("give back")
        while self._attempts and time.monotonic() < until:
            for attempt in tuple(self._attempts.values()):
                attempt.step()
            self._news.wait(_LOOK)
            self._news.clear()
        for job_id in self._attempts:
            _log.warning("job %s could not be given back; it is taken back when its lease ends", job_id)
        try:
            self._workers.leave(self.me.id)
        except (DatabaseUnavailable, StorageFullError) as error:
            _log.warning("%s", error)


def _resolve(future: Future[None], error: Exception | None = None) -> None:
    """Tell whoever waits; nobody may be there any more."""
    with suppress(InvalidStateError):
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
