"""What several routes say and are told: errors, moments, texts that every database can keep."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, overload

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

__all__ = [
    "PROBLEMS",
    "After",
    "Limit",
    "Model",
    "Plain",
    "Problem",
    "ProblemPart",
    "Text",
    "moment_text",
    "problems_for",
]


@overload
def moment_text(seconds: float) -> str: ...


@overload
def moment_text(seconds: float | None) -> str | None: ...


def moment_text(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC, with milliseconds and a ``Z``."""
    return None if seconds is None else _moment_text(seconds)


@lru_cache(maxsize=10_000)  # lists tell the same moments again and again
def _moment_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clean(text: str) -> str:
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("it holds a character that cannot be kept (U+0000, or half of a pair)")
    return text


def _clean_all(value: Any) -> Any:
    """Check every text inside plain values, and that they are not nested so deeply that reading them fails."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        one, depth = waiting.pop()
        if depth > 20:
            raise ValueError("it is nested more than 20 levels deep")
        if isinstance(one, str):
            _clean(one)
        elif isinstance(one, dict):
            waiting += [(key, depth) for key in one] + [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, list):
            waiting += [(inner, depth + 1) for inner in one]
        elif isinstance(one, int) and not isinstance(one, bool) and abs(one) > 2**63:
            raise ValueError("it holds a whole number of more than 64 bits")
        elif isinstance(one, float) and not abs(one) < float("inf"):
            raise ValueError("it holds a number that is none (NaN or infinite)")
    return value


Text = Annotated[str, AfterValidator(_clean)]
"""Text that both databases can keep."""

Plain = Annotated[JsonValue, AfterValidator(_clean_all)]
"""Plain values that both databases can keep."""


class Model(BaseModel):
    """Of requests and answers: unknown fields of a request are refused, so that none is thought to act."""

    model_config = ConfigDict(extra="forbid")


class ProblemPart(BaseModel):
    """One thing that is wrong."""

    model_config = ConfigDict(extra="allow")

    field: str = Field(description="where, with dots", examples=["config.scene_detection.threshold"])
    message: str
    code: str


class Problem(BaseModel):
    """An error as RFC 9457 has it (``application/problem+json``), and as old clients read it: ``detail``, ``error``."""

    type: str = Field(examples=["urn:videoannotator:problem:job-not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no job 3f1c..."])
    instance: str = Field(examples=["/api/v1/jobs/3f1c..."])
    code: str = Field(description="stable, for programs", examples=["JOB_NOT_FOUND"])
    hint: str | None = Field(description="what to do next", examples=["GET /api/v1/jobs lists yours"])
    request_id: str | None
    errors: list[ProblemPart]
    error: dict[str, Any] = Field(description="the same in the shape of VideoAnnotator 1.x")


PROBLEMS: dict[int, str] = {
    400: "the request cannot be understood, or a run would refuse it",
    401: "no key or token, or one that is wrong",
    403: "the role or the scopes do not allow it",
    404: "not there, or somebody else's",
    405: "not with this method",
    409: "the state it is in does not allow it",
    412: "a condition of the request does not hold",
    413: "too large",
    415: "not this kind of body",
    416: "the range lies outside the file",
    421: "the server does not answer to this name",
    422: "values that do not fit, or a file that is no media file",
    423: "somebody else is at it right now",
    429: "too many requests, or too much of something; Retry-After says when to come back",
    460: "the bytes that arrived are not those that were announced",
    500: "the server failed; its log has the reason under the request id",
    503: "the database does not answer; try again",
    507: "the disk is full",
}


def problems_for(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of a route's errors. Those that every route has are always among them."""
    every = sorted({400, 401, 403, 413, 421, 422, 429, 500, 503, *statuses})
    return {
        status: {
            "description": PROBLEMS.get(status, "a problem"),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in every
    }


Limit = Annotated[int, Query(ge=1, le=200, description="how many at most", examples=[50])]
After = Annotated[
    str | None,
    Query(description="`next_cursor` of the page before; without it, the first page", max_length=500),
]
