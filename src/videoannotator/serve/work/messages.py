"""What is said between a dispatcher and whoever executes a job: plain values, for a pipe, a file or a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from videoannotator.data.convert import structure, unstructure
from videoannotator.serve.request import JobRequest

__all__ = ["STOP", "Done", "Gone", "Message", "Noted", "Progressed", "Task", "packed", "unpacked"]

STOP = b"stop\n"
"""Said instead of a task: the one at hand is to end."""


@attrs.frozen(kw_only=True)
class Task:
    """One attempt at a job: all that its executor needs to know. Paths are absolute.

    ``media``: the file. ``name``: what its owner calls it. ``folder``: of the job, in the data folder; working files
    go there. ``target``: where the result is to appear, whole. ``cache``: where the engine keeps its segments.
    ``before``: code of the error that ended the attempt before this one.
    """

    job: str
    attempt: int
    max_attempts: int
    media: str
    name: str
    request: JobRequest
    device: str
    folder: str
    target: str
    cache: str
    before: str | None = None
    traceparent: str | None = None


@attrs.frozen(kw_only=True)
class Progressed:
    """How far it is. ``media_seconds``: media time that every pipeline has behind it. ``eta``: seconds left."""

    stage: str
    fraction: float
    frames: int
    media_seconds: float
    eta: float | None


@attrs.frozen(kw_only=True)
class Noted:
    """Something worth a line in the job's history."""

    message: str
    pipeline: str | None = None


@attrs.frozen(kw_only=True)
class Done:
    """How the attempt ended. ``bytes``, ``summary``: of the result at ``folder``; without one, None.

    ``code``: of what went wrong, see `retrying`; it says whether another attempt makes sense.
    """

    state: Literal["completed", "partial", "failed", "cancelled"]
    code: str | None = None
    message: str | None = None
    folder: str | None = None
    bytes: int = 0
    summary: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Gone:
    """Whoever executed it has ended without saying how. ``message``: how that was seen, with its last words."""

    message: str


Message = Progressed | Noted | Done | Gone
_KINDS: dict[str, type[Any]] = {"progressed": Progressed, "noted": Noted, "done": Done, "gone": Gone, "task": Task}


def packed(value: Message | Task) -> bytes:
    """As a line of JSON."""
    kind = type(value).__name__.lower()
    return json.dumps({"kind": kind, **unstructure(value)}, ensure_ascii=True).encode() + b"\n"


def unpacked(line: bytes | str) -> Any:
    """What was packed. Raises `DataError` or ValueError when it is nothing of the kind."""
    plain = json.loads(line)
    return structure(_KINDS[plain.pop("kind")], plain)
