"""The application: routes, middleware and errors put together."""

from __future__ import annotations

from fastapi import FastAPI

from videoannotator import __version__
from videoannotator.serve.api import (
    debug,
    health,
    keys,
    middleware,
    operating,
    problems,
    session,
    system,
    tokens,
    users,
)
from videoannotator.serve.service import Service

__all__ = ["PREFIX", "create_app"]

PREFIX = "/api/v1"


def create_app(service: Service) -> FastAPI:
    """The ASGI application of a service. Routers are included here, one line each."""
    app = FastAPI(title="VideoAnnotator", version=__version__, redirect_slashes=False)
    app.state.service = service
    problems.install(app)
    operating.install(app, service)
    middleware.install(app, service)
    app.include_router(health.router)
    app.include_router(health.old_router, prefix=PREFIX)
    app.include_router(system.router, prefix=PREFIX)
    app.include_router(debug.router, prefix=PREFIX)
    app.include_router(session.router, prefix=PREFIX)
    app.include_router(users.router, prefix=PREFIX)
    app.include_router(keys.router, prefix=PREFIX)
    app.include_router(tokens.router, prefix=PREFIX)
    return app
