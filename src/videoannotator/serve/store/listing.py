"""Reading jobs: lists, their place in the queue, and what happened to them. Changes are the business of `jobs`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import attrs
from sqlalchemy import CompoundSelect, Connection, Row, Select, func, select, tuple_
from sqlalchemy.sql import literal
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.jobs import Job
from videoannotator.serve.store.paging import Cursor, behind, is_id, merged, newest_first
from videoannotator.serve.store.schema import job_events, job_results, jobs, videos

__all__ = ["JobEvent", "JobListing", "JobResult", "JobView"]

_DEEPEST = 1000
"""Lists tell the place in the queue up to here: a longer count would take longer than the list itself."""


@attrs.frozen
class JobView:
    """A job, with the name, bytes and seconds of its video. ``position``: in the queue, from 1."""

    job: Job
    video_name: str
    video_bytes: int
    video_duration: float
    position: int | None = None

    @property
    def id(self) -> str:
        """Of the job."""
        return self.job.id

    @property
    def created_at(self) -> float:
        """Of the job; seconds since 1970."""
        return self.job.created_at


@attrs.frozen(kw_only=True)
class JobResult:
    """Where a job's result lies. The columns of `schema.job_results`."""

    job_id: str
    attempt: int
    worker: str
    folder: str
    bytes: int
    summary: dict[str, Any]
    created_at: float


@attrs.frozen(kw_only=True)
class JobEvent:
    """Something that happened to a job. ``kind``: update, log or complete. ``created_at``: seconds since 1970."""

    id: int
    job_id: str
    owner_id: str
    kind: str
    data: dict[str, Any]
    created_at: float


def _event(row: Row[Any]) -> JobEvent:
    return JobEvent(**row._mapping)


class JobListing:
    """Every statement that lists jobs and what belongs to them. ``owner``: whose; None for everybody's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, job_id: str, owner: str | None) -> JobView:
        """One job, with its place in the queue. Raises `NotFoundError`, also for somebody else's."""
        wanted = _where(_viewed(), owner, (), None, None).where(jobs.c.id == job_id)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none() if is_id(job_id) else None
        if row is None:
            raise NotFoundError(f"there is no job {job_id}", code="JOB_NOT_FOUND", hint="GET /api/v1/jobs lists yours")
        return _view(row, self.position(Job.of(row)))

    def page(
        self,
        owner: str | None,
        *,
        states: Collection[str] = (),
        batch_id: str | None = None,
        video_id: str | None = None,
        after: Cursor | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> list[JobView]:
        """Newest first. ``offset``: rows to leave out, for clients that count pages; slower the larger it is."""
        which = self._which(owner, states, batch_id, video_id, after=after, limit=limit, offset=offset)
        page = which.subquery("page")
        wanted = _viewed().join(page, page.c.id == jobs.c.id).order_by(page.c.created_at.desc(), page.c.id.desc())
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
            waiting = [row.id for row in rows if row.state == "pending"]
            found = connection.execute(_places(waiting)).all() if waiting else []
        places = {row.id: row.place for row in found}
        return [_view(row, places.get(row.id)) for row in rows]

    def _which(
        self,
        owner: str | None,
        states: Collection[str],
        batch_id: str | None,
        video_id: str | None,
        *,
        after: Cursor | None,
        limit: int,
        offset: int,
    ) -> Select[Any] | CompoundSelect[Any]:
        """Which jobs are on a page. Indexes tell that by themselves: rows that are counted past are never read."""
        shown = select(jobs.c.created_at, jobs.c.id)
        place = jobs.c.created_at, jobs.c.id, after
        if len(states) < 2 or batch_id is not None or video_id is not None:
            wanted = _where(shown, owner, states, batch_id, video_id)
            return newest_first(wanted, *place, limit=limit).offset(offset)
        parts = [behind(_where(shown, owner, [state], None, None), *place) for state in states]
        return merged(parts, limit=limit, offset=offset, sqlite=self.database.is_sqlite)

    def count(
        self,
        owner: str | None,
        *,
        states: Collection[str] = (),
        batch_id: str | None = None,
        video_id: str | None = None,
    ) -> int:
        """How many jobs such a list has: all there are, but those that are to go. Counting both is quicker."""
        columns = jobs.c.owner_id, jobs.c.state, jobs.c.batch_id, jobs.c.video_id
        to_go = select(*columns).where(jobs.c.delete_requested_at.is_not(None))
        few = to_go.offset(0).subquery("few")  # the offset has them chosen first, by their own index
        parts = [
            _filtered(select(func.count()).select_from(source), source.c, owner, states, batch_id, video_id)
            for source in (jobs, few)
        ]
        there, going = (part.scalar_subquery() for part in parts)
        with self.database.read() as connection:
            return int(connection.execute(select(there - going)).scalar_one())

    def position(self, job: Job, *, connection: Connection | None = None) -> int | None:
        """The place of a pending job in the queue: 1 is the next; None for others."""
        if job.state != "pending":
            return None
        if connection is None:
            with self.database.read() as connection:
                return self.position(job, connection=connection)
        pending = select(func.count()).select_from(jobs).where(jobs.c.state == "pending")
        higher = pending.where(jobs.c.priority > job.priority)
        earlier = pending.where(
            jobs.c.priority == job.priority,
            tuple_(jobs.c.created_at, jobs.c.id) < tuple_(literal(job.created_at), literal(job.id)),
        )
        return 1 + sum(int(connection.execute(part).scalar_one()) for part in (higher, earlier))

    def result(self, job_id: str) -> JobResult | None:
        """Where the result of a job lies; None where there is none."""
        with self.database.read() as connection:
            row = connection.execute(select(*job_results.c).where(job_results.c.job_id == job_id)).one_or_none()
        return None if row is None else JobResult(**row._mapping)

    def results(self, job_ids: Collection[str]) -> Mapping[str, JobResult]:
        """Those of several jobs, by job."""
        with self.database.read() as connection:
            rows = connection.execute(select(*job_results.c).where(job_results.c.job_id.in_(job_ids))).all()
        return {row.job_id: JobResult(**row._mapping) for row in rows}

    def events(
        self, owner: str | None, *, after: int = 0, job_id: str | None = None, limit: int = 500
    ) -> list[JobEvent]:
        """What happened behind the event ``after``, in order."""
        wanted = select(*job_events.c).where(job_events.c.id > after)
        if owner is not None:
            wanted = wanted.where(job_events.c.owner_id == owner)
        if job_id is not None:
            wanted = wanted.where(job_events.c.job_id == job_id)
        with self.database.read() as connection:
            return [_event(row) for row in connection.execute(wanted.order_by(job_events.c.id).limit(limit)).all()]

    def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        with self.database.read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(job_events.c.id), 0))).scalar_one())


def _viewed() -> Select[Any]:
    return select(
        *jobs.c,
        videos.c.name.label("video_name"),
        videos.c.bytes.label("video_bytes"),
    ).join(videos, videos.c.id == jobs.c.video_id)


def _view(row: Row[Any], position: int | None) -> JobView:
    return JobView(Job.of(row), row.video_name, row.video_bytes, row.video_duration, position)


def _where(
    wanted: Select[Any], owner: str | None, states: Collection[str], batch_id: str | None, video_id: str | None
) -> Select[Any]:
    # a job that is to go when its worker has let go of it is gone for everybody who asks
    wanted = wanted.where(jobs.c.delete_requested_at.is_(None))
    return _filtered(wanted, jobs.c, owner, states, batch_id, video_id)


def _filtered(
    wanted: Select[Any],
    of: ReadOnlyColumnCollection[str, Any],
    owner: str | None,
    states: Collection[str],
    batch_id: str | None,
    video_id: str | None,
) -> Select[Any]:
    if owner is not None:
        wanted = wanted.where(of.owner_id == owner)
    if states:
        wanted = wanted.where(of.state.in_(states) if len(states) > 1 else of.state == next(iter(states)))
    if batch_id is not None:
        wanted = wanted.where(of.batch_id == batch_id)
    if video_id is not None:
        wanted = wanted.where(of.video_id == video_id)
    return wanted


def _places(job_ids: Collection[str]) -> Select[Any]:
    """The places in the queue of those of these jobs that are not too deep in it."""
    order = jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id
    place = func.row_number().over(order_by=order).label("place")
    first = select(jobs.c.id, place).where(jobs.c.state == "pending").order_by(*order).limit(_DEEPEST).subquery()
    return select(first.c.id, first.c.place).where(first.c.id.in_(job_ids))
