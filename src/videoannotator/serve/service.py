"""Everything the server consists of, made from its settings, in one place."""

from __future__ import annotations

import time

import attrs

from videoannotator.discover.catalog import Catalog, catalog
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
        return cls(settings=settings, database=database, jobs=JobStore(database), catalog=catalog())

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()
