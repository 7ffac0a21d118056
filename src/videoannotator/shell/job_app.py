"""``videoannotator job`` and its options; what each does is in `videoannotator.shell.jobs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from videoannotator.shell.places import Asked
from videoannotator.shell.to_run import Flag, ToSubmit

__all__ = ["job"]

job = App(name="job", help="Jobs on a server: send videos to it, watch them, fetch what came out.")

WHERE = Asked()
WHAT_RUNS = ToSubmit()

Ids = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
State = Literal["pending", "running", "completed", "partial", "failed", "cancelled"]


@job.command
def submit(
    videos: Annotated[tuple[str, ...], Parameter(consume_multiple=True)],
    /,
    *,
    what: ToSubmit = WHAT_RUNS,
    batch: str | None = None,
    uploaded: Flag = False,
    watch: Flag = False,
    json: Flag = False,
    where: Asked = WHERE,
) -> int:
    """Send videos to a server and have them annotated. The ids of the jobs go to standard output.

    Ended on the way, it goes on where it was when it is typed again.

    Parameters
    ----------
    videos
        Video or audio files of this machine; several become a batch.
    batch
        A name for all of them together.
    uploaded
        What is given are ids of videos that are on the server already.
    watch
        Stay until all have ended. Exit code 1 when one did not end well.
    json
        The jobs as JSON, one a line.
    """
    from videoannotator.shell.submitting import submit_videos

    return submit_videos(videos, what.wanted(), batch=batch, uploaded=uploaded, watch=watch, as_json=json, where=where)


@job.command
def status(ids: Ids, /, *, json: Flag = False, where: Asked = WHERE) -> int:
    """Say how jobs stand. Exit code 1 when one failed.

    Parameters
    ----------
    ids
        Ids of jobs.
    json
        As JSON, one a line.
    """
    from videoannotator.shell.jobs import show_status

    return show_status(ids, as_json=json, where=where)


@job.command
def watch(ids: Ids, /, *, json: Flag = False, where: Asked = WHERE) -> int:
    """Follow jobs until they have ended. Exit code 1 when one did not end well.

    Parameters
    ----------
    ids
        Ids of jobs.
    json
        Every event as JSON, one a line.
    """
    from videoannotator.shell.jobs import watch_jobs

    return watch_jobs(ids, as_json=json, where=where)


@job.command(name="list")
def list_(
    *,
    state: State | None = None,
    limit: int = 20,
    json: Flag = False,
    where: Asked = WHERE,
) -> int:
    """List jobs, newest first: id, state, how far, video, when.

    Parameters
    ----------
    state
        Only those.
    limit
        So many, at most.
    json
        As JSON, one a line.
    """
    from videoannotator.shell.jobs import list_jobs

    return list_jobs(state, limit, as_json=json, where=where)


@job.command
def results(id_: str, /, *, json: Flag = False, where: Asked = WHERE) -> int:
    """Show what came out: rows of each table, what failed and why, which files there are.

    Parameters
    ----------
    id_
        Id of a job.
    json
        As JSON.
    """
    from videoannotator.shell.jobs import show_results

    return show_results(id_, as_json=json, where=where)


@job.command(alias="download-annotations")
def download(
    id_: str,
    /,
    *,
    out: Annotated[Path, Parameter(alias=["-o", "--output"])] = Path("annotations"),
    pipeline: str | None = None,
    format_: Annotated[str | None, Parameter(name="--format")] = None,
    file: str | None = None,
    zip_: Annotated[bool, Parameter(name="--zip", negative="", show_default=False)] = False,
    where: Asked = WHERE,
) -> int:
    """Fetch the files of a job. Their paths go to standard output.

    Parameters
    ----------
    id_
        Id of a job.
    out
        The folder to write into; made when it does not exist.
    pipeline
        Only what this one found, in the format of --format.
    format_
        A format such as coco, webvtt or csv; goes with --pipeline.
    file
        Only this file, as job results lists it.
    zip_
        Everything, and the video, as one ZIP file: what the Video Annotation Viewer opens.
    """
    from videoannotator.shell.downloading import download_results

    return download_results(id_, out, pipeline, format_, file, as_zip=zip_, where=where)


@job.command
def cancel(ids: Ids, /, *, where: Asked = WHERE) -> int:
    """Cancel jobs that have not ended.

    Parameters
    ----------
    ids
        Ids of jobs.
    """
    from videoannotator.shell.jobs import change_jobs

    return change_jobs(ids, "cancel", where=where)


@job.command
def retry(ids: Ids, /, *, where: Asked = WHERE) -> int:
    """Do jobs again that have ended. Ids of the jobs that do it go to standard output.

    Parameters
    ----------
    ids
        Ids of jobs.
    """
    from videoannotator.shell.jobs import change_jobs

    return change_jobs(ids, "retry", where=where)


@job.command
def delete(ids: Ids, /, *, where: Asked = WHERE) -> int:
    """Remove jobs and their results; running ones are cancelled first.

    Parameters
    ----------
    ids
        Ids of jobs.
    """
    from videoannotator.shell.jobs import change_jobs

    return change_jobs(ids, "delete", where=where)
