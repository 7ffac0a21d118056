"""What the routes about jobs take and give: the fields that old clients read first, then the whole truth."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from videoannotator.serve.api.models import Model, Plain, Text, moment_text
from videoannotator.serve.store.jobs import Job
from videoannotator.serve.store.listing import JobView
from videoannotator.serve.validating import Issue

__all__ = [
    "Asked",
    "Cancelled",
    "EstimateShown",
    "IssueShown",
    "JobAsked",
    "JobList",
    "JobMade",
    "JobShown",
    "Progress",
    "old_status",
]

_ID = "4be0f1a2-6d1c-4c58-9a0e-7f0b4b6f0c11"
_VIDEO = "0b6f4f0e-9a55-4a1b-8a5e-0d6f3f1c2b7a"


def _listed(value: Any) -> Any:
    """Old clients write lists as text with commas."""
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value


_Name = Annotated[Text, Field(max_length=200)]
Names = Annotated[list[_Name], BeforeValidator(_listed), Field(max_length=100)]


class Asked(Model):
    """What is to be run, with the words of `Annotator`; for jobs, batches and templates alike."""

    pipelines: Names | None = Field(
        default=None,
        description="names; a text with commas is taken, too. Left out: every pipeline that is ready",
        examples=[["scene_detection", "voice_activity"]],
    )
    selected_pipelines: Names | None = Field(default=None, description="`pipelines`, as VideoAnnotator 1.x calls it")
    config: dict[_Name, Plain] | None = Field(
        default=None, description="settings by pipeline", examples=[{"scene_detection": {"threshold": 27.0}}]
    )
    device: Text | None = Field(default=None, max_length=200, description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`")
    precision: Literal["exact", "fast"] | None = None
    start: float | None = Field(default=None, ge=0, description="seconds")
    end: float | None = Field(default=None, gt=0, description="seconds")
    spans: list[tuple[float, float]] | None = Field(
        default=None, min_length=1, max_length=1000, description="stretches, instead of start and end: seconds"
    )
    formats: Names | None = Field(
        default=None, description="files beside the native result", examples=[["coco", "webvtt", "rttm"]]
    )
    isolate: Names | None = Field(default=None, description="pipelines that run in processes of their own")
    output_directory: Text | None = Field(
        default=None, max_length=4000, description="a folder inside one of the server's roots, for the result"
    )
    db_location: Text | None = Field(
        default=None,
        max_length=4000,
        description="an SQLite file inside one of the server's roots, which gets the tables of the result as well",
    )

    def plain(self) -> dict[str, Any]:
        """Those that were given, as `JobRequest` names them."""
        given = self.model_dump(include=set(Asked.model_fields), exclude_none=True)
        pipelines = given.pop("selected_pipelines", None)
        if pipelines is not None:
            given.setdefault("pipelines", pipelines)
        return given


class JobAsked(Asked):
    """A job: a video, and what is to be run on it."""

    video_id: Text = Field(examples=[_VIDEO])
    template: Text | None = Field(
        default=None, description="name or id of a template; what the job says itself goes before it"
    )
    priority: int = Field(default=0, ge=-100, le=100, description="higher ones come first; above 0 is for admins")


class IssueShown(BaseModel):
    """Something that is wrong, or worth knowing."""

    field: str
    message: str
    code: str
    hint: str | None = None

    @classmethod
    def of(cls, issue: Issue) -> IssueShown:
        """As it is told."""
        return cls(field=issue.field, message=issue.message, code=issue.code, hint=issue.hint)


class EstimateShown(BaseModel):
    """What a job would take."""

    seconds: float | None = Field(description="null while one of its pipelines has not run on this machine yet")
    media_seconds: float = Field(description="of the video, that would be looked at")
    frames: int
    passes: int = Field(description="how often these frames are decoded")
    memory: dict[str, int] = Field(description="bytes by device, as far as it is known", examples=[{"cpu": 1200000000}])
    download_bytes: int = Field(description="of models that are fetched first, as far as their size is declared")
    to_fetch: list[str]
    pipelines: list[dict[str, Any]] = Field(description="each with its device, memory (bytes), licence and problem")
    warnings: list[IssueShown]


class Progress(BaseModel):
    """How far a job is. ``eta``: seconds left."""

    stage: str | None = Field(examples=["face_analysis"])
    fraction: float = Field(examples=[0.42])
    frames: int
    media_seconds: float
    eta: float | None


class JobShown(BaseModel):
    """A job."""

    id: str = Field(examples=[_ID])
    status: Literal["pending", "running", "completed", "failed", "cancelled"] = Field(
        description="as VideoAnnotator 1.x knows it: a partial result is `completed`, with an `error_message`"
    )
    state: Literal["pending", "running", "completed", "partial", "failed", "cancelled"] = Field(
        description="the truth: `partial` when a part of what was asked for is missing"
    )
    video_id: str
    video_filename: str
    video_size_bytes: int
    video_duration_seconds: float
    selected_pipelines: list[str] | None = Field(description="null: every one that is ready")
    config: dict[str, Any]
    created_at: str
    started_at: str | None
    completed_at: str | None = Field(description="when it ended, in whichever way")
    error_message: str | None
    error_code: str | None
    queue_position: int | None = Field(
        description="1 is the next; null where it does not wait, or beyond 1000 in lists"
    )
    cancel_requested: bool
    progress: Progress
    priority: int
    attempt: int
    max_attempts: int
    batch_id: str | None
    owner_id: str
    request: dict[str, Any] = Field(description="everything that was asked for")
    video_path: None = Field(default=None, description="where files lie on the server is not told")
    result_path: None = None
    storage_path: None = None

    @classmethod
    def of(cls, view: JobView) -> JobShown:
        """As it is told."""
        return cls(**_shown(view))


def _shown(view: JobView) -> dict[str, Any]:
    job = view.job
    return {
        "id": job.id,
        "status": old_status(job),
        "state": job.state,
        "video_id": job.video_id,
        "video_filename": view.video_name,
        "video_size_bytes": view.video_bytes,
        "video_duration_seconds": view.video_duration,
        "selected_pipelines": job.request.get("pipelines"),
        "config": job.request.get("config") or {},
        "created_at": moment_text(job.created_at),
        "started_at": moment_text(job.started_at),
        "completed_at": moment_text(job.finished_at),
        "error_message": job.error_message,
        "error_code": job.error_code,
        "queue_position": view.position,
        "cancel_requested": job.cancel_requested_at is not None,
        "progress": Progress(
            stage=job.stage, fraction=job.fraction, frames=job.frames, media_seconds=job.media_seconds, eta=job.eta
        ),
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "batch_id": job.batch_id,
        "owner_id": job.owner_id,
        "request": job.request,
    }


def old_status(job: Job) -> str:
    """The state in the words of VideoAnnotator 1.x."""
    return "completed" if job.state == "partial" else job.state


class JobMade(JobShown):
    """A job that was just submitted, and what is worth knowing of the request."""

    warnings: list[IssueShown]

    @classmethod
    def made(cls, view: JobView, warnings: tuple[Issue, ...]) -> JobMade:
        """As it is told."""
        return cls(**_shown(view), warnings=[IssueShown.of(issue) for issue in warnings])


class JobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobShown]
    total: int
    page: int = Field(description="as asked for; for clients that count pages")
    per_page: int
    next_cursor: str | None = Field(description="send it back as `cursor` for the next page; null behind the last")


class Cancelled(JobShown):
    """A job that was asked to stop: cancelled already, or within seconds."""

    job_id: str
    message: str

    @classmethod
    def asked(cls, view: JobView) -> Cancelled:
        """As it is told."""
        message = "cancelled" if view.job.ended else "it stops within seconds"
        return cls(**_shown(view), job_id=view.id, message=message)
