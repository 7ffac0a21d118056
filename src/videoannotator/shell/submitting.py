"""``videoannotator job submit``: videos to a server, and what is to be run on them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from videoannotator.errors import UsageError
from videoannotator.shell.client import Client
from videoannotator.shell.jobs import Row, follow, line_of
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Asked
from videoannotator.shell.sending import Sent, send
from videoannotator.shell.settings import comma_list, read_settings
from videoannotator.shell.speaking import give, say

__all__ = ["Wanted", "submit_videos"]


@attrs.frozen
class Wanted:
    """What is to be run: the body of the request, without the video."""

    plain: dict[str, Any]

    @classmethod
    def of(
        cls,
        pipelines: Sequence[str],
        config: Path | None,
        assignments: Sequence[str],
        formats: Sequence[str],
        **options: Any,
    ) -> Wanted:
        """From what was typed. Whether it makes sense is for the server to say. Raises `UsageError`, `ConfigError`."""
        plain = {
            "pipelines": comma_list(pipelines) or None,
            "config": read_settings(config, assignments) or None,
            "formats": comma_list(formats) or None,
            **options,
        }
        return cls({name: value for name, value in plain.items() if value is not None})


def submit_videos(
    videos: Sequence[str],
    wanted: Wanted,
    *,
    batch: str | None,
    uploaded: bool,
    watch: bool,
    as_json: bool,
    where: Asked,
) -> int:
    """Send the videos, then ask for the jobs. Their ids go to standard output as soon as they are accepted."""
    files = [] if uploaded else [_existing(video) for video in videos]
    with where.client() as client:
        if files:
            _check(client, wanted)
        sent = _sent(client, files)
        jobs = _accepted(client, list(videos) if uploaded else [one.video for one in sent], wanted, batch, new=uploaded)
        for one in sent:
            one.forget()
        for job in jobs:
            for warning in job.get("warnings") or []:
                say(f"{warning['field']}: {warning['message']}")
            give(json.dumps(job) if as_json else job["id"])
            if not as_json:
                say(line_of(job))
        return follow(client, [job["id"] for job in jobs], as_json=as_json) if watch else Exit.WELL


def _check(client: Client, wanted: Wanted) -> None:
    """Ask whether it would run before anything is sent. Raises `UsageError` with everything that is wrong."""
    asked = {name: value for name, value in wanted.plain.items() if name != "priority"}
    verdict = client.ask("POST", "/config/validate", body=asked)
    if not verdict["valid"]:
        wrong = [f"{one['field']}: {one['message']}" for one in verdict["errors"]] or [verdict["message"]]
        raise UsageError("the server would not run this, and nothing was sent:\n  " + "\n  ".join(wrong))


def _existing(video: str) -> Path:
    file = Path(video)
    if not file.exists():
        raise UsageError(f"no such file: {video}; --uploaded takes ids of videos that are on the server")
    if file.is_dir():
        raise UsageError(f"{video} is a folder; name the files in it, for example {Path(video) / '*.mp4'}")
    return file


def _sent(client: Client, files: Sequence[Path]) -> list[Sent]:
    try:
        return [send(client, file) for file in files]
    except KeyboardInterrupt:
        say("the server keeps what it has for now: the same command goes on there")
        raise


def _accepted(client: Client, ids: Sequence[str], wanted: Wanted, batch: str | None, *, new: bool) -> list[Row]:
    """Ask for the jobs of these videos. ``new``: also where the same was asked for before.

    Otherwise the videos are this command's own: if it was ended before it knew that the jobs were accepted, and is
    typed again, they are the same jobs.
    """
    alone = len(ids) == 1 and batch is None
    body = {"video_id": ids[0]} if alone else {"video_ids": list(ids)} | ({} if batch is None else {"name": batch})
    body |= wanted.plain
    said = json.dumps(body, sort_keys=True, default=str)
    key = str(uuid.uuid4() if new else uuid.uuid5(uuid.NAMESPACE_URL, said))
    if alone:
        return [client.ask_surely("POST", "/jobs", body=body, key=key)]
    made = client.ask_surely("POST", "/batches", body=body, key=key)
    say(f"batch {made['id']}")
    return list(client.pages("/jobs", "jobs", batch_id=made["id"]))[::-1]
