"""Routes: what happens to jobs, as it happens (server-sent events), and afterwards.

Every event has a number. Who lost the connection sends the last one back (``Last-Event-ID``, which browsers do by
themselves) and misses nothing; how far a job was is forgotten when it has ended. Events of one job come exactly once
and in order. A stream of all jobs may, on PostgreSQL, repeat events of the last seconds after such a break: there,
those of two jobs can appear out of order.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import anyio
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Reader, Serving
from videoannotator.serve.api.following import Follower, Tail, name_of, on_the_wire
from videoannotator.serve.api.models import Limit, moment_text, problems_for
from videoannotator.serve.api.models_jobs import JobShown
from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.service import Service

__all__ = ["router"]

router = APIRouter(tags=["events"])

_LONGEST = 3600.0
"""Seconds until a stream ends and the client comes back."""
_IS_THERE = 2.0
"""Seconds between two looks whether a job that says nothing is still there."""
_MAY = 20.0
"""Seconds between two looks whether whoever follows still may."""
_SILENT = 15.0
"""Seconds until something is sent, if only a comment: proxies close connections on which nothing comes."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events `job.update`, `job.log`, `job.complete`; their data is JSON with `job_id`",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
LastId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=100, description="go on behind this event; as browsers do")
]


async def tail_of(request: Request) -> Tail:
    """One for all streams of this application."""
    return cast("Tail", request.app.state.tail)


Tailing = Annotated[Tail, Depends(tail_of)]


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


async def place(service: Serving, principal: Reader) -> AsyncIterator[None]:
    """One of the places for streams that a user has, held as long as the stream is open."""
    with service.streams.place(principal.user_id):
        yield


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={**_STREAM, **problems_for(404)},
    dependencies=[Depends(place)],
)
async def all_events(
    service: Serving,
    tail: Tailing,
    principal: Reader,
    job_id: Annotated[str | None, Depends(followed_job)],
    token: Annotated[
        str | None, Query(max_length=4000, description="a stream token, where no header can be sent")
    ] = None,
    last_event_id: LastId = None,
) -> StreamingResponse:
    """What happens to one's jobs, from now on. With `job_id`: from the beginning of that job, and it stays open.

    Browsers' `EventSource` sends no headers: it takes the session cookie, or a token from `POST /tokens/stream`.
    """
    follower = Follower(tail, service.listing, principal.owner, job_id, _number(last_event_id))
    return _answer(_Stream(follower, service, principal).pieces(ends=False))


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={**_STREAM, **problems_for(404)},
    dependencies=[Depends(place)],
)
async def job_events(
    service: Serving,
    tail: Tailing,
    principal: Reader,
    job_id: Annotated[str, Depends(this_job)],
    last_event_id: LastId = None,
) -> StreamingResponse:
    """What happens to a job, from its beginning; the stream ends with `job.complete`."""
    follower = Follower(tail, service.listing, principal.owner, job_id, _number(last_event_id))
    return _answer(_Stream(follower, service, principal).pieces(ends=True))


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
                event=name_of(event),
                data=event.data,
                created_at=moment_text(event.created_at) or "",
            )
            for event in found
        ],
        next_after=found[-1].id if len(found) == limit else None,
    )


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isascii() and said.isdigit() and len(said) < 19 else None


class _Stream:
    """The bytes of an event stream, as long as whoever follows may, at most for an hour."""

    def __init__(self, follower: Follower, service: Service, principal: Principal) -> None:
        self._follower, self._service, self._principal = follower, service, principal

    async def pieces(self, *, ends: bool) -> AsyncIterator[bytes]:
        """What is sent: all events of a look at once, or a comment after a silence. ``ends``: with the followed job."""
        began = sent = may = there = time.monotonic()
        while (now := time.monotonic()) - began < _LONGEST:
            told = await self._follower.new()
            if told:
                yield b"".join(one.wire for one in told)
                sent = now
                if ends and any(one.event.kind == "complete" for one in told):
                    return
            elif ends and (there == began or now - there >= _IS_THERE):
                there = now
                last = await run_in_threadpool(self._last)
                if last is not None:
                    yield last
                    return
            elif now - sent >= _SILENT:
                yield b": nothing new\n\n"
                sent = now
            if now - may >= _MAY:
                may = now
                if not await run_in_threadpool(self._service.authenticator.still, self._principal):
                    return
            if not self._follower.is_late:
                await anyio.sleep(self._service.settings.jobs.poll)

    def _last(self) -> bytes | None:
        """What is sent last when the job has ended without a word, or is not there any more; None while it goes on."""
        job_id, owner = self._follower.job_id or "", self._principal.owner
        try:
            view = self._service.listing.get(job_id, owner)
        except NotFoundError:
            return b""
        if not view.job.ended or self._service.listing.events(owner, after=self._follower.mark, job_id=job_id, limit=1):
            return None
        return on_the_wire("job.complete", JobShown.of(view).model_dump(mode="json"))


def _answer(pieces: AsyncIterator[bytes]) -> StreamingResponse:
    # proxies such as nginx hold back what they may
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(pieces, media_type="text/event-stream", headers=headers)
