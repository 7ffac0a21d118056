"""Routes: results of jobs, in any format, and the files that belong to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from videoannotator.formats.viewer import film_name
from videoannotator.serve.api.asking import Reader, Serving
from videoannotator.serve.api.models import problems_for
from videoannotator.serve.api.models_results import Artifact, ArtifactList, ResultsShown
from videoannotator.serve.api.streaming import media_file
from videoannotator.serve.api.videos import media_type_of
from videoannotator.serve.errors import NotFoundError, RequestError
from videoannotator.serve.exporting import (
    Entry,
    columns,
    files_of,
    folder_of,
    only,
    result_of,
    result_row,
    zipped,
)
from videoannotator.serve.keeping import export_of
from videoannotator.serve.receiving import video_path
from videoannotator.serve.service import Service
from videoannotator.serve.store.videos import Video
from videoannotator.serve.work.naming import stem_of

__all__ = ["router"]

router = APIRouter(tags=["results"])

_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a ZIP",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "a file, or a ZIP of several",
        "content": {
            "application/json": {"schema": {}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_TYPES = {".json": "application/json", ".csv": "text/csv", ".vtt": "text/vtt", ".zip": "application/zip"}


@router.get("/jobs/{job_id}/results", response_model=ResultsShown, responses=problems_for(404))
def job_results(service: Serving, principal: Reader, job_id: str) -> ResultsShown:
    """What came of a job, pipeline by pipeline. While it runs, and for one that failed without a result, empty."""
    view = service.listing.get(job_id, principal.owner)
    return ResultsShown.of(view, service.listing.result(view.id))


@router.get("/jobs/{job_id}/results/{pipeline}", response_class=Response, responses={**_ANY, **problems_for(404, 409)})
def pipeline_result(
    service: Serving,
    principal: Reader,
    job_id: str,
    pipeline: str,
    format: Annotated[  # noqa: A002 - the name clients use
        str, Query(description="`json` (rows, column by column), or any format of GET /formats", max_length=100)
    ] = "json",
    start: Annotated[float | None, Query(ge=0, description="seconds; of `json` only")] = None,
    end: Annotated[float | None, Query(gt=0, description="seconds; of `json` only")] = None,
    limit: Annotated[int | None, Query(ge=1, le=10_000_000, description="rows of a table; of `json` only")] = None,
) -> Response:
    """One pipeline's rows, in any format. Several files come as a ZIP."""
    view = service.listing.get(job_id, principal.owner)
    row = result_row(service, view)
    if format == "json":
        result = only(result_of(service, row), pipeline)
        return StreamingResponse(
            columns(result, pipeline, start=start, end=end, limit=limit), media_type="application/json"
        )
    if start is not None or end is not None or limit is not None:
        raise RequestError(
            "start, end and limit choose rows of the format json only", code="INVALID_REQUEST", hint="leave them out"
        )
    files = files_of(export_of(service, row, format, pipeline))
    if not files:
        raise NotFoundError("this format can hold nothing of this result", code="NO_OUTPUT_FILE", hint="try csv")
    return _sent(files, f"{stem_of(view.video_name)}_{pipeline}_{format}.zip")


@router.get(
    "/jobs/{job_id}/results/files/{pipeline}", response_class=Response, responses={**_ANY, **problems_for(404, 409)}
)
def pipeline_file(service: Serving, principal: Reader, job_id: str, pipeline: str) -> Response:
    """One pipeline's file as VideoAnnotator 1.x named it: what the Video Annotation Viewer reads."""
    view = service.listing.get(job_id, principal.owner)
    files = files_of(export_of(service, result_row(service, view), "viewer", pipeline))
    if not files:
        raise NotFoundError(
            f"nothing of {pipeline} can be shown by the viewer",
            code="NO_OUTPUT_FILE",
            hint=f"GET /api/v1/jobs/{job_id}/results/{pipeline}?format=csv gives its tables",
        )
    return _sent(files, f"{stem_of(view.video_name)}_{pipeline}.zip")


def _sent(files: list[Entry], archive: str) -> Response:
    """One file as it is, several as a ZIP."""
    if len(files) > 1:
        return _archive([(entry.name, entry.path) for entry in files], archive)
    path = files[0].path
    kind = _TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=path.name)


def _archive(files: list[tuple[str, Path]], name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}"}
    return StreamingResponse(zipped(files), media_type="application/zip", headers=headers)


@router.get("/jobs/{job_id}/artifacts", response_class=Response, responses={**_ZIP, **problems_for(404, 409)})
def artifacts(
    service: Serving,
    principal: Reader,
    job_id: str,
    format: Annotated[  # noqa: A002 - the name clients use
        list[str] | None, Query(description="formats; `viewer` if nothing says", max_length=20)
    ] = None,
    video: Annotated[bool, Query(description="with the video")] = True,
) -> Response:
    """A ZIP with the video and the files that the Video Annotation Viewer loads, or other formats."""
    view = service.listing.get(job_id, principal.owner)
    row = result_row(service, view)
    formats = list(dict.fromkeys(format or ["viewer"]))
    found = {name: files_of(export_of(service, row, name)) for name in formats}
    files = {entry.name: entry.path for entries in found.values() for entry in entries}
    if len(files) < sum(map(len, found.values())):
        raise RequestError(
            f"of {', '.join(formats)}, two give a file the same name",
            code="FORMAT_FAILED",
            hint="ask for one format at a time, or for native",
        )
    if formats == ["viewer"]:  # it looks for words in names, so its files stand without folders
        files = {name.rpartition("/")[2]: path for name, path in files.items()}
    film = [_film(service, service.videos.get(view.job.video_id, None))] if video else []
    return _archive([*files.items(), *film], f"{stem_of(view.video_name)}_{job_id[:8]}.zip")


def _film(service: Service, film: Video) -> tuple[str, Path]:
    path = video_path(service.settings, film)
    if not path.is_file():
        raise NotFoundError(
            "the video of this job is not there any more",
            code="FILE_NOT_FOUND",
            hint="add ?video=false for the other files",
        )
    return film_name(film.name), path


@router.get("/jobs/{job_id}/artifacts/list", response_model=ArtifactList, responses=problems_for(404, 409))
def list_artifacts(service: Serving, principal: Reader, job_id: str) -> ArtifactList:
    """All files of a job, with the video."""
    view = service.listing.get(job_id, principal.owner)
    row = result_row(service, view)
    kinds = {name: kind for kind, names in row.summary.get("files", {}).items() for name in names}
    found = [
        Artifact(
            name=entry.name,
            bytes=entry.bytes,
            kind=kinds.get(entry.name) or kinds.get(entry.name.partition("/")[0]) or "other",
            href=f"/api/v1/jobs/{job_id}/artifacts/{quote(entry.name)}",
        )
        for entry in files_of(folder_of(service, row))
    ]
    film = Artifact(
        name=view.video_name, bytes=view.video_bytes, kind="video", href=f"/api/v1/videos/{view.job.video_id}"
    )
    return ArtifactList(job_id=view.id, artifacts=[film, *found])


@router.get(
    "/jobs/{job_id}/artifacts/{name:path}", response_class=Response, responses={**_ANY, **problems_for(404, 409, 416)}
)
def artifact(request: Request, service: Serving, principal: Reader, job_id: str, name: str) -> Response:
    """One file of a job's result, whole or a `Range` of it."""
    view = service.listing.get(job_id, principal.owner)
    row = result_row(service, view)
    # looked for among those that are there: no name can lead anywhere else
    entry = next((entry for entry in files_of(folder_of(service, row)) if entry.name == name), None)
    if entry is None:
        raise NotFoundError(
            f"job {job_id} has no file {name[:200]!r}",
            code="ARTIFACT_NOT_FOUND",
            hint=f"GET /api/v1/jobs/{job_id}/artifacts/list lists them",
        )
    kind = _TYPES.get(entry.path.suffix) or media_type_of(entry.path)
    etag = f"{job_id}-{row.attempt}-{entry.bytes}"
    return media_file(request, entry.path, etag=etag, media_type=kind, name=entry.path.name, attachment=True)
