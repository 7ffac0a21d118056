"""The log of the server: one line for each event, as text or JSON, on standard error.

Every line, also those of libraries, carries what is known where it was written: ``request_id``, ``job_id``,
``attempt``, ``trace_id``. Processes that execute jobs write through their parent, which knows the job. What looks like
a key or a token is blotted out, wherever it comes from.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from videoannotator.serve.access.requests import REQUEST_ID
from videoannotator.serve.operating.tracing import current_trace

__all__ = ["about", "install", "without_secrets"]

_SECRETS = (
    (re.compile(r"\bva_[A-Za-z0-9]{4,}_?[A-Za-z0-9_-]{16,}"), "va_***"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?"), "eyJ***"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    (re.compile(r"(?i)([?&](?:token|key|api_key|access_token)=)[^&\s\"']+"), r"\1***"),
    (re.compile(r"(://[^/\s:@\"']+:)[^/\s@\"']+(@)"), r"\1***\2"),  # a password in a URL
)
_QUIET = {"sqlalchemy": "WARNING", "alembic": "WARNING", "procrastinate": "INFO", "uvicorn.access": "WARNING"}


def without_secrets(text: str) -> str:
    """``text`` without what looks like an API key, a token or a password in a URL."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


@contextmanager
def about(**known: Any) -> Iterator[None]:
    """Every line that is written inside carries this, too: ``with about(job_id=..., attempt=...)``."""
    with structlog.contextvars.bound_contextvars(**known):
        yield


def install(form: str = "text", level: str = "info", *, stream: TextIO | None = None) -> None:
    """Have everything that is logged in this process come out here, once. ``form``: text or json."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        _Formatter(
            foreign_pre_chain=_CHAIN,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_render(form)],
        )
    )
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # its own handlers would write everything twice
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger(name).propagate = True
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(least), root.level))
    logging.captureWarnings(True)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """As the last thing, secrets go: also those in the texts of errors."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _where(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Which request this belongs to, and which trace."""
    request = REQUEST_ID.get()
    if request is not None:
        event.setdefault("request_id", request)
    trace = current_trace()
    if trace is not None:
        event.setdefault("trace_id", trace)
    event.pop("color_message", None)  # uvicorn's, for terminals
    return event


_CHAIN: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.stdlib.ExtraAdder(),
    _where,
]


def _render(form: str) -> list[Any]:
    if form == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    return [structlog.processors.format_exc_info, _text]


def _text(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
    """``time LEVEL logger: message  key=value ...``, then the error, if there is one."""
    error = event.pop("exception", None)
    line = f"{event.pop('time')} {event.pop('level').upper()} {event.pop('logger')}: {event.pop('event')}"
    line = line.replace("\n", "\n  ")
    known = " ".join(f"{key}={value}" for key, value in event.items())
    return "".join([line, f"  [{known}]" if known else "", f"\n{error}" if error else ""])
