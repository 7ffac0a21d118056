"""What the tests of access share: somebody with a key, and a client that comes in through the real door."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from starlette.testclient import TestClient

from videoannotator.serve.access.principals import Role, Scope, scopes_of
from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, Limits, ServerSettings
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.keys import Key
from videoannotator.serve.store.schema import metadata
from videoannotator.serve.store.users import User

PLENTY = Limits(per_key="100000/minute", per_address="100000/minute")
PAGE = {"X-Requested-With": "videoannotator"}


@attrs.frozen
class Somebody:
    """A user with a key."""

    user: User
    key: Key
    secret: str

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says so."""
        return {"Authorization": f"Bearer {self.secret}"}


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """Of a server that counts requests, and allows plenty."""
    return ServerSettings(data_dir=tmp_path / "data", limits=PLENTY, access=Access(hosts=("testserver",)))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "server.db"
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.engine)
    database.close()
    return path


@pytest.fixture
def serving(empty_database: Path) -> Iterator[Callable[[ServerSettings], Service]]:
    """Makes services of settings, with their tables."""
    made: list[Service] = []

    def make(settings: ServerSettings) -> Service:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty_database, settings.data_dir / "server.db")
        service = Service.of(settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(serving: Callable[[ServerSettings], Service], settings: ServerSettings) -> Service:
    """On SQLite."""
    return serving(settings)


@pytest.fixture
def door(service: Service) -> Iterator[TestClient]:
    """A client that nobody vouches for."""
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def somebody(service: Service) -> Callable[..., Somebody]:
    """``somebody("researcher")``: a new user of that role with a key."""

    def make(
        role: Role = "researcher", *, scopes: tuple[Scope, ...] | None = None, name: str | None = None
    ) -> Somebody:
        return with_key(service, role, scopes=scopes, name=name)

    return make


def with_key(
    service: Service, role: Role, *, scopes: tuple[Scope, ...] | None = None, name: str | None = None
) -> Somebody:
    """A new user of a role with a key."""
    count = len(service.users.page())
    user = service.users.add(name or f"{role} {count}", role)
    key, secret = service.keys.create(user.id, "test", scopes_of(role) if scopes is None else scopes)
    return Somebody(user, key, secret)
