"""A database that is away, full, or can only be read: what is said meanwhile, and that it needs nothing afterwards."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.serve.conftest import Acting, add_user
from tests.serve.operating import filling
from tests.serve.work.own_postgres import Cluster, own_postgres

from videoannotator.serve import migrating
from videoannotator.serve.api.app import create_app
from videoannotator.serve.errors import DatabaseUnavailable, RefusedError, StorageFullError
from videoannotator.serve.operating import health as looking
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, ServerSettings
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.jobs import Ended, NewJob, ProgressReport
from videoannotator.serve.store.schema import job_results, jobs
from videoannotator.serve.store.workers import WorkerStore

_PROGRESS = ProgressReport(stage="motion", fraction=0.5, frames=10, media_seconds=1.0, eta=2.0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of these tests' own."""
    with own_postgres() as made:
        yield made


def _said(cluster: Cluster, *statements: str) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def service_of(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """A service on a new database that is made as told, with six jobs and a worker."""
    made: list[Service] = []

    def make(name: str, how: str = "") -> Service:
        _said(cluster, f"CREATE DATABASE {name} {how}")
        settings = ServerSettings(
            data_dir=tmp_path / "data",
            database=cluster.url.rpartition("/")[0] + f"/{name}",
            access=Access(hosts=("testserver",)),
        )
        settings.data_dir.mkdir()
        service = Service.of(settings)
        migrating.upgrade(service.database)
        filling.fill(service.database, jobs=6)
        WorkerStore(service.database).arrive("here:1:x", "here", 1, "local", {})
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()
        _said(cluster, f"DROP DATABASE {service.database.url.database} WITH (FORCE)")


def _new() -> NewJob:
    rows = filling.rows(jobs=6)
    text = secrets.token_hex(1500)  # PostgreSQL would press letters that repeat
    return NewJob(owner_id=rows["users"][0]["id"], video_id=rows["videos"][0]["id"], request={"text": text})


@pytest.fixture
def small_place(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB that PostgreSQL may write to, known to it as the tablespace ``small``; needs root."""
    if os.geteuid() != 0:
        pytest.skip("no small disk can be mounted without root")
    folder = cluster.folder / "small"
    folder.mkdir()
    with ExitStack() as stack:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], capture_output=True, text=True
        )
        if made.returncode:
            pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
        stack.callback(subprocess.run, ["umount", "-l", folder], check=True)
        place = folder / "place"
        place.mkdir()
        os.chown(place, cluster.more["user"], cluster.more["group"])
        _said(cluster, f"CREATE TABLESPACE small LOCATION '{place}'")
        yield folder
        _said(cluster, "DROP TABLESPACE small", "CHECKPOINT")  # else it is looked for after the next hard stop


def _fill_up(folder: Path) -> Path:
    """Leave not one byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                while file.write(b"\0" * block):
                    pass
            except OSError:
                block //= 2
    return ballast


def test_full_disk(small_place: Path, service_of: Callable[..., Service]) -> None:
    """As on SQLite: what was acknowledged is there, what was refused is not, and room is all that is needed."""
    service = service_of("crammed", "TABLESPACE small")
    before = set(_ids(service))
    kept: set[str] = set()
    finished: set[str] = set()
    refused: list[RefusedError] = []
    ballast = small_place / "ballast"
    for number in range(150):
        if number == 30:
            ballast = _fill_up(small_place)
        try:
            job = service.jobs.submit(_new())
            kept.add(job.id)
            claim = service.jobs.claim("here:1:x", 30.0, job_id=job.id)
            if claim is not None:
                service.jobs.heartbeat(claim, 30.0, _PROGRESS)
                service.jobs.finish(claim, Ended(state="completed", folder=f"jobs/{job.id}/attempt-1", bytes=1))
                finished.add(job.id)
        except RefusedError as error:
            refused.append(error)
    assert refused, "it never was full: this tests nothing"
    assert finished
    assert {(type(error), error.status) for error in refused} == {(StorageFullError, 507)}
    ballast.unlink()
    kept.add(service.jobs.submit(_new()).id)
    assert set(_ids(service)) - before == kept, "one that was refused is there, or one that was kept is not"
    with service.database.read() as connection:
        assert finished <= set(connection.execute(select(job_results.c.job_id)).scalars())


def _ids(service: Service) -> list[str]:
    with service.database.read() as connection:
        return list(connection.execute(select(jobs.c.id)).scalars())


@pytest.fixture
def client_of_service(monkeypatch: pytest.MonkeyPatch) -> Callable[[Service], TestClient]:
    """An admin's client; health looks each time."""
    monkeypatch.setattr(looking, "_FRESH", 0.0)

    def make(service: Service) -> TestClient:
        app = Acting(create_app(service), add_user(service, "admin"))
        return TestClient(app, raise_server_exceptions=False)

    return make


def _checks(client: TestClient) -> tuple[int, dict[str, str]]:
    answer = client.get("/readyz")
    return answer.status_code, {check["name"]: check["message"] for check in answer.json()["checks"]}


def test_away_and_back(
    cluster: Cluster, service_of: Callable[..., Service], client_of_service: Callable[[Service], TestClient]
) -> None:
    """Whoever asks is told; the process stays alive; when it is there again, everything goes on by itself."""
    client = client_of_service(service_of("away"))
    assert _checks(client)[0] == 200
    listed = client.get("/api/v1/jobs").json()
    for _ in range(2):
        cluster.stop()
        status, told = _checks(client)
        assert status == 503
        assert told["database"].startswith("the database does not answer")
        assert told["disk"].endswith("are free")
        assert client.get("/healthz").status_code == 200
        health = client.get("/api/v1/system/health")
        assert (health.status_code, health.json()["status"]) == (200, "unhealthy")
        refused = client.get("/api/v1/jobs")
        assert (refused.status_code, refused.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        cluster.start()
        assert _checks(client)[0] == 200
        assert client.get("/api/v1/jobs").json() == listed


def test_only_to_be_read(
    cluster: Cluster, service_of: Callable[..., Service], client_of_service: Callable[[Service], TestClient]
) -> None:
    """As a server that follows another is, or one whose disk has failed: lists are shown, jobs are refused for now."""
    service = service_of("reading")
    client = client_of_service(service)
    before = set(_ids(service))
    _said(cluster, "ALTER DATABASE reading SET default_transaction_read_only = on")
    service.database.engine.dispose()  # connections that are made from now on are told
    status, told = _checks(client)
    assert (status, told["database"]) == (503, "it can be read, and not written")
    assert client.get("/api/v1/jobs").status_code == 200
    with pytest.raises(DatabaseUnavailable, match="can only be read") as refused:
        service.jobs.submit(_new())
    assert refused.value.status == 503
    assert set(_ids(service)) == before
    _said(cluster, "ALTER DATABASE reading SET default_transaction_read_only = off")
    service.database.engine.dispose()
    assert _checks(client)[0] == 200
    service.jobs.submit(_new())


def test_no_connection_comes_free(tmp_path: Path) -> None:
    """All are held by somebody for longer than one waits: that is no fault of the one who asks."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    pool = database.engine.pool
    pool._timeout = 0.05  # type: ignore[attr-defined]  # half a minute otherwise
    with ExitStack() as stack:
        for _ in range(pool.size() + pool._max_overflow):  # type: ignore[attr-defined]  # of this kind of pool
            stack.enter_context(database.read())
        with pytest.raises(DatabaseUnavailable, match="none came free"):
            stack.enter_context(database.read())
    with database.read():
        """There is one again."""
    database.close()


def test_sqlite_that_can_only_be_read_says_so(tmp_path: Path) -> None:
    """Not that it does not answer."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrating.upgrade(database)
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")  # of this connection, which goes back into the pool
    with pytest.raises(DatabaseUnavailable, match="can only be read"):
        WorkerStore(database).leave("here:1:x")
    database.close()
