"""What routes ask for: the service, who is calling, and whether that one may.

None of it waits for anything: as coroutines they need no thread, and a request has several of them.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.errors import UnauthorizedError
from videoannotator.serve.service import Service

__all__ = ["Admin", "Anybody", "Reader", "Serving", "Writer"]


async def serving(request: Request) -> Service:
    """The service behind this application."""
    return cast("Service", request.app.state.service)


async def anybody(request: Request) -> Principal:
    """Who is calling: somebody with a valid key or token, found by the middleware before the body is read."""
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None:
        raise UnauthorizedError(
            "this needs an API key or a token",
            hint="send the header 'Authorization: Bearer va_...'",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return principal


Anybody = Annotated[Principal, Depends(anybody)]


async def reader(principal: Anybody) -> Principal:
    """One who may read media and results."""
    principal.require("read")
    return principal


async def writer(principal: Anybody) -> Principal:
    """One who may upload, run, change and delete their own."""
    principal.require("write")
    return principal


async def admin(principal: Anybody) -> Principal:
    """One who may do everything."""
    principal.require("admin")
    return principal


Serving = Annotated[Service, Depends(serving)]
Reader = Annotated[Principal, Depends(reader)]
Writer = Annotated[Principal, Depends(writer)]
Admin = Annotated[Principal, Depends(admin)]
