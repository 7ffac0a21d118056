"""What the server's tests share: databases, a service on a fresh data folder, clients that act as somebody."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, exc, insert, make_url, text
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from videoannotator.serve import migrating
from videoannotator.serve.access.principals import SCOPES, Principal, Role
from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, ServerSettings
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.queue_schema import apply_queue_schema
from videoannotator.serve.store.schema import metadata, users

POSTGRES = os.environ.get("VIDEOANNOTATOR_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")


@contextmanager
def _own_database() -> Iterator[str]:
    """An empty PostgreSQL database while the block lasts; skips, saying so, where no server answers."""
    there = make_url(POSTGRES).set(drivername="postgresql+psycopg")
    server = create_engine(there, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    name = f"va_test_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
    except exc.SQLAlchemyError as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES} (VIDEOANNOTATOR_TEST_POSTGRES names another): {error}")
    yield there.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


@pytest.fixture
def blank_postgres() -> Iterator[str]:
    """The address of a PostgreSQL database in which nothing is, no table either."""
    with _own_database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this session's own, with all tables."""
    with _own_database() as url:
        engine = create_engine(url)
        metadata.create_all(engine)
        engine.dispose()
        database = Database(url)
        with database.write() as connection:
            apply_queue_schema(connection)
        database.close()
        yield url


def _emptied(database: Database) -> None:
    names = ", ".join([*(f'"{table.name}"' for table in metadata.sorted_tables), "procrastinate_jobs"])
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@pytest.fixture
def empty_postgres(postgres_url: str) -> None:
    """Nothing is in the database of `postgres_url`."""
    database = Database(postgres_url)
    _emptied(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database with all tables: one test on SQLite, the same on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.db'}"
        database = Database(url)
        metadata.create_all(database.engine)
    else:
        url = str(request.getfixturevalue("postgres_url"))
        database = Database(url)
        _emptied(database)
    database.close()
    return url


@pytest.fixture
def databases(database_url: str) -> Iterator[Database]:
    """An empty database with all tables, open: see `database_url`."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """Of a server whose everything is in a fresh folder."""
    return ServerSettings(data_dir=tmp_path / "data", access=Access(hosts=("testserver",)))


@pytest.fixture
def service(settings: ServerSettings) -> Iterator[Service]:
    """A service on SQLite, its tables made."""
    made = Service.of(settings)
    migrating.upgrade(made.database)
    yield made
    made.close()


def add_user(service: Service, role: Role, name: str | None = None) -> Principal:
    """A user's row, and that user as the one who asks, with every scope."""
    user = str(uuid.uuid4())
    name = name or f"{role}-{user[:8]}"
    with service.database.write() as connection:
        connection.execute(insert(users).values(id=user, name=name, role=role, active=True, created_at=moment()))
    return Principal(user_id=user, name=name, role=role, scopes=frozenset(SCOPES))


class Acting:
    """An application that takes every request as one of ``principal``: for tests of routes, not of access."""

    def __init__(self, app: ASGIApp, principal: Principal | None) -> None:
        self.app, self.principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        scope.setdefault("state", {})
        if self.principal is not None:
            scope["state"]["principal"] = self.principal
        await self.app(scope, receive, send)


@pytest.fixture
def app(service: Service) -> Any:
    """The application of `service`."""
    return create_app(service)


@pytest.fixture
def client_of(service: Service, app: Any) -> Iterator[Callable[..., TestClient]]:
    """``client_of("researcher")``: a client that acts as a new user of that role; ``client_of(None)``: as nobody."""
    opened: list[TestClient] = []

    def make(role: Role | None, name: str | None = None) -> TestClient:
        principal = None if role is None else add_user(service, role, name)
        client = TestClient(Acting(app, principal), raise_server_exceptions=False)
        client.principal = principal  # type: ignore[attr-defined]  # tests look at whose the rows are
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def client(client_of: Callable[..., TestClient]) -> TestClient:
    """A client that acts as an admin."""
    return client_of("admin")
