"""What the routes for operators share, and the layer that measures every request."""

from __future__ import annotations

import time
from typing import Annotated, Any

import attrs
from fastapi import Depends, FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from videoannotator.serve.operating.health import Health
from videoannotator.serve.operating.machine import Cards
from videoannotator.serve.operating.metrics import Metrics
from videoannotator.serve.service import Service

__all__ = ["Measuring", "Operating", "Watching", "install"]


@attrs.frozen(eq=False)
class Watching:
    """What this server knows of itself."""

    health: Health
    metrics: Metrics
    cards: Cards


def install(app: FastAPI, service: Service) -> None:
    """Have an application measured; call it before the other layers are put around it, so that it is the innermost."""
    app.state.watching = Watching(Health(service), Metrics(service), Cards())
    app.add_middleware(Measuring, metrics=app.state.watching.metrics)


async def watching(request: Request) -> Watching:
    """See `Watching`."""
    found: Watching = request.app.state.watching
    return found


Operating = Annotated[Watching, Depends(watching)]


class Measuring:
    """Counts every request that came in under the template of its route, never under its path: paths have no end."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status: list[int] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not status:
                status.append(message["status"])
                self._metrics.seconds.labels(_method(scope), _route(scope)).observe(time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            code = str(status[0]) if status else "none"
            self._metrics.requests.labels(_method(scope), _route(scope), code).inc()


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The template of the whole path. FastAPI keeps it apart from the route since it includes routers by reference."""
    context: Any = (scope.get("fastapi") or {}).get("effective_route_context") or scope.get("route")
    return getattr(context, "path", None) or "none"
