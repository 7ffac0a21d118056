"""``videoannotator job download``: files of a job, onto this disk."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import quote

from videoannotator.errors import ServerError, UsageError
from videoannotator.shell.client import Client
from videoannotator.shell.jobs import job_path
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Asked
from videoannotator.shell.speaking import give, say

__all__ = ["download_results"]


def download_results(
    job_id: str,
    out: Path,
    pipeline: str | None,
    form: str | None,
    file: str | None,
    *,
    as_zip: bool,
    where: Asked,
) -> int:
    """All files, one of them, one pipeline in a format, or the ZIP with the video. Raises `UsageError`."""
    if (form is None) != (pipeline is None):
        raise UsageError("--pipeline and --format go together, as in --pipeline scene_detection --format csv")
    if sum([pipeline is not None, file is not None, as_zip]) > 1:
        raise UsageError("choose one of --pipeline, --file and --zip")
    with where.client() as client:
        base = job_path(job_id)
        if as_zip:
            give(client.download(f"{base}/artifacts", out))
        elif pipeline is not None:
            give(client.download(f"{base}/results/{quote(pipeline, safe='')}", out, params={"format": form}))
        else:
            _files(client, base, out, file)
    return Exit.WELL


def _files(client: Client, base: str, out: Path, wanted: str | None) -> None:
    files = client.ask("GET", f"{base}/artifacts/list")["artifacts"]
    names = [one["name"] for one in files if one["kind"] != "video"]
    if wanted is not None and wanted not in names:
        raise UsageError(f"the job has no file {wanted}; it has {', '.join(names) or 'none'}")
    if not names:
        say("the job has no files")
    for name in names if wanted is None else [wanted]:
        give(client.download(f"{base}/artifacts/{quote(name)}", out, name=inside(name)))


def inside(name: str) -> str:
    """The name of a file as a path that stays below the folder it is written to. Raises `ServerError`."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name or "\x00" in name:
        raise ServerError(f"the server names a file {name!r}, which would be written elsewhere; it is not fetched")
    return name
