"""The outer layers of every request: its id, its line in the log, what browsers are told, which hosts and origins may.

Pure ASGI: nothing here reads a body or holds an answer back.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from videoannotator.serve.access.requests import REQUEST_ID, SECURITY_HEADERS, request_id_from
from videoannotator.serve.api.problems import problem

__all__ = ["Hosts", "Origins", "Outermost"]

_log = logging.getLogger("videoannotator.serve.requests")


class Outermost:
    """Gives a request its id, every answer `SECURITY_HEADERS` (unless the answer brings its own), and the log a line.

    The line names no query: it may hold a token. ``request.state.request_id`` and `REQUEST_ID` have the id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_from(Headers(scope=scope).get("x-request-id"))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        token = REQUEST_ID.set(request_id)
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            principal = state.get("principal")
            _log.info(
                "%s %s %s in %.0f ms for %s at %s",
                scope["method"],
                quote(scope["path"]),
                status or "failed",
                (time.perf_counter() - began) * 1000,
                "nobody known" if principal is None else repr(principal.name),
                scope["client"][0] if scope.get("client") else "unknown",
            )
            REQUEST_ID.reset(token)


class Hosts:
    """Answers only to its own names, so that no stranger's name can be made to point here (DNS rebinding).

    Own names are ``names``, or (none given) this machine's; ``localhost`` and plain addresses always are. Signs of life
    are given to anybody.
    """

    def __init__(self, app: ASGIApp, names: tuple[str, ...], bound: str) -> None:
        self.app = app
        own = names or (bound, socket.gethostname(), socket.getfqdn())
        self.names = frozenset({"localhost", *(name.lower().rstrip(".") for name in own)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"] in ("/healthz", "/readyz"):
            await self.app(scope, receive, send)
            return
        host = _name_of(Headers(scope=scope).get("host", ""))
        if host in self.names or _is_address(host):
            await self.app(scope, receive, send)
            return
        answer = problem(
            Request(scope),
            421,
            "HOST_NOT_ALLOWED",
            f"this server does not answer to the name {host[:100]!r}",
            hint="use its own name, or add this one to access.hosts in its settings",
        )
        await answer(scope, receive, send)


class Origins(CORSMiddleware):
    """Pages of exactly these origins may call, with a key of their own; cookies are for our own page alone."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=_ASKED,
            expose_headers=_TOLD,
            allow_credentials=False,
            max_age=600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """As Starlette answers, in our form when the answer is no."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        scope: Scope = {"type": "http", "method": "OPTIONS", "path": "", "query_string": b"", "headers": []}
        text = bytes(answer.body).decode()
        hint = "the origins that may call are access.origins in the settings of the server"
        refused = problem(Request(scope), answer.status_code, "ORIGIN_NOT_ALLOWED", text, hint=hint)
        refused.headers["Vary"] = "Origin"
        return refused


_ASKED = (
    "Authorization",
    "Content-Disposition",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "traceparent",
    "Tus-Resumable",
    "Upload-Checksum",
    "Upload-Length",
    "Upload-Metadata",
    "Upload-Offset",
    "X-API-Key",
    "X-Request-ID",
    "X-Requested-With",
)
_TOLD = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Offset",
    "X-Request-ID",
)


def _name_of(host: str) -> str:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return host
    return (name or "").rstrip(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
