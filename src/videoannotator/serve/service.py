"""Everything the server consists of, made from its settings, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from sqlalchemy import Connection

from videoannotator.discover.catalog import Catalog, catalog
from videoannotator.errors import MissingDependencyError
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.jobs import JobStore

__all__ = ["Service"]


@attrs.frozen(kw_only=True, eq=False)
class Service:
    """What routes, workers and commands work with. ``started``: of `time.monotonic`."""

    settings: ServerSettings
    database: Database
    jobs: JobStore
    catalog: Catalog
    started: float = attrs.field(factory=time.monotonic)

    @classmethod
    def of(cls, settings: ServerSettings) -> Service:
        """Open what the settings name. The database must have its tables: see `migrating.upgrade`."""
        database = Database(settings.database_url)
        jobs = JobStore(database, on_pending=_caller(database))
        return cls(settings=settings, database=database, jobs=jobs, catalog=catalog())

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def _caller(database: Database) -> Callable[[Connection, str, int, float], None] | None:
    """On PostgreSQL, workers on any host are called through a queue; on SQLite the dispatcher looks by itself."""
    if database.is_sqlite:
        return None
    try:
        from videoannotator.serve.work.procrastinate_queue import caller
    except ImportError as error:
        raise MissingDependencyError(
            "a server on PostgreSQL needs more packages: pip install 'videoannotator[postgres]'"
        ) from error
    return caller()
