"""Batches: many videos, one request, and how far the whole is."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, func, insert, select

from videoannotator.serve.errors import JobEndedError, NotFoundError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import FINAL, JobStore
from videoannotator.serve.store.paging import Cursor, is_id, newest_first
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import batches, jobs

__all__ = ["Batch", "BatchProgress", "BatchStore"]


@attrs.frozen(kw_only=True)
class Batch:
    """A batch. The columns of `schema.batches`."""

    id: str
    owner_id: str
    name: str | None
    created_at: float

    @classmethod
    def of(cls, row: Row[Any]) -> Batch:
        """From a row of the table."""
        return made_of(cls, row)


@attrs.frozen(kw_only=True)
class BatchProgress:
    """How far a batch is. ``states``: number of jobs by state. ``fraction``: 0..1 of all its media time."""

    states: dict[str, int]
    fraction: float
    media_seconds: float

    @property
    def jobs(self) -> int:
        """How many jobs it has."""
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        """How many of them have ended, in whichever way."""
        return sum(number for state, number in self.states.items() if state in FINAL)

    @property
    def state(self) -> str:
        """Of the whole: as a job's; ``partial`` when some failed or were cancelled and others did not."""
        there = {state for state, number in self.states.items() if number}
        if not there:
            return "completed"
        if there <= FINAL:
            return next(iter(there)) if len(there) == 1 else "partial"
        return "pending" if there == {"pending"} else "running"


class BatchStore:
    """Every statement about batches. ``owner``: whose; None for everybody's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, owner_id: str, name: str | None, *, connection: Connection) -> Batch:
        """Begin a batch, in the transaction in which its jobs are submitted."""
        added = insert(batches).values(id=str(uuid.uuid4()), owner_id=owner_id, name=name, created_at=moment())
        return Batch.of(connection.execute(added.returning(*batches.c)).one())

    def get(self, batch_id: str, owner: str | None) -> Batch:
        """Raises `NotFoundError`, also for somebody else's."""
        wanted = select(*batches.c).where(batches.c.id == batch_id)
        if owner is not None:
            wanted = wanted.where(batches.c.owner_id == owner)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none() if is_id(batch_id) else None
        if row is None:
            raise NotFoundError(
                f"there is no batch {batch_id}", code="BATCH_NOT_FOUND", hint="GET /api/v1/batches lists yours"
            )
        return Batch.of(row)

    def page(self, owner: str | None, *, after: Cursor | None = None, limit: int = 50) -> list[Batch]:
        """Newest first."""
        wanted = select(*batches.c)
        if owner is not None:
            wanted = wanted.where(batches.c.owner_id == owner)
        with self.database.read() as connection:
            rows = connection.execute(
                newest_first(wanted, batches.c.created_at, batches.c.id, after=after, limit=limit)
            ).all()
        return [Batch.of(row) for row in rows]

    def progress(self, batch_ids: list[str]) -> dict[str, BatchProgress]:
        """How far each of several batches is."""
        length = func.sum(jobs.c.video_duration)
        by_state = (
            select(jobs.c.batch_id, jobs.c.state, func.count().label("jobs"), length.label("length"))
            .where(jobs.c.batch_id.in_(batch_ids))
            .group_by(jobs.c.batch_id, jobs.c.state)
        )
        at_work = (
            select(jobs.c.batch_id, func.sum(jobs.c.video_duration * jobs.c.fraction).label("length"))
            .where(jobs.c.batch_id.in_(batch_ids), jobs.c.state.in_(("pending", "running")))
            .group_by(jobs.c.batch_id)
        )
        with self.database.read() as connection:
            rows = connection.execute(by_state).all()
            behind = {row.batch_id: row.length for row in connection.execute(at_work)}
        found = {}
        for batch_id in batch_ids:
            mine = [row for row in rows if row.batch_id == batch_id]
            whole = sum(row.length for row in mine)
            done = sum(row.length for row in mine if row.state in FINAL) + behind.get(batch_id, 0.0)
            found[batch_id] = BatchProgress(
                states={row.state: row.jobs for row in mine},
                fraction=min(1.0, done / whole) if whole else 1.0,
                media_seconds=float(whole),
            )
        return found

    def cancel(self, batch_id: str, store: JobStore) -> int:
        """Ask all its jobs to stop that have not ended; how many these are. Each is cancelled by itself."""
        wanted = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.state.not_in(sorted(FINAL)))
        with self.database.read() as connection:
            open_jobs = connection.execute(wanted).scalars().all()
        cancelled = 0
        for job_id in open_jobs:
            try:
                store.request_cancel(job_id)
                cancelled += 1
            except (JobEndedError, NotFoundError):  # it ended, or was deleted, since we looked
                continue
        return cancelled

    def remove(self, batch_id: str) -> None:
        """Forget the batch; its jobs stay, each by itself."""
        with self.database.write() as connection:
            connection.execute(delete(batches).where(batches.c.id == batch_id))
