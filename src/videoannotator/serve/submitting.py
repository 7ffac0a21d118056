"""From what somebody asks for to jobs in the database: template, judgement, quota and idempotency in one place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import Connection

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.errors import ForbiddenError, JobEndedError
from videoannotator.serve.request import JobRequest
from videoannotator.serve.service import Service
from videoannotator.serve.store.idempotency import Answer, digest_of_request
from videoannotator.serve.store.jobs import Job, NewJob
from videoannotator.serve.store.listing import JobView
from videoannotator.serve.store.videos import Video
from videoannotator.serve.validating import Issue, Verdict, validated

__all__ = ["Submission", "batch_digest", "judged", "new_job", "require_priority", "retried", "submitted"]

_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Show = Callable[[JobView, tuple[Issue, ...]], dict[str, Any]]


@attrs.frozen(kw_only=True)
class Submission:
    """What is asked for, by whom.

    ``plain``: fields of `JobRequest`. ``template``: name or id. ``key``: the client's idempotency key.
    ``lenient``: an old client asks, see `validated`.
    """

    principal: Principal
    plain: Mapping[str, Any]
    template: str | None = None
    priority: int = 0
    key: str | None = None
    traceparent: str | None = None
    lenient: bool = False


def judged(service: Service, asked: Submission, video: Video | None = None) -> Verdict:
    """Whether it would run. Raises `NotFoundError` for an unknown template."""
    plain = dict(asked.plain)
    if asked.template is not None:
        template = service.templates.named(asked.template, asked.principal.user_id)
        plain = {**template.request, **plain, "template": template.name}
    return validated(service.settings, service.catalog, plain, video=video, lenient=asked.lenient)


def submitted(service: Service, asked: Submission, video: Video, show: Show) -> Answer:
    """Submit a job. ``show``: how it is told. Raises what `Verdict.required` raises, `QuotaError`, `KeyReuseError`."""
    require_priority(asked)
    verdict = judged(service, asked, video)
    request = verdict.required()
    digest = digest_of_request(
        {"video": video.sha256 if video.with_jobs else video.id, "request": request.plain(), "priority": asked.priority}
    )

    def make(connection: Connection) -> tuple[int, dict[str, Any]]:
        service.quotas.require_jobs(connection, asked.principal.user_id)
        job = service.jobs.submit(new_job(service, asked, video, request), connection=connection)
        view = JobView(
            job, video.name, video.bytes, video.duration, service.listing.position(job, connection=connection)
        )
        return 201, show(view, verdict.warnings)

    return service.idempotency.once(
        asked.key, user_id=asked.principal.user_id, route="POST /jobs", digest=digest, make=make
    )


def new_job(
    service: Service, asked: Submission, video: Video, request: JobRequest, batch_id: str | None = None
) -> NewJob:
    """The row of a job."""
    trace = asked.traceparent
    return NewJob(
        owner_id=asked.principal.user_id,
        video_id=video.id,
        request=request.plain(),
        batch_id=batch_id,
        priority=asked.priority,
        max_attempts=service.settings.jobs.attempts,
        traceparent=trace if trace and _TRACE.fullmatch(trace) else None,
    )


def retried(service: Service, principal: Principal, job: Job, *, traceparent: str | None = None) -> Job:
    """The same again as a new job: what has ended stays as it ended. Raises `JobEndedError` while it has not."""
    if not job.ended:
        raise JobEndedError(
            f"job {job.id} is {job.state}: there is nothing to try again",
            code="JOB_NOT_ENDED",
            hint=f"wait, or cancel it first: POST /api/v1/jobs/{job.id}/cancel",
        )
    asked = Submission(principal=principal, plain=job.request, traceparent=traceparent)
    verdict = validated(service.settings, service.catalog, job.request)
    request = verdict.required()
    video = service.videos.get(job.video_id, principal.owner)
    with service.database.write() as connection:
        service.quotas.require_jobs(connection, job.owner_id)
        new = attrs.evolve(new_job(service, asked, video, request), owner_id=job.owner_id, priority=job.priority)
        return service.jobs.submit(new, connection=connection)


def batch_digest(asked: Submission, videos: Sequence[Video], request: JobRequest, name: str | None) -> str:
    """What makes two batches the same request."""
    return digest_of_request(
        {"videos": [v.id for v in videos], "request": request.plain(), "priority": asked.priority, "name": name}
    )


def require_priority(asked: Submission) -> None:
    """Raise `ForbiddenError` for a priority that is not this one's to give."""
    if asked.priority > 0 and not asked.principal.may("admin"):
        raise ForbiddenError("a priority above 0 is for admins", hint="leave it out, or give one below 0")
