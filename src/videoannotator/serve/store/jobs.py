"""Jobs: the one state machine, on both databases.

::

    pending ──claim──► running ──finish──► completed | partial | failed | cancelled
       ▲                  │
       └─retry, reclaim,──┘      pending ──cancel──► cancelled

A claim raises ``attempt`` by one and names the worker. Whatever a worker says of a job afterwards (heartbeat, progress,
finish, retry) holds only while worker and attempt are still those of the claim: one who lost its lease is told so by
`LeaseLostError`, and changes nothing. The row of the result is written in the transaction of the final state. A state
that is final never changes again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from videoannotator.serve.errors import JobEndedError, LeaseLostError, NotFoundError
from videoannotator.serve.operating.tracing import traceparent_for_job
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import job_events, job_results, jobs, videos

__all__ = ["FINAL", "Claim", "Ended", "Job", "JobStore", "NewJob", "ProgressReport", "State"]

State = Literal["pending", "running", "completed", "partial", "failed", "cancelled"]
FINAL: frozenset[str] = frozenset({"completed", "partial", "failed", "cancelled"})


@attrs.frozen(kw_only=True)
class NewJob:
    """What is asked for. ``request``: see `JobRequest`, as plain values."""

    owner_id: str
    video_id: str
    request: Mapping[str, Any]
    batch_id: str | None = None
    priority: int = 0
    max_attempts: int = 3
    traceparent: str | None = None


@attrs.frozen(kw_only=True)
class Job:
    """A job as it stands in the database; the columns of `schema.jobs`."""

    id: str
    owner_id: str
    batch_id: str | None
    video_id: str
    state: State
    priority: int
    request: dict[str, Any]
    attempt: int
    max_attempts: int
    not_before: float
    worker: str | None
    beat: int
    lease_until: float | None
    cancel_requested_at: float | None
    delete_requested_at: float | None
    stage: str | None
    fraction: float
    frames: int
    media_seconds: float
    eta: float | None
    error_code: str | None
    error_message: str | None
    traceparent: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None

    @classmethod
    def of(cls, row: Row[Any]) -> Job:
        """From a row of the table."""
        return made_of(cls, row)

    @property
    def ended(self) -> bool:
        """True in a final state."""
        return self.state in FINAL


@attrs.frozen
class Claim:
    """The right to work on a job: ``job`` as claimed, by ``worker``, in its ``attempt``."""

    job: Job
    worker: str
    attempt: int


@attrs.frozen(kw_only=True)
class ProgressReport:
    """How far a job is. ``fraction``: 0..1. ``media_seconds``: media time that every pipeline has behind it."""

    stage: str
    fraction: float
    frames: int
    media_seconds: float
    eta: float | None


@attrs.frozen(kw_only=True)
class Ended:
    """How an attempt ended. ``folder``, ``bytes``, ``summary``: of the result; a failed one may have none."""

    state: Literal["completed", "partial", "failed", "cancelled"]
    error_code: str | None = None
    error_message: str | None = None
    folder: str | None = None
    bytes: int = 0
    summary: Mapping[str, Any] = attrs.field(factory=dict)


class JobStore:
    """Every statement about jobs.

    ``on_pending``: called in the transaction in which a job becomes pending, with its connection, the job's id and
    priority, and the seconds it has to wait; an external queue adds its own row there.
    """

    def __init__(
        self, database: Database, *, on_pending: Callable[[Connection, str, int, float], None] | None = None
    ) -> None:
        self.database = database
        self.on_pending = on_pending or (lambda connection, job, priority, delay: None)

    def submit(self, new: NewJob, *, connection: Connection | None = None) -> Job:
        """Add a job; inside the transaction of ``connection``, if given."""
        if connection is None:
            with self.database.write() as connection:
                return self.submit(new, connection=connection)
        values = attrs.asdict(new, recurse=False)
        now = connection.execute(select(moment())).scalar_one()
        added = insert(jobs).values(
            id=str(uuid.uuid4()),
            state="pending",
            not_before=now,
            created_at=now,
            video_duration=select(videos.c.duration).where(videos.c.id == new.video_id).scalar_subquery(),
            **{**values, "request": dict(new.request), "traceparent": traceparent_for_job(new.traceparent)},
        )
        job = Job.of(connection.execute(added.returning(*jobs.c)).one())
        self.tell(connection, job, "update", {"status": "pending"})
        self.on_pending(connection, job.id, job.priority, 0.0)
        return job

    def claim(self, worker: str, lease: float, *, job_id: str | None = None) -> Claim | None:
        """Take the next job, or ``job_id`` if it is pending; None when there is nothing to do."""
        with self.database.write() as connection:
            ready = select(jobs.c.id).where(jobs.c.state == "pending", jobs.c.not_before <= moment())
            if job_id is not None:
                ready = ready.where(jobs.c.id == job_id)
            ready = ready.order_by(jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id).limit(1)
            if not self.database.is_sqlite:
                ready = ready.with_for_update(skip_locked=True)
            taken = connection.execute(ready).scalar_one_or_none()
            if taken is None:
                return None
            claimed = (
                update(jobs)
                .where(jobs.c.id == taken, jobs.c.state == "pending")
                .values(
                    state="running",
                    attempt=jobs.c.attempt + 1,
                    worker=worker,
                    beat=jobs.c.beat + 1,
                    lease_until=moment() + lease,
                    started_at=func.coalesce(jobs.c.started_at, moment()),
                    stage="starting",
                    eta=None,
                )
                .returning(*jobs.c)
            )
            job = Job.of(connection.execute(claimed).one())
            self.tell(connection, job, "update", {"status": "running", "attempt": job.attempt})
            return Claim(job, worker, job.attempt)

    def heartbeat(self, claim: Claim, lease: float, progress: ProgressReport | None = None) -> Job:
        """Say that the work goes on, and how far it is. The answer tells whether somebody wants it to stop."""
        values: dict[str, Any] = {"beat": jobs.c.beat + 1, "lease_until": moment() + lease}
        if progress is not None:
            values |= attrs.asdict(progress)
        with self.database.write() as connection:
            job = self._fenced(connection, claim, values)
            if progress is not None:
                self.tell(connection, job, "progress", {"status": "running", **attrs.asdict(progress)})
            return job

    def log(self, claim: Claim, message: str, **data: Any) -> None:
        """Add a line to the job's events. Raises `LeaseLostError`."""
        with self.database.write() as connection:
            job = self._fenced(connection, claim, {})
            self.tell(connection, job, "log", {"message": message, **data})

    def finish(self, claim: Claim, ended: Ended) -> Job:
        """The final state and the result, in one transaction. Raises `LeaseLostError`.

        It may be called again when nobody knows whether the first call was committed.
        """
        with self.database.write() as connection:
            if ended.folder is not None and (done := self._finished(connection, claim)):
                return done
            job = self._fenced(
                connection,
                claim,
                {
                    "state": ended.state,
                    "worker": None,
                    "lease_until": None,
                    "stage": None,
                    "eta": None,
                    "error_code": ended.error_code,
                    "error_message": ended.error_message,
                    "finished_at": moment(),
                }
                | ({"fraction": 1.0} if ended.state in ("completed", "partial") else {}),
            )
            if ended.folder is not None:
                connection.execute(
                    insert(job_results).values(
                        job_id=job.id,
                        attempt=claim.attempt,
                        worker=claim.worker,
                        folder=ended.folder,
                        bytes=ended.bytes,
                        summary=dict(ended.summary),
                        created_at=moment(),
                    )
                )
            self._close(connection, job)
            return job

    def _finished(self, connection: Connection, claim: Claim) -> Job | None:
        """The job, when the result of this very claim is its result already."""
        mine = (job_results.c.job_id == jobs.c.id) & (jobs.c.id == claim.job.id)
        mine &= (job_results.c.attempt == claim.attempt) & (job_results.c.worker == claim.worker)
        row = connection.execute(select(*jobs.c).join(job_results, mine)).one_or_none()
        return None if row is None else Job.of(row)

    def _close(self, connection: Connection, job: Job) -> None:
        """What follows when a job has ended: it is told, what only mattered on the way goes, and so may the job."""
        if job.delete_requested_at is not None:
            connection.execute(delete(jobs).where(jobs.c.id == job.id))
            return
        connection.execute(delete(job_events).where(job_events.c.job_id == job.id, job_events.c.kind == "progress"))
        self.tell(connection, job, "complete", {"status": job.state, "error_message": job.error_message})

    def give_back(self, claim: Claim) -> Job:
        """Let another worker go on: the job is pending at once, and this attempt does not count. `LeaseLostError`."""
        with self.database.write() as connection:
            job = self._fenced(connection, claim, {"max_attempts": jobs.c.max_attempts + 1})
            return self._back(connection, job, 0.0, "WORKER_STOPPED", "its worker was stopped")

    def retry_later(self, claim: Claim, delay: float, code: str, message: str) -> Job:
        """Give the job back: it is pending again and waits ``delay`` seconds. Raises `LeaseLostError`."""
        with self.database.write() as connection:
            return self._back(connection, self._fenced(connection, claim, {}), delay, code, message)

    def reclaim(
        self, worker: str, attempt: int, job_id: str, *, code: str, message: str, delay: float = 0.0
    ) -> Job | None:
        """Take back a job whose worker is gone; None when it has moved on by itself.

        One with no attempt left fails, saying so; one that was to be cancelled is cancelled.
        """
        with self.database.write() as connection:
            held = select(*jobs.c).where(
                jobs.c.id == job_id, jobs.c.state == "running", jobs.c.worker == worker, jobs.c.attempt == attempt
            )
            row = connection.execute(held if self.database.is_sqlite else held.with_for_update()).one_or_none()
            return None if row is None else self._back(connection, Job.of(row), delay, code, message)

    def _back(self, connection: Connection, job: Job, delay: float, code: str, message: str) -> Job:
        values: dict[str, Any] = {"worker": None, "lease_until": None, "stage": None, "eta": None}
        if job.cancel_requested_at is not None:
            values |= {"state": "cancelled", "finished_at": moment()}
        elif job.attempt >= job.max_attempts:
            values |= {
                "state": "failed",
                "finished_at": moment(),
                "error_code": code,
                "error_message": f"{message} (in {job.attempt} attempts)",
            }
        else:
            values |= {"state": "pending", "not_before": moment() + delay, "error_code": code, "error_message": message}
        changed = update(jobs).where(jobs.c.id == job.id).values(values).returning(*jobs.c)
        back = Job.of(connection.execute(changed).one())
        if back.ended:
            self._close(connection, back)
        else:
            self.tell(connection, back, "update", {"status": "pending", "retry_in": delay, "reason": message})
            self.on_pending(connection, back.id, back.priority, delay)
        return back

    def request_cancel(self, job_id: str, *, connection: Connection | None = None) -> Job:
        """Cancel a pending job at once, ask a running one to stop. Raises `JobEndedError`, `NotFoundError`."""
        if connection is None:
            with self.database.write() as connection:
                return self.request_cancel(job_id, connection=connection)
        job = self._locked(connection, job_id)
        if job.ended:
            raise JobEndedError(f"job {job_id} is {job.state} already", hint="there is nothing left to cancel")
        values: dict[str, Any] = {"cancel_requested_at": func.coalesce(jobs.c.cancel_requested_at, moment())}
        if job.state == "pending":
            values |= {"state": "cancelled", "finished_at": moment()}
        changed = update(jobs).where(jobs.c.id == job_id).values(values).returning(*jobs.c)
        job = Job.of(connection.execute(changed).one())
        if job.ended:
            self._close(connection, job)
        return job

    def request_delete(self, job_id: str) -> Job | None:
        """Remove a job; a running one is cancelled first and goes when its worker has let go of it (None: it is gone).

        Files are the business of whoever cleans up: they belong to no row any more.
        """
        with self.database.write() as connection:
            job = self._locked(connection, job_id)
            if job.state == "running":
                self.request_cancel(job_id, connection=connection)
                changed = update(jobs).where(jobs.c.id == job_id).values(delete_requested_at=moment())
                return Job.of(connection.execute(changed.returning(*jobs.c)).one())
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            return None

    def held(self, worker: str) -> dict[str, Job]:
        """What ``worker`` has, by id: whether somebody wants one of them to stop is told by its row."""
        mine = select(*jobs.c).where(jobs.c.state == "running", jobs.c.worker == worker)
        with self.database.read() as connection:
            return {job.id: job for job in map(Job.of, connection.execute(mine))}

    def running(self) -> list[tuple[str, str, int, int]]:
        """Every job that somebody works on: ``(id, worker, attempt, beat)``."""
        columns = jobs.c.id, jobs.c.worker, jobs.c.attempt, jobs.c.beat
        with self.database.read() as connection:
            found = connection.execute(select(*columns).where(jobs.c.state == "running"))
            return [(row.id, row.worker, row.attempt, row.beat) for row in found]

    def media(self, job: Job) -> tuple[str, str]:
        """The video of a job: its path as in the table, and its owner's name for it."""
        wanted = select(videos.c.path, videos.c.name).where(videos.c.id == job.video_id)
        with self.database.read() as connection:
            row = connection.execute(wanted).one()
        return row.path, row.name

    def get(self, job_id: str) -> Job:
        """Raises `NotFoundError`."""
        with self.database.read() as connection:
            row = connection.execute(select(*jobs.c).where(jobs.c.id == job_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no job {job_id}", code="JOB_NOT_FOUND", hint="GET /api/v1/jobs lists yours")
        return Job.of(row)

    def tell(self, connection: Connection, job: Job, kind: str, data: Mapping[str, Any]) -> None:
        """Add an event, in the transaction of what it tells of."""
        connection.execute(
            insert(job_events).values(
                job_id=job.id, owner_id=job.owner_id, kind=kind, data=dict(data), created_at=moment()
            )
        )

    def _locked(self, connection: Connection, job_id: str) -> Job:
        wanted = select(*jobs.c).where(jobs.c.id == job_id)
        row = connection.execute(wanted if self.database.is_sqlite else wanted.with_for_update()).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no job {job_id}", code="JOB_NOT_FOUND", hint="GET /api/v1/jobs lists yours")
        return Job.of(row)

    def _fenced(self, connection: Connection, claim: Claim, values: Mapping[str, Any]) -> Job:
        changed = (
            update(jobs)
            .where(
                jobs.c.id == claim.job.id,
                jobs.c.state == "running",
                jobs.c.worker == claim.worker,
                jobs.c.attempt == claim.attempt,
            )
            .values({"beat": jobs.c.beat, **values})
            .returning(*jobs.c)
        )
        row = connection.execute(changed).one_or_none()
        if row is None:
            raise LeaseLostError(f"job {claim.job.id}: attempt {claim.attempt} of {claim.worker} is over")
        return Job.of(row)
