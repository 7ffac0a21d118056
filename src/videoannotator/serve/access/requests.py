"""What middleware and routes share about the request at hand."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

__all__ = ["REQUEST_ID", "request_id_from"]

REQUEST_ID: ContextVar[str | None] = ContextVar("videoannotator_request_id", default=None)
"""The id of the request that is being answered, for logs; None outside of one."""

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


def request_id_from(given: str | None) -> str:
    """The client's own id if it is harmless in headers and logs (letters, digits, ``. _ : -``), else a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid.uuid4().hex
