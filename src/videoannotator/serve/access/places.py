"""Which addresses need no key, and which take large bodies. Everything that is not named here needs a key."""

from __future__ import annotations

import re

__all__ = ["EVENT_STREAM", "is_public", "is_upload"]

EVENT_STREAM = "/api/v1/events/stream"

_PUBLIC = frozenset(
    {
        ("GET", "/"),
        ("GET", "/favicon.ico"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/health"),
        ("GET", "/api/v1/health"),
        ("GET", "/api/v1/system/health"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/redoc"),
        ("GET", "/page"),
        ("GET", "/viewer"),
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
    }
)
_PUBLIC_FOLDERS = ("/page/", "/viewer/", "/docs/")

_UPLOADS = (
    re.compile(r"POST /api/v1/videos"),
    re.compile(r"PUT /api/v1/videos/[^/]+"),
    re.compile(r"POST /api/v1/uploads"),
    re.compile(r"PATCH /api/v1/uploads/[^/]+"),
)
_FORM = re.compile(r"POST /api/v1/jobs")


def is_public(method: str, path: str) -> bool:
    """Whether a request needs no key: the page itself, its sign-in, the description of the API, signs of life."""
    method = "GET" if method == "HEAD" else method
    plain = path if path == "/" or "//" in path else path.removesuffix("/")
    return (method, plain) in _PUBLIC or (method == "GET" and path.startswith(_PUBLIC_FOLDERS))


def is_upload(method: str, path: str, content_type: str) -> bool:
    """Whether a request may carry a video: a raw body, a part of a resumable one, or the form of old clients."""
    request = f"{method} {path.rstrip('/')}"
    if any(pattern.fullmatch(request) for pattern in _UPLOADS):
        return True
    return bool(_FORM.fullmatch(request)) and content_type.lower().startswith("multipart/form-data")
