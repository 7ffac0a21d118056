"""Routes that read a few rows."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from starlette.concurrency import run_in_threadpool

from videoannotator.serve.service import Service

__all__ = ["quick"]

P = ParamSpec("P")
T = TypeVar("T")


def quick(endpoint: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """A route that only reads, and little: ``service`` must be among its parameters.

    With SQLite it is called at once, by the event loop: what it reads lies in this process or in the memory of the
    disk, and readers wait for no writer (WAL). Each step into a thread and back costs a busy server ten times as much
    as the reading, because both compete for the interpreter. A database elsewhere is waited for in a thread.
    """

    @functools.wraps(endpoint)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        service: Service = cast("dict[str, Any]", kwargs)["service"]
        if service.database.is_sqlite:
            return endpoint(*args, **kwargs)
        return await run_in_threadpool(endpoint, *args, **kwargs)

    return answered
