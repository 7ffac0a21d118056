"""Routes: jobs."""

from __future__ import annotations

import json
import shutil
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Reader, Serving, Writer
from videoannotator.serve.api.forms import Form, boundary_of
from videoannotator.serve.api.models import After, problems_for
from videoannotator.serve.api.models_jobs import (
    Cancelled,
    EstimateShown,
    IssueShown,
    JobAsked,
    JobList,
    JobMade,
    JobShown,
)
from videoannotator.serve.api.quick import quick
from videoannotator.serve.api.streaming import announced_length, in_blocks
from videoannotator.serve.api.videos import forget
from videoannotator.serve.errors import RequestError, UnsupportedBodyError
from videoannotator.serve.estimating import Estimator, estimate
from videoannotator.serve.receiving import Part, admit
from videoannotator.serve.service import Service
from videoannotator.serve.store.idempotency import Answer
from videoannotator.serve.store.listing import JobView
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.videos import Video
from videoannotator.serve.submitting import Submission, judged, retried, submitted
from videoannotator.serve.validating import Issue
from videoannotator.serve.work.naming import job_folder

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

States = Literal["pending", "running", "completed", "partial", "failed", "cancelled"]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="the same key again makes no second job; kept for a day",
        examples=["study-1-session01"],
    ),
]
_FORM = {
    "type": "object",
    "required": ["video"],
    "properties": {
        "video": {"type": "string", "format": "binary"},
        "selected_pipelines": {"type": "string", "description": "names with commas between them"},
        "config": {"type": "string", "description": "settings by pipeline, as JSON"},
    },
    "additionalProperties": {"type": "string", "description": "any other field of a JSON request"},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/JobAsked"}},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}


@router.post(
    "/jobs",
    status_code=201,
    response_model=JobMade,
    responses=problems_for(404, 409, 415, 507),
    openapi_extra=_BODY,
)
@router.post("/jobs/", status_code=201, response_model=JobMade, include_in_schema=False)
async def submit_job(request: Request, service: Serving, principal: Writer, idempotency_key: Key = None) -> Response:
    """Run pipelines on a video that is here (JSON with `video_id`), or on one that comes along (form, as in 1.x).

    The request is judged by the code that runs it before it is accepted; everything that is wrong is told at once.
    A video that comes in a form goes with its job when that is deleted.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        answer = await _from_form(request, service, principal, idempotency_key)
    elif kind in ("application/json", ""):
        answer = await run_in_threadpool(
            _from_json, service, principal, await request.body(), idempotency_key, request.headers.get("traceparent")
        )
    else:
        raise UnsupportedBodyError(
            f"a job is JSON (application/json) or a form (multipart/form-data), not {kind[:80]}",
            hint="send the video to POST /api/v1/videos, then its id as JSON",
        )
    headers = {"Location": f"/api/v1/jobs/{answer.body['id']}"}
    if answer.again:
        headers["Idempotent-Replayed"] = "true"
    return JSONResponse(answer.body, answer.status, headers=headers)


def _told(view: JobView, warnings: tuple[Issue, ...]) -> dict[str, Any]:
    return JobMade.made(view, warnings).model_dump(mode="json")


def asked_in(values: Any) -> JobAsked:
    """What a request says. Raises `RequestValidationError` with every field that does not fit."""
    try:
        return JobAsked.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


def _from_json(service: Service, principal: Principal, body: bytes, key: str | None, traceparent: str | None) -> Answer:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is no JSON: {error}", code="INVALID_JSON") from error
    asked = asked_in(values)
    video = service.videos.get(asked.video_id, principal.owner)
    submission = Submission(
        principal=principal,
        plain=asked.plain(),
        template=asked.template,
        priority=asked.priority,
        key=key,
        traceparent=traceparent,
        lenient="selected_pipelines" in asked.model_fields_set,
    )
    return submitted(service, submission, video, _told)


async def _from_form(request: Request, service: Service, principal: Principal, key: str | None) -> Answer:
    length = announced_length(request)
    form = Form(boundary_of(request.headers["content-type"]), "video", lambda: Part(service.settings, length))
    try:
        await in_blocks(request.stream(), form.write)
        form.finish()
        return await run_in_threadpool(
            _submitted_form, service, principal, form, key, request.headers.get("traceparent")
        )
    finally:
        await run_in_threadpool(form.discard)


def _submitted_form(
    service: Service, principal: Principal, form: Form, key: str | None, traceparent: str | None
) -> Answer:
    if form.part is None or form.part.bytes == 0:
        raise RequestError(
            "the form has no file in its field 'video'",
            code="INVALID_REQUEST",
            details=[{"field": "video", "message": "a file is needed", "code": "missing"}],
        )
    asked = asked_in({"video_id": "comes along", **_values(form.fields)})
    video = admit(
        service,
        principal.user_id,
        form.part.path,
        name=form.name or "video",
        size=form.part.bytes,
        sha256=form.part.finish(),
        with_jobs=True,
    )
    submission = Submission(
        principal=principal,
        plain=asked.plain(),
        template=asked.template,
        priority=asked.priority,
        key=key,
        traceparent=traceparent,
        lenient=True,
    )
    answer: Answer | None = None
    try:
        answer = submitted(service, submission, video, _told)
    finally:
        if answer is None or answer.again:  # nothing uses what came along
            _drop(service, video)
    return answer


def _values(fields: dict[str, str]) -> dict[str, Any]:
    """Fields of a form as they stand in JSON: what looks like JSON is read as that."""
    values: dict[str, Any] = {}
    for name, text in fields.items():
        if not text.strip():
            continue
        if name in ("selected_pipelines", "pipelines", "formats", "isolate") and not text.lstrip().startswith("["):
            values[name] = text
        elif name in ("config", "spans", "priority", "start", "end") or text.lstrip()[:1] in ("[", "{"):
            try:
                values[name] = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise RequestError(
                    f"the field {name[:50]!r} is no JSON: {error}",
                    code="INVALID_REQUEST",
                    hint="mind brackets, quotes and commas",
                    details=[{"field": name, "message": str(error), "code": "INVALID_JSON"}],
                ) from error
        else:
            values[name] = text
    return values


def _drop(service: Service, video: Video) -> None:
    service.videos.remove(video.id, None)
    forget(service, video)


@router.post("/jobs/estimate", response_model=EstimateShown, responses=problems_for(404))
def estimate_job(request: Request, service: Serving, principal: Reader, asked: JobAsked) -> EstimateShown:
    """What a job would take, from what earlier ones took on this machine, and what would stop it. Nothing is run."""
    video = service.videos.get(asked.video_id, principal.owner)
    submission = Submission(principal=principal, plain=asked.plain(), template=asked.template, lenient=True)
    verdict = judged(service, submission, video)
    plan = _estimator(request).plan(service, video, verdict.required(), verdict.names)
    return EstimateShown(**estimate(plan), warnings=[IssueShown.of(issue) for issue in verdict.warnings])


def _estimator(request: Request) -> Estimator:
    if not hasattr(request.app.state, "estimator"):
        request.app.state.estimator = Estimator()
    estimator: Estimator = request.app.state.estimator
    return estimator


@router.get("/jobs", response_model=JobList, responses=problems_for())
@router.get("/jobs/", response_model=JobList, include_in_schema=False)
@quick
def list_jobs(
    service: Serving,
    principal: Reader,
    cursor: After = None,
    limit: Annotated[int | None, Query(ge=1, le=200, description="how many at most; 50 if nothing says")] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000, description="for clients of 1.x; `cursor` is faster")] = 1,
    per_page: Annotated[
        int | None, Query(ge=1, le=100_000, description="for clients of 1.x; at most 200 are given")
    ] = None,
    status_filter: Annotated[States | None, Query(description="of 1.x: `completed` means partial results, too")] = None,
    state: Annotated[list[States] | None, Query(description="only these states")] = None,
    batch_id: Annotated[str | None, Query(pattern="^[0-9a-f-]{36}$")] = None,
    video_id: Annotated[str | None, Query(pattern="^[0-9a-f-]{36}$")] = None,
) -> JobList:
    """Jobs, newest first. With `cursor` a page stays right while jobs come; `page` and `per_page` count."""
    size = min(limit or per_page or 50, 200)
    states: tuple[str, ...] = tuple(dict.fromkeys(state or ()))
    if status_filter is not None:
        states = ("completed", "partial") if status_filter == "completed" else (status_filter,)
    after = Cursor.of(cursor)
    chosen: dict[str, Any] = {"states": states, "batch_id": batch_id, "video_id": video_id}
    offset = 0 if after is not None else (page - 1) * size
    views = service.listing.page(principal.owner, **chosen, after=after, limit=size, offset=offset)
    following = Cursor.after(views, size)
    return JobList(
        jobs=[JobShown.of(view) for view in views],
        total=service.listing.count(principal.owner, **chosen),
        page=page,
        per_page=size,
        next_cursor=None if following is None else str(following),
    )


@router.get("/jobs/{job_id}", response_model=JobShown, responses=problems_for(404))
@quick
def show_job(service: Serving, principal: Reader, job_id: str) -> JobShown:
    """One job, with its progress and its place in the queue."""
    return JobShown.of(service.listing.get(job_id, principal.owner))


_STAYS: dict[int | str, dict[str, Any]] = {
    204: {
        "description": "it is gone, or goes",
        "headers": {
            "X-Stays": {
                "description": "options of the job whose files are their owner's, and stay",
                "schema": {"type": "string"},
                "example": "output_directory, db_location",
            }
        },
    }
}


@router.delete("/jobs/{job_id}", status_code=204, responses={**_STAYS, **problems_for(404)})
def delete_job(response: Response, service: Serving, principal: Writer, job_id: str) -> None:
    """Delete a job with its result. A running one is cancelled first and goes within seconds.

    What it wrote to an `output_directory` and into a `db_location` is its owner's and stays: the header `X-Stays` names
    these options where the job has them.
    """
    job = service.listing.get(job_id, principal.owner).job
    if stays := [option for option in ("output_directory", "db_location") if job.request.get(option)]:
        response.headers["X-Stays"] = ", ".join(stays)
    if service.jobs.request_delete(job.id) is None:
        shutil.rmtree(job_folder(service.settings, job.id), ignore_errors=True)
        for video in service.videos.leftovers(older_than=0.0, only=job.video_id):
            _drop(service, video)


@router.post("/jobs/{job_id}/cancel", response_model=Cancelled, responses=problems_for(404, 409))
def cancel_job(service: Serving, principal: Writer, job_id: str) -> Cancelled:
    """Cancel a job: a waiting one at once, a running one within seconds. One that has ended: 409."""
    job = service.listing.get(job_id, principal.owner).job
    service.jobs.request_cancel(job.id)
    return Cancelled.asked(service.listing.get(job_id, principal.owner))


@router.post("/jobs/{job_id}/retry", status_code=201, response_model=JobShown, responses=problems_for(404, 409))
def retry_job(request: Request, response: Response, service: Serving, principal: Writer, job_id: str) -> JobShown:
    """The same again, as a new job; it goes on where the engine kept what was done."""
    job = service.listing.get(job_id, principal.owner).job
    new = retried(service, principal, job, traceparent=request.headers.get("traceparent"))
    response.headers["Location"] = f"/api/v1/jobs/{new.id}"
    return JobShown.of(service.listing.get(new.id, principal.owner))
