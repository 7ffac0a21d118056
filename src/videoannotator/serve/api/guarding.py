"""Who may come in, how often, and with how much: settled before a byte of the body is read.

Pure ASGI. A refused request is answered at once and its connection closed, whatever it still wanted to send.
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from videoannotator.serve.access.authenticating import Credentials, credentials_in
from videoannotator.serve.access.first import local_principal
from videoannotator.serve.access.limiting import RateLimits, address_of
from videoannotator.serve.access.places import EVENT_STREAM, is_public, is_upload
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.access.requests import URL_TOKEN
from videoannotator.serve.api.problems import refusal
from videoannotator.serve.errors import ForbiddenError, RefusedError, TooLargeError, UnauthorizedError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Limits

__all__ = ["COOKIE", "PAGE_HEADER", "PAGE_NAME", "Bodies", "Guard", "require_own_page"]

COOKIE = "videoannotator_session"
PAGE_HEADER = "x-requested-with"
PAGE_NAME = "videoannotator"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_AT_ONCE = 20
"""Requests whose key is looked up at the same time, in threads of their own: slow routes do not hold up the door."""


class Guard:
    """Finds out who is asking, counts the request, and puts a `Principal` where routes look for it.

    A principal that is there already, put by an application around this one that knows its callers, stands.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self._service = service
        self._required = service.settings.access.required
        self._limits = RateLimits(service.settings.limits.per_key, service.settings.limits.per_address)
        self._limiter: anyio.CapacityLimiter | None = None
        self._local: Principal | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":  # there are none here, and none may come in past this door
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSockets here"})
            return
        if scope["type"] != "http" or "principal" in scope.setdefault("state", {}):
            await self.app(scope, receive, send)
            return
        if scope["path"] in ("/healthz", "/readyz"):  # whoever watches over a server asks often
            await self.app(scope, receive, send)
            return
        address = address_of(scope.get("client"))
        try:
            principal = await self._principal(scope)
        except UnauthorizedError as error:
            await self._refuse(scope, receive, send, self._counted(address, error))
            return
        except RefusedError as error:
            await self._refuse(scope, receive, send, error)
            return
        try:
            standing = self._limits.count(principal, address)
            if principal is not None:
                _allow(scope, principal)
        except RefusedError as error:
            await self._refuse(scope, receive, send, error)
            return
        scope["state"]["principal"] = principal

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in standing.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, sending)

    async def _principal(self, scope: Scope) -> Principal | None:
        """Who is asking; None where nobody needs to be known. Raises `UnauthorizedError` where somebody does."""
        public = is_public(scope["method"], scope["path"])
        try:
            carried = _carried(scope)
            if carried is not None:
                return await self._known(carried)
        except RefusedError:
            if not public and self._required:
                raise
        if not self._required:
            try:
                if self._local is None:
                    self._local = await to_thread.run_sync(local_principal, self._service, limiter=self._threads())
                return self._local
            except RefusedError:  # no database: signs of life are given all the same
                if not public:
                    raise
        if public:
            return None
        raise UnauthorizedError(
            "this needs an API key or a token, and the request carries none",
            code="NO_CREDENTIALS",
            hint="send the header 'Authorization: Bearer va_...'",
            headers={"WWW-Authenticate": "Bearer"},
        )

    async def _known(self, carried: Credentials) -> Principal:
        """Whose they are. The use of a key is written down now and then."""
        service = self._service
        if service.database.is_sqlite and service.authenticator.is_near(carried):  # see `quick`
            principal = service.authenticator.principal(carried)
        else:
            principal = await to_thread.run_sync(service.authenticator.principal, carried, limiter=self._threads())
        if principal.via == "key" and principal.key_id is not None and service.keys.use_is_due(principal.key_id):
            await to_thread.run_sync(service.keys.was_used, principal.key_id, limiter=self._threads())
        return principal

    def _threads(self) -> anyio.CapacityLimiter:
        if self._limiter is None:  # it belongs to the event loop, which is not there yet when this is made
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        return self._limiter

    def _counted(self, address: str, error: UnauthorizedError) -> RefusedError:
        """A request without a valid key counts for its address; beyond what is allowed it is told that instead."""
        try:
            standing = self._limits.count(None, address)
        except RefusedError as too_many:
            return too_many
        error.headers.update(standing.headers)
        return error

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: RefusedError) -> None:
        answer = refusal(Request(scope), error)
        if _has_body(scope):
            answer.headers["Connection"] = "close"  # what is left of the body is not wanted
        await answer(scope, receive, send)


class Bodies:
    """Refuses bodies above the limits: by their announced length, or once more than that has come.

    Uploads may have ``upload_bytes``, everything else ``body_bytes``.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        upload = is_upload(scope["method"], scope["path"], headers.get("content-type", ""))
        most = self._limits.upload_bytes if upload else self._limits.body_bytes
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            await _too_large(scope, receive, send, most)
            return
        counting = _Counting(receive, send, most)
        with suppress(_TooMuchError):
            await self.app(scope, counting.receive, counting.send)
        if counting.exceeded and not counting.started:
            await _too_large(scope, receive, send, most)


class _TooMuchError(Exception):
    """Raised where the body is read, and caught by `Bodies`; whatever is made of it on the way is not sent."""


class _Counting:
    """A request whose body is counted while it is read."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send = receive, send
        self._left = most
        self.exceeded = False
        self.started = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.exceeded = True
                raise _TooMuchError
        return message

    async def send(self, message: Message) -> None:
        if self.exceeded and not self.started:
            return
        self.started = True
        await self._send(message)


async def _too_large(scope: Scope, receive: Receive, send: Send, most: int) -> None:
    error = TooLargeError(
        f"the body of this request is larger than the {most} bytes allowed here",
        hint="videos go to POST /api/v1/videos; an admin can raise limits.upload_bytes and limits.body_bytes",
        headers={"Connection": "close"},
    )
    await refusal(Request(scope), error)(scope, receive, send)


def _carried(scope: Scope) -> Credentials | None:
    """Key or token of a request: from its headers, else of an event stream from its address, else from our cookie."""
    request = Request(scope)
    found = credentials_in(request.headers.get("authorization"), request.headers.get("x-api-key"))
    if found is not None:
        return found
    cookie = request.cookies.get(COOKIE)
    if scope["method"] == "GET" and scope["path"].rstrip("/") == EVENT_STREAM:
        token = scope["state"].get(URL_TOKEN)
        if token and (cookie is None or token.count(".") == 2):
            return Credentials(token, "stream")
    return Credentials(cookie, "session") if cookie else None


def _allow(scope: Scope, principal: Principal) -> None:
    """Raises `ForbiddenError` for what this way of signing in does not cover."""
    request = Request(scope)
    if principal.via == "stream" and principal.job_id not in (None, request.query_params.get("job_id")):
        raise ForbiddenError(
            f"this token opens the events of job {principal.job_id} only",
            code="TOKEN_OF_ANOTHER_JOB",
            hint=f"add job_id={principal.job_id}, or make a token without a job: POST /api/v1/tokens/stream",
        )
    if principal.via in ("session", "local") and scope["method"] not in _SAFE:
        require_own_page(request, header=principal.via == "session")


def require_own_page(request: Request, *, header: bool) -> None:
    """Refuse what another page made a browser send (CSRF). ``header``: ours must be there. Raises `ForbiddenError`."""
    origin = request.headers.get("origin")
    own = origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    if not own and origin not in request.app.state.service.settings.access.origins:
        raise ForbiddenError(
            f"a page of {origin[:100] if origin else 'nowhere'} may not act for who is signed in here",
            code="CROSS_SITE",
            hint="send an API key in the header Authorization instead",
        )
    if header and request.headers.get(PAGE_HEADER, "").lower() != PAGE_NAME:
        raise ForbiddenError(
            f"whoever is signed in by a cookie sends the header '{PAGE_HEADER}: {PAGE_NAME}' with each change",
            code="CROSS_SITE",
            hint="programs send an API key in the header Authorization instead",
        )


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
