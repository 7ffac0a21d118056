"""Errors as answers: RFC 9457 problem documents that old clients can read, too.

``type`` (a URI that names the kind), ``title``, ``status``, ``detail`` (text, at the top, where old clients look),
``instance``, and as extensions ``code`` (stable), ``hint`` (what to do next), ``request_id``, ``errors`` (what is wrong
where) and ``error`` (the predecessor's object).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from videoannotator.errors import ConfigError, MediaError, PluginError, VideoAnnotatorError
from videoannotator.serve.access.requests import SECURITY_HEADERS
from videoannotator.serve.errors import InvalidConfigError, MediaRefusedError, RefusedError

__all__ = ["install", "problem", "refusal"]

_log = logging.getLogger(__name__)

_TITLES = {460: "Checksum Mismatch"}
"""Of statuses that only tus knows."""

_CODES = {400: "INVALID_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    hint: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document."""
    document: dict[str, Any] = {
        "type": f"urn:videoannotator:problem:{code.lower().replace('_', '-')}",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "hint": hint,
        "request_id": getattr(request.state, "request_id", None),
        "errors": errors or [],
        "error": {
            "code": code,
            "message": detail,
            "detail": detail,
            "hint": hint,
            "timestamp": datetime.now(UTC).isoformat(),
        },
    }
    return JSONResponse(_shown(document), status, headers=headers, media_type="application/problem+json")


def _allowed(app: FastAPI, path: str) -> list[str]:
    """Every method that an address takes. Starlette tells those of the first route with it only."""
    found = set()
    for route in iter_route_contexts(app.routes):
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(path):
            found |= set(route.methods or ())
    return sorted(found)


def _shown(value: Any) -> Any:
    """Plain values without halves of characters, which a client may send and no answer can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_shown(key): _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return value


def refusal(request: Request, error: RefusedError) -> JSONResponse:
    """The problem document of an error of ours; middleware answers with it, too."""
    return problem(
        request,
        error.status,
        error.stable_code,
        str(error),
        hint=error.hint,
        errors=list(error.details),
        headers=error.headers,
    )


def install(app: FastAPI) -> None:
    """Make every error of this application a problem document."""

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return refusal(request, error)

    @app.exception_handler(VideoAnnotatorError)
    async def library(request: Request, error: VideoAnnotatorError) -> JSONResponse:
        kind = (
            MediaRefusedError
            if isinstance(error, MediaError)
            else InvalidConfigError
            if isinstance(error, ConfigError | PluginError)
            else RefusedError
        )
        return problem(request, kind.status, kind.code, str(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, f"HTTP_{error.status_code}")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(app, request.url.path))
        return problem(request, error.status_code, code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"field": ".".join(map(str, one["loc"])), "message": one["msg"], "msg": one["msg"], "code": one["type"]}
            for one in error.errors()
        ]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
        return problem(request, 422, "VALIDATION_ERROR", detail, errors=errors)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        detail = "the server failed at this request; its log has the reason, under this request's id"
        headers = dict(SECURITY_HEADERS)  # this answer is made outside of all our layers
        if request_id := getattr(request.state, "request_id", None):
            headers["X-Request-ID"] = request_id
        return problem(request, 500, "INTERNAL_ERROR", detail, headers=headers)
