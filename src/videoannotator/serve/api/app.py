"""The application: routes, middleware and errors put together."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from videoannotator import __version__
from videoannotator.serve.access.requests import without_token
from videoannotator.serve.api import (
    batches,
    describing,
    events,
    jobs,
    keys,
    middleware,
    operators,
    pages,
    pipelines,
    problems,
    results,
    session,
    templates,
    tokens,
    uploads,
    users,
    videos,
)
from videoannotator.serve.api.following import Tail
from videoannotator.serve.service import Service

__all__ = ["PREFIX", "create_app"]

PREFIX = "/api/v1"


class Application(FastAPI):
    """FastAPI, but for this: a token in an address is out of it before anything (a log, a trace) can write it down."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await super().__call__(without_token(scope) if scope["type"] == "http" else scope, receive, send)


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service. Routers are included here, one line each."""
    app = Application(
        title="VideoAnnotator", version=__version__, redirect_slashes=False, docs_url=None, redoc_url=None
    )
    app.state.service = service
    app.state.tail = Tail(service.listing, service.settings.jobs.poll)
    problems.install(app)
    operators.install(app, service, prefix=PREFIX)
    describing.install(app)
    middleware.install(app, service)
    app.include_router(session.router, prefix=PREFIX)
    app.include_router(users.router, prefix=PREFIX)
    app.include_router(keys.router, prefix=PREFIX)
    app.include_router(tokens.router, prefix=PREFIX)
    app.include_router(videos.router, prefix=PREFIX)
    app.include_router(uploads.router, prefix=PREFIX)
    app.include_router(jobs.router, prefix=PREFIX)
    app.include_router(results.router, prefix=PREFIX)
    app.include_router(events.router, prefix=PREFIX)
    app.include_router(pipelines.router, prefix=PREFIX)
    app.include_router(templates.router, prefix=PREFIX)
    app.include_router(batches.router, prefix=PREFIX)
    app.include_router(pages.router)
    return app
