"""Routes: what happens to jobs, as it happens (server-sent events), and afterwards.

Every event has a number. Who lost the connection sends the last one back (``Last-Event-ID``, which browsers do by
themselves) and misses nothing; how far a job was is forgotten when it has ended. Events of one job come exactly once
and in order. A stream of all jobs may, on PostgreSQL, repeat events of the last seconds after such a break: there,
those of two jobs can appear out of order.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, cast

import anyio
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Reader, Serving
from videoannotator.serve.api.models import Limit, moment_text, problems_for
from videoannotator.serve.api.models_jobs import JobShown
from videoannotator.serve.api.newest import Newest
from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.service import Service
from videoannotator.serve.store.listing import JobEvent

__all__ = ["Follower", "router"]

router = APIRouter(tags=["events"])

_LONGEST = 3600.0
"""Seconds until a stream ends and the client comes back: keys that were revoked meanwhile are noticed then."""
_SETTLED = 10.0
"""Seconds after which no event with a smaller number can appear any more: no transaction takes that long."""
_IS_THERE = 2.0
"""Seconds between two looks whether a job that says nothing is still there."""
_ONCE = 200

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events `job.update`, `job.log`, `job.complete`; their data is JSON with `job_id`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
LastId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=100, description="go on behind this event; as browsers do")
]


def of_this_process(request: Request) -> Newest:
    """One for all streams of this application."""
    return cast("Newest", request.app.state.newest)


News = Annotated[Newest, Depends(of_this_process)]


class EventShown(BaseModel):
    """Something that happened to a job."""

    id: int
    job_id: str
    event: str = Field(examples=["job.update"])
    data: dict[str, Any] = Field(examples=[{"status": "running", "stage": "face_analysis", "fraction": 0.42}])
    created_at: str


class EventList(BaseModel):
    """What happened to a job, in order."""

    events: list[EventShown]
    next_after: int | None = Field(description="send it back as `after` for more; null behind the last")


class Follower:
    """Reads new events of one job, or of all jobs of somebody."""

    def __init__(self, service: Service, owner: str | None, job_id: str | None, after: int | None) -> None:
        self._service, self._owner, self._job_id = service, owner, job_id
        # one job's events are written one after the other; those of several only where there is one writer
        self._orderly = job_id is not None or service.database.is_sqlite
        self._mark = 0 if after is None else max(0, after)
        self._seen: set[int] = set()
        if after is not None and not self._orderly:
            self._mark = max(0, self._mark - _ONCE)

    def new(self) -> list[JobEvent]:
        """Those since the last time, at most a few hundred."""
        limit = _ONCE if self._orderly else 5 * _ONCE
        found = self._service.listing.events(self._owner, after=self._mark, job_id=self._job_id, limit=limit)
        fresh = [event for event in found if event.id not in self._seen]
        if self._orderly:
            self._mark = found[-1].id if found else self._mark
            return fresh
        self._seen.update(event.id for event in fresh)
        now = self._service.database.now()
        for event in found:
            if now - event.created_at < _SETTLED:
                break
            self._mark = event.id
        if len(found) == limit:  # more in ten seconds than are read at once: going on is better than standing still
            self._mark = found[-1].id
        self._seen = {number for number in self._seen if number > self._mark}
        return fresh


def followed_job(
    service: Serving,
    principal: Reader,
    job_id: Annotated[str | None, Query(max_length=100, description="only of this job")] = None,
) -> str | None:
    """The job that is to be followed, if one is named; one that is not there is refused before the stream begins."""
    return None if job_id is None else service.listing.get(job_id, principal.owner).id


def this_job(service: Serving, principal: Reader, job_id: str) -> str:
    """The job of the address."""
    return service.listing.get(job_id, principal.owner).id


def place(service: Serving, principal: Reader) -> Iterator[None]:
    """One of the places for streams that a user has, held as long as the stream is open."""
    with service.streams.place(principal.user_id):
        yield


@router.get(
    "/events/stream",
    response_class=EventSourceResponse,
    responses={**_STREAM, **problems_for(404)},
    dependencies=[Depends(place)],
)
async def all_events(
    service: Serving,
    newest: News,
    principal: Reader,
    job_id: Annotated[str | None, Depends(followed_job)],
    token: Annotated[
        str | None, Query(max_length=4000, description="a stream token, where no header can be sent")
    ] = None,
    last_event_id: LastId = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens to one's jobs, from now on. With `job_id`: from the beginning of that job, and it stays open.

    Browsers' `EventSource` sends no headers: it takes the session cookie, or a token from `POST /tokens/stream`.
    """
    after = _number(last_event_id)
    if after is None and job_id is None:
        after = await run_in_threadpool(service.listing.last_event)
    async for event in _followed(service, newest, principal, job_id, after, ends=False):
        yield event


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={**_STREAM, **problems_for(404)},
    dependencies=[Depends(place)],
)
async def job_events(
    service: Serving,
    newest: News,
    principal: Reader,
    job_id: Annotated[str, Depends(this_job)],
    last_event_id: LastId = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens to a job, from its beginning; the stream ends with `job.complete`."""
    async for event in _followed(service, newest, principal, job_id, _number(last_event_id), ends=True):
        yield event


@router.get("/jobs/{job_id}/history", response_model=EventList, responses=problems_for(404))
def job_history(
    service: Serving,
    principal: Reader,
    job_id: str,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Limit = 200,
) -> EventList:
    """What happened to a job so far, as a list."""
    service.listing.get(job_id, principal.owner)
    found = service.listing.events(principal.owner, after=after, job_id=job_id, limit=limit)
    return EventList(
        events=[
            EventShown(
                id=event.id,
                job_id=event.job_id,
                event=_name(event),
                data=event.data,
                created_at=moment_text(event.created_at) or "",
            )
            for event in found
        ],
        next_after=found[-1].id if len(found) == limit else None,
    )


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isascii() and said.isdigit() and len(said) < 19 else None


async def _followed(
    service: Service, newest: Newest, principal: Principal, job_id: str | None, after: int | None, *, ends: bool
) -> AsyncIterator[ServerSentEvent]:
    follower = Follower(service, principal.owner, job_id, after)
    until = time.monotonic() + _LONGEST
    complete, seen, asked = False, None, float("-inf")
    while time.monotonic() < until and not complete:
        number = await newest.number()
        # on PostgreSQL an event can appear behind one with a larger number
        settled = service.database.is_sqlite or time.monotonic() - newest.changed > _SETTLED
        events = [] if number == seen and settled else await run_in_threadpool(follower.new)
        seen = number if not events else None  # there may be more than are read at once
        for event in events:
            yield _told(event)
            complete = complete or (ends and event.kind == "complete")
        if not events and ends and time.monotonic() - asked >= _IS_THERE:
            asked = time.monotonic()
            try:
                view = await run_in_threadpool(service.listing.get, job_id or "", principal.owner)
            except NotFoundError:  # deleted meanwhile
                return
            if view.job.ended and not await run_in_threadpool(follower.new):
                yield ServerSentEvent(event="job.complete", data=JobShown.of(view).model_dump(mode="json"))
                return
        if not complete:
            await anyio.sleep(service.settings.jobs.poll)


def _told(event: JobEvent) -> ServerSentEvent:
    data = {"job_id": event.job_id, "timestamp": moment_text(event.created_at), **event.data}
    return ServerSentEvent(id=str(event.id), event=_name(event), data=data)


def _name(event: JobEvent) -> str:
    """How the event is called: clients know update, log and complete; how far a job is is an update."""
    return "job.update" if event.kind == "progress" else f"job.{event.kind}"
