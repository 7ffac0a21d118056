"""What every request passes through, from outside to inside."""

from __future__ import annotations

from fastapi import FastAPI

from videoannotator.serve.api.guarding import Bodies, Guard
from videoannotator.serve.api.outermost import Hosts, Origins, Outermost
from videoannotator.serve.service import Service

__all__ = ["install"]


def install(app: FastAPI, service: Service) -> None:
    """Put the layers around an application. The last one added is the outermost."""
    settings = service.settings
    app.add_middleware(Bodies, limits=settings.limits)
    app.add_middleware(Guard, service=service)
    if settings.access.origins:
        app.add_middleware(Origins, origins=settings.access.origins)
    app.add_middleware(Hosts, names=settings.access.hosts, bound=settings.host)
    app.add_middleware(Outermost)
