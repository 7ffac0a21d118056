"""``videoannotator job``: how jobs stand, following them, what came out, ending them and doing them again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from videoannotator.errors import UsageError
from videoannotator.shell.client import Client
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Asked
from videoannotator.shell.progress import following
from videoannotator.shell.speaking import give, say

__all__ = [
    "Row",
    "change_jobs",
    "follow",
    "job_path",
    "line_of",
    "list_jobs",
    "show_results",
    "show_status",
    "watch_jobs",
]

Row = dict[str, Any]


def show_status(ids: Sequence[str], *, as_json: bool, where: Asked) -> int:
    """One line for each job, and why it failed."""
    worst = Exit.WELL
    with where.client() as client:
        for job_id in ids:
            job = client.ask("GET", job_path(job_id))
            give(json.dumps(job) if as_json else line_of(job))
            if job["state"] in ("failed", "partial"):
                worst = Exit.FAILED
                if not as_json:
                    say(f"  {job['error_message']}")
    return worst


def list_jobs(state: str | None, limit: int, *, as_json: bool, where: Asked) -> int:
    """One line for each job, the newest first."""
    with where.client() as client:
        for job in client.pages("/jobs", "jobs", most=max(1, limit), state=state):
            give(json.dumps(job) if as_json else line_of(job))
    return Exit.WELL


def line_of(job: Row) -> str:
    """A job in a line: id, state, how far, video, since when."""
    progress = job["progress"]
    if job["state"] == "running":
        how = f"{100 * progress['fraction']:.0f} %{_left(progress)}"
    elif job["state"] == "pending":
        how = f"number {job['queue_position']}" if job["queue_position"] else "waiting"
    else:
        how = job["completed_at"] or ""
    return "\t".join([job["id"], job["state"], how, job["video_filename"], job["created_at"]])


def _left(progress: Row) -> str:
    return "" if progress.get("eta") is None else f", {progress['eta']:.0f} s left"


def watch_jobs(ids: Sequence[str], *, as_json: bool, where: Asked) -> int:
    """Follow jobs one after the other until they have ended."""
    with where.client() as client:
        return follow(client, ids, as_json=as_json)


def follow(client: Client, ids: Sequence[str], *, as_json: bool) -> int:
    """Say what happens until all have ended; a job that ended while another was watched is told of in its turn."""
    worst = Exit.WELL
    for job_id in ids:
        job = client.ask("GET", job_path(job_id))
        with following(f"{job['video_filename']}") as move:
            for kind, data in client.events(job_id):
                if as_json:
                    give(json.dumps({"job_id": job_id, "event": kind, **data}))
                else:
                    _tell(kind, data, move)
        job = client.ask("GET", job_path(job_id))
        if not as_json:
            give(line_of(job))
            if job["error_message"]:
                say(f"  {job['error_message']}")
        if job["state"] != "completed":
            worst = Exit.FAILED
    return worst


def _tell(kind: str, data: Row, move: Callable[[float, str], None]) -> None:
    if kind == "job.log" and data.get("message"):
        say(f"  {data['message']}")
    if kind == "job.update":
        progress = data.get("progress") if isinstance(data.get("progress"), dict) else data
        if isinstance(progress, dict) and progress.get("fraction") is not None:
            move(float(progress["fraction"]), f"{progress.get('stage') or ''}{_left(progress)}")
        if data.get("retry_in") is not None:
            say(f"  it is tried again in {data['retry_in']:.0f} s: {data.get('reason')}")


def show_results(job_id: str, *, as_json: bool, where: Asked) -> int:
    """What came out of a job."""
    with where.client() as client:
        results = client.ask("GET", job_path(job_id, "results"))
        files = client.ask("GET", job_path(job_id, "artifacts/list"))["artifacts"] if results["files"] else []
    if as_json:
        give(json.dumps({**results, "files": files}, indent=2))
        return Exit.WELL
    worst = Exit.WELL if results["state"] == "completed" else Exit.FAILED
    if results["error_message"]:
        say(results["error_message"])
    for name, one in results["pipeline_results"].items():
        rows = ", ".join(f"{count} {table}" for table, count in one["rows"].items()) or "no rows"
        give(f"{name}\t{one['status']}\t{rows}")
        if one["error_message"]:
            say(f"  {one['error_message']}")
    for name, why in results["left_out"].items():
        say(f"{name} did not run: {why}")
    for file in files:
        give(f"{file['name']}\t{file['bytes']} bytes")
    return worst


def change_jobs(ids: Sequence[str], what: str, *, where: Asked) -> int:
    """Cancel jobs, do them again, or delete them: ``what`` is cancel, retry or delete."""
    with where.client() as client:
        for job_id in ids:
            if what == "delete":
                client.ask("DELETE", job_path(job_id))
                say(f"{job_id}: deleted")
                continue
            job = client.ask("POST", job_path(job_id, what))
            if what == "retry":
                give(job["id"])
            else:
                say(f"{job_id}: {'will be cancelled within seconds' if job['state'] == 'running' else job['state']}")
    return Exit.WELL


def job_path(job_id: str, rest: str = "") -> str:
    """The address of a job, or of something of it. Raises `UsageError` for what cannot be the id of one."""
    try:
        whole = uuid.UUID(job_id)
    except ValueError as error:
        raise UsageError(f"{job_id!r} is not the id of a job; they are listed by: videoannotator job list") from error
    return f"/jobs/{whole}{'/' if rest else ''}{rest}"
