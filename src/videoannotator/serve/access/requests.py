"""What middleware and routes share about the request at hand."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar

__all__ = ["REQUEST_ID", "SECURITY_HEADERS", "request_id_from"]

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

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def request_id_from(given: str | None) -> str:
    """The client's own id if it is harmless in headers and logs (letters, digits, ``. _ : -``), else a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid.uuid4().hex
