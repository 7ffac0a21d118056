"""Everything for operators, put into an application: what is measured, and the routes that tell it."""

from __future__ import annotations

from fastapi import FastAPI

from videoannotator.serve.api import debug, health, operating, system
from videoannotator.serve.service import Service

__all__ = ["install"]


def install(app: FastAPI, service: Service, *, prefix: str) -> None:
    """Call it before the layers around the application are put there: what is measured is the innermost."""
    operating.install(app, service)
    app.include_router(health.router)
    for router in (health.old_router, system.router, debug.router):
        app.include_router(router, prefix=prefix)
