"""Exports of results: made when they are first asked for, and kept beside the result until nobody does any more.

Where: ``jobs/{id}/exports/{attempt}={format}={version of its plugin}[={pipeline}]`` in the data folder, also for a
result that lies elsewhere. A result never changes; another attempt, or another version of the format, has another name.
They count as bytes of the job's result, go with the job, and by themselves when nobody asked for them for a day. A
folder appears when everything is in it; what is being made has a name that ends with ``.part``, and is removed when
that fails, or by the clean-up when the process has died.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select, update

from videoannotator.errors import FormatError, UnknownFormatError
from videoannotator.formats.exporting import export
from videoannotator.serve.errors import NotFoundError, RequestError
from videoannotator.serve.exporting import only, result_of
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.listing import JobResult
from videoannotator.serve.store.schema import job_results
from videoannotator.serve.sweeping import listed, size_of
from videoannotator.serve.work.naming import PART, absolute, job_folder

__all__ = ["EXPORTS", "count_again", "export_of"]

EXPORTS = "exports"
"""The folder of a job's exports."""


def export_of(service: Service, row: JobResult, name: str, pipeline: str | None = None) -> Path:
    """The folder with a result, or a pipeline's part of it, in the format ``name``; empty if that holds nothing of it.

    Raises `RequestError` for a format that does not exist, and for one that cannot hold this; `NotFoundError` when the
    job has no such pipeline, or its files are gone.
    """
    try:
        version = service.catalog.format(name).plugin.version
    except UnknownFormatError as error:
        raise RequestError(str(error), code="UNKNOWN_FORMAT", hint="GET /api/v1/formats lists them") from error
    if pipeline is not None and pipeline not in row.summary.get("pipelines", {}):
        only(result_of(service, row), pipeline)  # tells which ones there are
    place = job_folder(service.settings, row.job_id) / EXPORTS
    kept = place / "=".join([str(row.attempt), name, version, *([] if pipeline is None else [pipeline])])
    with suppress(FileNotFoundError):
        os.utime(kept)  # somebody asked for it
        return kept
    working = place / f"{uuid.uuid4()}{PART}"
    try:
        _make(service, row, name, pipeline, working)
        _keep(service, row, working, kept)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return kept


def _make(service: Service, row: JobResult, name: str, pipeline: str | None, working: Path) -> None:
    result = result_of(service, row)
    working.mkdir(parents=True)
    try:
        export(result if pipeline is None else only(result, pipeline), working, [name])
    except FormatError as error:
        raise RequestError(
            str(error).replace(f"{working}/", ""),
            code="FORMAT_FAILED",
            hint="ask for another format, or for native",
        ) from error


def _keep(service: Service, row: JobResult, working: Path, kept: Path) -> None:
    """Give it its name, and count it, if the job is still there and nobody was quicker."""
    with service.database.write() as connection:
        there = select(job_results.c.job_id).where(
            job_results.c.job_id == row.job_id, job_results.c.attempt == row.attempt
        )
        if connection.execute(there if service.database.is_sqlite else there.with_for_update()).first() is None:
            raise NotFoundError(f"job {row.job_id} was deleted meanwhile", code="JOB_NOT_FOUND")
        if not kept.exists():
            working.rename(kept)
        count_again(connection, service.settings, row.job_id, row.folder)


def count_again(connection: Connection, settings: ServerSettings, job_id: str, folder: str) -> None:
    """Write down how many bytes a job's result has on the disk, with what is kept of its exports."""
    place = job_folder(settings, job_id) / EXPORTS
    kept = [name for name in listed(place) if not name.endswith(PART)]  # what is being made may come to nothing
    size = size_of(absolute(settings, folder)) + sum(size_of(place / name) for name in kept)
    connection.execute(update(job_results).where(job_results.c.job_id == job_id).values(bytes=size))
