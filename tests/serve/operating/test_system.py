"""What an operator asks a server: alive, ready, how it is, in numbers that are true."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, text, update
from starlette.testclient import TestClient
from tests.serve.operating import filling

from videoannotator.errors import PluginLoadError
from videoannotator.run.hardware import Card
from videoannotator.serve.errors import DatabaseUnavailable
from videoannotator.serve.operating import health as looking
from videoannotator.serve.operating import machine
from videoannotator.serve.operating.health import Check, Health
from videoannotator.serve.operating.machine import Cards
from videoannotator.serve.operating.metrics import Metrics
from videoannotator.serve.service import Service
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import Ended, NewJob
from videoannotator.serve.store.schema import workers
from videoannotator.serve.store.workers import WorkerStore


def _by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.fixture(autouse=True)
def looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is true now is told now, without the second for which an answer is good."""
    monkeypatch.setattr(looking, "_FRESH", 0.0)


@pytest.fixture
def working(service: Service) -> Service:
    """A service that has a worker."""
    service.settings.data_dir.mkdir(exist_ok=True)
    WorkerStore(service.database).arrive("here:1:x", "here", 1, "local", {})
    return service


def test_alive_looks_at_nothing(working: Service, client_of: Callable[..., TestClient]) -> None:
    """A restart mends neither a disk nor a database; this needs no key."""
    working.database.close()
    shutil.rmtree(working.settings.data_dir)
    answer = client_of(None).get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_ready_says_what_it_looked_at(working: Service, client_of: Callable[..., TestClient]) -> None:
    """Database, disk, workers; no key."""
    answer = client_of(None).get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert {one["name"]: one["status"] for one in answer.json()["checks"]} == {
        "database": "ok",
        "disk": "ok",
        "workers": "ok",
    }


def test_not_ready_without_worker(working: Service, client_of: Callable[..., TestClient]) -> None:
    """Gone, or not seen for a lease: jobs would wait."""
    client = client_of(None)
    with working.database.write() as connection:
        connection.execute(update(workers).values(seen_at=moment() - 40.0))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "no worker has been seen for 40 s" in str(answer.json())
    WorkerStore(working.database).leave("here:1:x")
    assert "no worker is there" in str(client.get("/readyz").json())
    WorkerStore(working.database).arrive("here:2:y", "here", 2, "local", {})
    assert client.get("/readyz").status_code == 200


def test_not_ready_without_database(working: Service, client_of: Callable[..., TestClient]) -> None:
    """The reason is told; when it is back, nothing has to be done."""
    client = client_of(None)
    with working.database.write() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO away"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    with working.database.write() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO jobs"))
    assert client.get("/readyz").status_code == 200


def test_database_that_hangs_keeps_nobody_waiting(working: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is asked once, however often somebody wants to know."""
    asked = threading.Semaphore(0)
    go_on = threading.Event()

    def hang(self: Health) -> Check:
        asked.release()
        go_on.wait(20)
        return Check("database", "ok", "late")

    monkeypatch.setattr(Health, "_database", hang)
    health = Health(working, patience=0.2)
    began = time.monotonic()
    for _ in range(3):
        assert _by_name(health.checks())["database"].message.startswith("no answer for")
    assert time.monotonic() - began < 5
    assert asked.acquire(timeout=1)
    assert not asked.acquire(timeout=0.1)
    go_on.set()


def test_asking_often_looks_once(working: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not much later what has changed is told."""
    monkeypatch.setattr(looking, "_FRESH", 0.3)
    health, looks = Health(working), []
    event.listen(working.database.engine, "before_cursor_execute", lambda *told: looks.append(told[2]))
    began = time.process_time()
    for _ in range(300):
        assert _by_name(health.checks())["workers"].works
    assert time.process_time() - began < 300 * 0.002
    assert len([look for look in looks if "FROM workers" in look]) <= 2
    WorkerStore(working.database).leave("here:1:x")
    time.sleep(0.35)
    assert not _by_name(health.checks())["workers"].works


def test_disk(working: Service) -> None:
    """Warned of below what uploads need; failing where it cannot be written to."""
    full = attrs.evolve(working.settings, limits=attrs.evolve(working.settings.limits, free_bytes=2**60))
    assert _by_name(Health(attrs.evolve(working, settings=full)).checks())["disk"].status == "warning"
    gone = attrs.evolve(working.settings, data_dir=working.settings.data_dir / "gone")
    assert not _by_name(Health(attrs.evolve(working, settings=gone)).checks())["disk"].works


def test_health_as_older_clients_read_it(working: Service, client_of: Callable[..., TestClient]) -> None:
    """The viewer reads `uptime_seconds` and `security.auth_required`; what the machine has is for who shows a key."""
    told = client_of(None).get("/api/v1/system/health").json()
    assert told["status"] == "healthy"
    assert told["security"] == {"auth_required": True}
    assert told["uptime_seconds"] >= 0
    assert set(told["pipelines"]["names"]) == set(working.catalog.pipelines)
    assert told["system"] is told["gpu"] is None
    known = client_of("guest").get("/api/v1/system/health").json()
    assert known["system"]["memory"]["total"] > known["system"]["memory"]["available"] > 0
    assert known["system"]["disk"]["total"] == shutil.disk_usage(working.settings.data_dir).total
    for address in ("/health", "/api/v1/health"):
        plain = client_of(None).get(address)
        assert (plain.status_code, plain.json()["status"], plain.json()["details"]) == (200, "ok", None)
        detailed = client_of(None).get(address, params={"detailed": True})
        assert (detailed.status_code, detailed.json()["details"]["database"]["status"]) == (200, "ok")
    WorkerStore(working.database).leave("here:1:x")
    assert client_of(None).get("/health", params={"detailed": True}).status_code == 503
    assert client_of(None).get("/api/v1/system/health").json()["status"] == "unhealthy"


def _job(service: Service, ended: Ended | None = None) -> str:
    with service.database.read() as connection:
        owner, video = connection.execute(text("SELECT owner_id, id FROM videos")).first()  # type: ignore[misc]
    job = service.jobs.submit(NewJob(owner_id=owner, video_id=video, request={}))
    if ended is not None:
        claim = service.jobs.claim("here:1:x", 30.0, job_id=job.id)
        assert claim is not None
        service.jobs.finish(claim, ended)
    return job.id


_SUMMARY = {
    "media": {"duration": 12.5},
    "pipelines": {"motion": {"seconds": 3.0, "cached": False}, "faces": {"seconds": 0.1, "cached": True}},
}


def _scraped(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def test_metrics_of_jobs(working: Service) -> None:
    """Counted once each, whoever executed them; what the cache had takes no time."""
    filling.fill(working.database, jobs=12)
    metrics = Metrics(working)

    def told(name: str, **labels: str) -> float:
        return _scraped(metrics).get((f"videoannotator_{name}", frozenset(labels.items())), 0.0)

    assert told("jobs", state="pending") == 2
    assert told("jobs_ended_total", state="completed") == 0, "they ended before this server began"
    for _ in range(3):
        _job(working, Ended(state="completed", folder="f", bytes=7, summary=_SUMMARY))
    _job(working, Ended(state="failed", error_code="CRASHED"))
    for _ in range(2):  # asking again counts nothing twice
        assert told("jobs_ended_total", state="completed") == 3
        assert told("jobs_ended_total", state="failed") == 1
        assert told("job_attempts_total") == 4
        assert told("pipeline_seconds_count", pipeline="motion") == 3
        assert told("pipeline_seconds_sum", pipeline="motion") == 9.0
        assert told("pipeline_seconds_count", pipeline="faces") == 0
        assert told("media_seconds_total") == 37.5
    _job(working)
    assert told("jobs", state="pending") == 3
    assert told("queue_age_seconds") > 1e6, "the fixture's job waits since 1970"
    assert told("workers") == 1
    assert told("result_bytes") == 3 * 7 + 4 * 10
    assert told("database_up") == 1
    assert told("disk_free_bytes") > 0


def test_metrics_follow_more_than_one_block(working: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ended between two scrapes."""
    filling.fill(working.database, jobs=1)
    monkeypatch.setattr("videoannotator.serve.operating.metrics._AT_ONCE", 3)
    metrics = Metrics(working)
    for number in range(10):
        _job(working, Ended(state="completed"))
        if number == 4:
            metrics.text()
    assert _scraped(metrics)["videoannotator_job_attempts_total", frozenset()] == 10


def test_metrics_without_database(working: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be told is told, and what cannot is left out, not invented."""
    metrics = Metrics(working)

    def away(self: Database) -> Any:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(Database, "read", away)
    told = _scraped(metrics)
    assert told["videoannotator_database_up", frozenset()] == 0
    assert not [name for name, _ in told if name == "videoannotator_jobs"]


def test_requests_are_counted_by_route(working: Service, client: TestClient) -> None:
    """Never by path: somebody who tries a million paths must not fill the memory."""
    for number in range(5):
        client.get(f"/nowhere/{number}")
        client.get("/api/v1/system/info")
        client.get(f"/api/v1/debug/jobs/{number}")
    client.request("BREW", "/healthz")
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (one.labels["method"], one.labels["route"], one.labels["status"]): one.value
        for family in text_string_to_metric_families(told.text)
        for one in family.samples
        if one.name == "videoannotator_http_requests_total"
    }
    assert found["GET", "none", "404"] == 5
    assert found["GET", "/api/v1/system/info", "200"] == 5
    assert found["GET", "/api/v1/debug/jobs/{job_id}", "410"] == 5
    assert [status for method, _, status in found if method == "other"] == ["405"]
    assert client.get("/api/v1/system/metrics").json()["metrics"]["api_requests_total"] == 17


@pytest.mark.parametrize(
    "address",
    ["/metrics", *(f"/api/v1/system/{name}" for name in ("metrics", "config", "database", "storage", "workers")),
     "/api/v1/debug/server-info", "/api/v1/debug/background-jobs", "/api/v1/debug/request-log"],
)  # fmt: skip
def test_numbers_of_all_users_are_for_admins(
    working: Service, client_of: Callable[..., TestClient], address: str
) -> None:
    """Nobody else, also not an analyst."""
    assert client_of("analyst").get(address).status_code == 403
    assert client_of("admin").get(address).status_code in (200, 410)


def test_true_numbers(working: Service, client: TestClient) -> None:
    """The same as the rows say."""
    rows = filling.fill(working.database, jobs=12)
    counts = client.get("/api/v1/system/metrics").json()["metrics"]
    assert (counts["jobs_total"], counts["jobs_active"], counts["jobs_completed"]) == (12, 4, 4)
    database = client.get("/api/v1/system/database").json()
    assert database["backend_type"] == "sqlite"
    assert database["statistics"]["videos"] == 12
    assert database["connection_info"]["database_size_bytes"] > 10_000
    stored = client.get("/api/v1/system/storage").json()
    assert stored["videos"] == {"count": 12, "bytes": sum(range(12))}
    assert stored["results"] == {"count": len(rows["job_results"]), "bytes": 10 * len(rows["job_results"])}
    assert sum(one["videos"] + one["results"] for one in stored["users"]) == sum(range(12)) + 40
    sizes = [one["videos"] + one["results"] for one in stored["users"]]
    assert sizes == sorted(sizes, reverse=True)
    told = client.get("/api/v1/system/workers").json()["workers"]
    assert {one["id"]: (one["there"], len(one["jobs"])) for one in told} == {
        "here:1:x": (True, 0),
        "here:1": (False, 0),
    }
    info = client.get("/api/v1/system/info").json()
    assert info["pipelines"] == sorted(working.catalog.pipelines)
    assert info["libraries"]["sqlalchemy"].startswith("2.")
    assert client.get("/api/v1/debug/background-jobs").json()["queue"] == {"pending": 2, "running": 2}


def test_config_shows_no_password(working: Service, client: TestClient) -> None:
    """Not the database's, whose address is a setting."""
    told = client.get("/api/v1/system/config").json()
    assert told["configuration"]["limits"]["user_streams"] == working.settings.limits.user_streams
    assert told["features"]["authentication"] is True
    secret = Database("postgresql://me:hunter2@127.0.0.1/x")
    service = attrs.evolve(working, database=secret)
    from videoannotator.serve.api.system import configuration

    assert "hunter2" not in str(configuration(service))
    assert "me:***@" in configuration(service)["database"]


@pytest.mark.parametrize("name", ["pipelines", "jobs/1", "request-log", "mock-events"])
def test_made_up_answers_are_gone(working: Service, client: TestClient, name: str) -> None:
    """They say what they became."""
    answer = client.get(f"/api/v1/debug/{name}")
    assert answer.status_code == 410
    assert answer.json()["code"] == "GONE"
    assert answer.json()["hint"]


def test_token_info_is_about_who_asks(working: Service, client_of: Callable[..., TestClient]) -> None:
    """The older one told everybody the same."""
    told = client_of("researcher", "ada").get("/api/v1/debug/token-info").json()["token"]
    assert (told["username"], told["role"]) == ("ada", "researcher")


def test_cards_are_asked_for_elsewhere() -> None:
    """In a process of its own, and nobody waits for it: the server imports nothing heavy."""
    code = (
        "import sys, time; from videoannotator.serve.operating import machine;"
        "machine.cards_there = lambda python: time.sleep(10);"
        "told = machine.Cards().told(); assert told['reason'] == 'being asked', told;"
        "assert not {'torch', 'cv2', 'av'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_cards_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they are known; a process that cannot answer is a reason, too."""
    card = Card("cuda:0", "GPU-1", "A card", ("float16",))
    monkeypatch.setattr(machine, "cards_there", lambda python: (card,))
    assert Cards().told(10) == {
        "available": True,
        "device_count": 1,
        "devices": [{"device": "cuda:0", "name": "A card"}],
        "current_device": 0,
        "device_name": "A card",
    }
    monkeypatch.setattr(machine, "cards_there", lambda python: ())
    assert Cards().told(10)["reason"].startswith("no accelerator")

    def fails(python: str) -> tuple[Card, ...]:
        raise PluginLoadError("torch is broken")

    monkeypatch.setattr(machine, "cards_there", fails)
    assert Cards().told(10)["reason"] == "torch is broken"
