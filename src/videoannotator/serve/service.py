"""Everything the server consists of, made from its settings, in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
from sqlalchemy import Connection

from videoannotator.discover.catalog import Catalog, catalog
from videoannotator.errors import MissingDependencyError
from videoannotator.serve.access.authenticating import Authenticator
from videoannotator.serve.access.quotas import Quotas, Streams
from videoannotator.serve.access.tokens import Tokens
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.batches import BatchStore
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.idempotency import IdempotencyStore
from videoannotator.serve.store.jobs import JobStore
from videoannotator.serve.store.keys import KeyStore
from videoannotator.serve.store.listing import JobListing
from videoannotator.serve.store.templates import TemplateStore
from videoannotator.serve.store.uploads import UploadStore
from videoannotator.serve.store.users import UserStore
from videoannotator.serve.store.videos import VideoStore

__all__ = ["Service"]


def _on(store: Callable[[Database], Any]) -> Any:
    """A store on the service's database."""
    return attrs.Factory(lambda service: store(service.database), takes_self=True)


@attrs.frozen(kw_only=True, eq=False)
class Service:
    """What routes, workers and commands work with. ``started``: of `time.monotonic`."""

    settings: ServerSettings
    database: Database
    jobs: JobStore
    catalog: Catalog
    users: UserStore
    keys: KeyStore
    tokens: Tokens
    authenticator: Authenticator
    idempotency: IdempotencyStore
    quotas: Quotas
    streams: Streams
    listing: JobListing = attrs.field(default=_on(JobListing))
    videos: VideoStore = attrs.field(default=_on(VideoStore))
    uploads: UploadStore = attrs.field(default=_on(UploadStore))
    batches: BatchStore = attrs.field(default=_on(BatchStore))
    templates: TemplateStore = attrs.field(default=_on(TemplateStore))
    started: float = attrs.field(factory=time.monotonic)

    @classmethod
    def of(cls, settings: ServerSettings) -> Service:
        """Open what the settings name. The database must have its tables: see `migrating.upgrade`."""
        database = Database(settings.database_url)
        users, keys = UserStore(database), KeyStore(database)
        tokens = Tokens(settings.data_dir, leeway=settings.access.leeway)
        return cls(
            settings=settings,
            database=database,
            jobs=JobStore(database, on_pending=_caller(database)),
            catalog=catalog(),
            users=users,
            keys=keys,
            tokens=tokens,
            authenticator=Authenticator(settings.access, users, keys, tokens),
            idempotency=IdempotencyStore(database),
            quotas=Quotas(database, settings.limits),
            streams=Streams(settings.limits.user_streams),
        )

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
