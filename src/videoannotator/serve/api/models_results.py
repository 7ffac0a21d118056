"""What the routes about results give: the shape that old clients read, with the truth beside it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from videoannotator.serve.api.models import moment_text
from videoannotator.serve.api.models_jobs import old_status
from videoannotator.serve.store.listing import JobResult, JobView

__all__ = ["Artifact", "ArtifactList", "PipelineShown", "ResultsShown"]


class PipelineShown(BaseModel):
    """What came of one pipeline."""

    pipeline_name: str
    status: str = Field(description="completed or failed; failed with rows is partial", examples=["completed"])
    start_time: None = None
    end_time: None = None
    processing_time: float | None = Field(description="seconds inside the pipeline")
    annotation_count: int = Field(description="rows of all its tables")
    output_file: str | None = Field(description="name of the file that `download_url` gives")
    download_url: str | None
    error_message: str | None
    rows: dict[str, int] = Field(description="rows by table")
    coverage: dict[str, Any] = Field(description="what was looked at: spans in seconds, rate")
    failures: list[dict[str, Any]]
    models: list[dict[str, Any]] = Field(description="weights that were used: name, source, hash, licence")
    device: str | None
    cached: bool = Field(description="taken from an earlier run of the same question")
    notices: list[str]


class ResultsShown(BaseModel):
    """What came of a job."""

    job_id: str
    status: str
    state: str
    pipeline_results: dict[str, PipelineShown]
    created_at: str | None
    completed_at: str | None
    error_message: str | None
    result_path: None = Field(default=None, description="where files lie on the server is not told")
    media: dict[str, Any]
    span: list[float]
    left_out: dict[str, str] = Field(description="pipelines that were not ready, and why")
    failures: list[dict[str, Any]] = Field(description="of the media file itself")
    notices: list[str]
    files: dict[str, list[str]] = Field(description="by format: names for /artifacts/{name}")
    format_failures: dict[str, str]

    @classmethod
    def of(cls, view: JobView, row: JobResult | None) -> ResultsShown:
        """As it is told; without a result everything is empty."""
        summary = row.summary if row is not None else {}
        return cls(
            job_id=view.id,
            status=old_status(view.job),
            state=view.job.state,
            pipeline_results={
                name: _pipeline(view.id, name, told) for name, told in summary.get("pipelines", {}).items()
            },
            created_at=moment_text(view.job.created_at),
            completed_at=moment_text(view.job.finished_at),
            error_message=view.job.error_message,
            media=summary.get("media", {}),
            span=summary.get("span", []),
            left_out=summary.get("left_out", {}),
            failures=summary.get("media_failures", []),
            notices=summary.get("notices", []),
            files=summary.get("files", {}),
            format_failures=summary.get("format_failures", {}),
        )


def _pipeline(job_id: str, name: str, told: dict[str, Any]) -> PipelineShown:
    rows = told.get("rows", {})
    failures = told.get("failures", [])
    return PipelineShown(
        pipeline_name=name,
        status="completed" if told.get("ok", not failures) else "failed",
        processing_time=told.get("seconds"),
        annotation_count=sum(rows.values()),
        output_file=f"{name}.zip",
        download_url=f"/api/v1/jobs/{job_id}/results/files/{name}",
        error_message="; ".join(failure["message"] for failure in failures) or None,
        rows=rows,
        coverage=told.get("coverage", {}),
        failures=failures,
        models=told.get("models", []),
        device=told.get("device"),
        cached=told.get("cached", False),
        notices=told.get("notices", []),
    )


class Artifact(BaseModel):
    """A file that belongs to a job. ``kind``: video, or the format it is in."""

    name: str
    bytes: int
    kind: str
    href: str


class ArtifactList(BaseModel):
    """All files of a job."""

    job_id: str
    artifacts: list[Artifact]
