"""The description of the API (OpenAPI): what the routes cannot say by themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from videoannotator.serve.access.places import is_public
from videoannotator.serve.api.models import Problem
from videoannotator.serve.api.models_jobs import JobAsked

__all__ = ["install"]

_ABOUT = """Turns videos of people into typed, time-aligned annotations.

Send a video (`POST /videos`), submit a job (`POST /jobs`), follow it (`GET /jobs/{id}/events`), take the result
(`GET /jobs/{id}/results/{pipeline}`, `/artifacts`). Times are seconds on the video's clock; moments are ISO 8601, UTC.
Every error is a problem document (RFC 9457) with a stable `code`, a `hint` what to do next, and the `request_id`.
"""
_REFERENCE = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Let ``app.openapi()`` give the whole description."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way FastAPI documents


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (Problem, JobAsked):
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    schemas.pop("HTTPValidationError", None)  # FastAPI's own shape of 422, which we never send
    schemas.pop("ValidationError", None)
    for schema in schemas.values():
        _examples(schema)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "an API key (`va_...`) or a token"},
        "session": {"type": "apiKey", "in": "cookie", "name": "videoannotator_session"},
    }
    document["security"] = [{"key": []}, {"session": []}]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _problems(operation)
            if is_public(method.upper(), path):
                operation["security"] = []
    return document


def _examples(schema: dict[str, Any]) -> None:
    """What ids and moments look like, where a model does not say it: types alone call both a text."""
    for name, field in schema.get("properties", {}).items():
        kinds = [one.get("type") for one in field.get("anyOf", [field])]
        if "string" not in kinds or "examples" in field or "enum" in field:
            continue
        looks = next((example for ending, example in _LOOKS.items() if f"_{name}".endswith(ending)), None)
        if looks is not None:
            field["examples"] = [looks]


_LOOKS = {
    "_key_id": "3f9a1c5be207",
    "_request_id": "5b0c1b0f7d4e4f6d8f8f0a3f3c1d2e4b",
    "_id": "0b6f4f0e-9a55-4a1b-8a5e-0d6f3f1c2b7a",
    "_at": "2026-11-28T09:30:00.000Z",
    "_timestamp": "2026-11-28T09:30:00.000Z",
    "_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "_filename": "session01.mp4",
}
"""Endings of fields' names, with what stands there; the first that fits."""


def _problems(operation: dict[str, Any]) -> None:
    """Every refusal is a problem document, those of FastAPI included."""
    problem = {"schema": {"$ref": _REFERENCE.format(model="Problem")}}
    responses = operation.get("responses", {})
    for status, response in responses.items():
        own = "content" in response and "HTTPValidationError" not in str(response["content"])
        if status.isdigit() and int(status) >= 400 and not own:
            response["content"] = {"application/problem+json": problem}
    for status, description in _EVERYWHERE.items():
        responses.setdefault(status, {"description": description, "content": {"application/problem+json": problem}})


_EVERYWHERE = {
    "400": "the request cannot be understood",
    "401": "no key or token, or one that is wrong",
    "403": "the role or the scopes do not allow it",
    "413": "too large",
    "422": "values that do not fit",
    "429": "too many requests; Retry-After says when to come back",
    "500": "the server failed; its log has the reason under the request id",
    "503": "the database does not answer; try again",
}
