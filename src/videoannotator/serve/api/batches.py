"""Routes: batches, which are many videos with one request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from videoannotator.serve.api.asking import Reader, Serving, Writer
from videoannotator.serve.api.models import After, Limit, Text, moment_text, problems_for
from videoannotator.serve.api.models_jobs import Asked, IssueShown
from videoannotator.serve.api.quick import quick
from videoannotator.serve.service import Service
from videoannotator.serve.store.batches import Batch, BatchProgress
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.submitting import Submission, batch_digest, judged, new_job, require_priority
from videoannotator.serve.validating import Issue

__all__ = ["router"]

router = APIRouter(tags=["batches"])


class NewBatch(Asked):
    """Many videos, one request."""

    video_ids: list[Text] = Field(
        min_length=1,
        max_length=1000,
        examples=[["0b6f4f0e-9a55-4a1b-8a5e-0d6f3f1c2b7a", "4be0f1a2-6d1c-4c58-9a0e-7f0b4b6f0c11"]],
    )
    name: Text | None = Field(default=None, max_length=200, examples=["wave 2, day 1"])
    template: Text | None = None
    priority: int = Field(default=0, ge=-100, le=100)


class BatchShown(BaseModel):
    """A batch, and how far the whole is. Its jobs: `GET /jobs?batch_id=`."""

    id: str
    name: str | None
    state: str = Field(description="pending, running, or as its jobs ended; partial when in different ways")
    jobs: int
    ended: int
    states: dict[str, int] = Field(description="jobs by state")
    fraction: float = Field(description="0 to 1, of all its media time")
    media_seconds: float
    owner_id: str
    created_at: str


class BatchMade(BatchShown):
    """A batch that was just submitted."""

    job_ids: list[str] = Field(description="in the order of the videos")
    warnings: list[IssueShown]


class BatchList(BaseModel):
    """Batches, newest first."""

    batches: list[BatchShown]
    next_cursor: str | None


class BatchCancelled(BatchShown):
    """A batch that was asked to stop. ``cancelled``: how many jobs were."""

    cancelled: int


def _told(batch: Batch, progress: BatchProgress) -> dict[str, Any]:
    return {
        "id": batch.id,
        "name": batch.name,
        "state": progress.state,
        "jobs": progress.jobs,
        "ended": progress.ended,
        "states": progress.states,
        "fraction": progress.fraction,
        "media_seconds": progress.media_seconds,
        "owner_id": batch.owner_id,
        "created_at": moment_text(batch.created_at) or "",
    }


@router.post("/batches", status_code=201, response_model=BatchMade, responses=problems_for(404, 409))
def submit_batch(
    service: Serving,
    principal: Writer,
    asked: NewBatch,
    idempotency_key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="the same key again makes no second batch; kept for a day"),
    ] = None,
    traceparent: Annotated[str | None, Header()] = None,
) -> Response:
    """Run the same on many videos: all of them are accepted, or none."""
    submission = Submission(
        principal=principal,
        plain=asked.plain(),
        template=asked.template,
        priority=asked.priority,
        key=idempotency_key,
        traceparent=traceparent,
        lenient="selected_pipelines" in asked.model_fields_set,
    )
    require_priority(submission)
    videos = [service.videos.get(video_id, principal.owner) for video_id in dict.fromkeys(asked.video_ids)]
    verdict = judged(service, submission)
    request = verdict.required()
    warnings: dict[tuple[str, str], Issue] = {(one.field, one.message): one for one in verdict.warnings}
    for video in videos:
        alone = judged(service, submission, video)
        alone.required()
        warnings |= {(video.name, one.message): one for one in alone.warnings if one.code == "NOTHING_TO_LOOK_AT"}

    def make(connection: Connection) -> tuple[int, dict[str, Any]]:
        service.quotas.require_jobs(connection, principal.user_id, len(videos))
        batch = service.batches.add(principal.user_id, asked.name, connection=connection)
        made = [
            service.jobs.submit(new_job(service, submission, video, request, batch.id), connection=connection)
            for video in videos
        ]
        progress = BatchProgress(
            states={"pending": len(made)}, fraction=0.0, media_seconds=sum(video.duration for video in videos)
        )
        shown = BatchMade(
            **_told(batch, progress),
            job_ids=[job.id for job in made],
            warnings=[IssueShown.of(issue) for issue in warnings.values()],
        )
        return 201, shown.model_dump(mode="json")

    answer = service.idempotency.once(
        idempotency_key,
        user_id=principal.user_id,
        route="POST /batches",
        digest=batch_digest(submission, videos, request, asked.name),
        make=make,
    )
    headers = {"Location": f"/api/v1/batches/{answer.body['id']}"}
    if answer.again:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(answer.body, answer.status, headers=headers)


@router.get("/batches", response_model=BatchList, responses=problems_for())
@quick
def list_batches(service: Serving, principal: Reader, cursor: After = None, limit: Limit = 50) -> BatchList:
    """Batches, newest first."""
    found = service.batches.page(principal.owner, after=Cursor.of(cursor), limit=limit)
    progress = service.batches.progress([batch.id for batch in found])
    after = Cursor.after(found, limit)
    return BatchList(
        batches=[BatchShown(**_told(batch, progress[batch.id])) for batch in found],
        next_cursor=None if after is None else str(after),
    )


@router.get("/batches/{batch_id}", response_model=BatchShown, responses=problems_for(404))
@quick
def show_batch(service: Serving, principal: Reader, batch_id: str) -> BatchShown:
    """One batch, and how far the whole is."""
    return BatchShown(**_now(service, service.batches.get(batch_id, principal.owner)))


@router.post("/batches/{batch_id}/cancel", response_model=BatchCancelled, responses=problems_for(404))
def cancel_batch(service: Serving, principal: Writer, batch_id: str) -> BatchCancelled:
    """Cancel all its jobs that have not ended."""
    batch = service.batches.get(batch_id, principal.owner)
    cancelled = service.batches.cancel(batch.id, service.jobs)
    return BatchCancelled(**_now(service, batch), cancelled=cancelled)


@router.delete("/batches/{batch_id}", status_code=204, responses=problems_for(404))
def delete_batch(service: Serving, principal: Writer, batch_id: str) -> None:
    """Forget the batch; its jobs stay, each by itself."""
    service.batches.remove(service.batches.get(batch_id, principal.owner).id)


def _now(service: Service, batch: Batch) -> dict[str, Any]:
    return _told(batch, service.batches.progress([batch.id])[batch.id])
