"""What middleware and routes share about the request at hand."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["REQUEST_ID", "SECURITY_HEADERS", "URL_TOKEN", "request_id_from", "without_token"]

REQUEST_ID: ContextVar[str | None] = ContextVar("videoannotator_request_id", default=None)
"""The id of the request that is being answered, for logs; None outside of one."""

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What browsers are told with every answer."""

URL_TOKEN = "url_token"  # noqa: S105 - a name, no secret
"""Where `without_token` puts what it takes out of the address: a key of the request's state."""

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def request_id_from(given: str | None) -> str:
    """The client's own id if it is harmless in headers and logs (letters, digits, ``. _ : -``), else a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid.uuid4().hex


def without_token(scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The scope of a request (ASGI) without ``token`` in its query: logs and traces write addresses down.

    The token is in the state, under `URL_TOKEN`, where only we look.
    """
    query: bytes = scope.get("query_string", b"")
    pairs = [(part, part.partition(b"=")) for part in query.split(b"&")]
    named = [unquote_plus(name.decode("latin-1")) == "token" for _, (name, _, _) in pairs]
    if not any(named):
        return scope
    kept = b"&".join(part for (part, _), found in zip(pairs, named, strict=True) if not found)
    value = next(value for (_, (_, _, value)), found in zip(pairs, named, strict=True) if found)
    state = {**scope.get("state", {}), URL_TOKEN: unquote_plus(value.decode("latin-1"))}
    return {**scope, "query_string": kept, "state": state}
