"""What to say when a command needs packages that are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from videoannotator.errors import MissingDependencyError

__all__ = ["needing_the_server"]

_EXTRAS = {
    "server": (
        "alembic",
        "fastapi",
        "jwt",
        "limits",
        "prometheus_client",
        "pydantic",
        "python_multipart",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
    ),
    "postgres": ("procrastinate", "psycopg", "psycopg_pool"),
    "tracing": ("opentelemetry",),
}


@contextmanager
def needing_the_server() -> Iterator[None]:
    """Around what imports the server. Raises `MissingDependencyError` that says what to type."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        for extra, packages in _EXTRAS.items():
            if missing in packages:
                raise MissingDependencyError(
                    f"this needs {missing}, which is not installed; type: pip install 'videoannotator[{extra}]'"
                ) from error
        raise
