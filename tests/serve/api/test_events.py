"""Events as they happen: over a real connection, resumed, limited, refused before they begin."""

from __future__ import annotations

import threading
import time
from typing import Any

import attrs
import httpx2
import pytest
from tests.serve.api.test_jobs import submit, video_of
from tests.serve.conftest import add_user

from videoannotator.serve.api import events
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.store.jobs import Claim, Ended, ProgressReport


@pytest.fixture
def settings(settings: ServerSettings) -> ServerSettings:
    """That looks often."""
    limits = attrs.evolve(settings.limits, user_streams=2)
    return attrs.evolve(settings, jobs=Jobs(poll=0.05), limits=limits)


class Caller(httpx2.Client):
    """A client whose user tests know."""

    principal: Any


@pytest.fixture
def caller(live: tuple[str, str], service: Service) -> Any:
    """A client of the listening server, and its user's name."""
    address, key = live
    user_id = service.keys.page(None, limit=1)[0].user_id
    with Caller(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        client.principal = attrs.evolve(add_user(service, "admin"), user_id=user_id)
        yield client


def lines_of(client: Any, path: str, until: str, found: list[str], **headers: str) -> None:
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            found.append(line)
            if until in line:
                return


def work(service: Service) -> Claim:
    claim = service.jobs.claim("w", 30.0)
    assert claim is not None
    report = ProgressReport(stage="scene_detection", fraction=0.5, frames=20, media_seconds=0.8, eta=1.0)
    service.jobs.heartbeat(claim, 30.0, report)
    service.jobs.log(claim, "half of it")
    return claim


def test_a_stream_tells_what_happens_as_it_happens(caller: Any, service: Service, clip: bytes) -> None:
    found: list[str] = []
    reading = threading.Thread(target=lines_of, args=(caller, "/api/v1/events/stream", "job.complete", found))
    reading.start()
    time.sleep(0.5)  # only what happens from now on
    submit(caller, video_of(service, caller, clip))
    claim = work(service)
    until = time.monotonic() + 10
    while "event: job.log" not in found:  # how far it was is forgotten when it has ended
        assert time.monotonic() < until
        time.sleep(0.02)
    service.jobs.finish(claim, Ended(state="completed"))
    reading.join(20)
    told = [line.partition(": ")[2] for line in found if line.startswith("event")]
    assert told == ["job.update", "job.update", "job.update", "job.log", "job.complete"]
    assert any('"stage": "scene_detection"' in line or '"stage":"scene_detection"' in line for line in found)


def test_who_lost_the_connection_misses_nothing(caller: Any, service: Service, clip: bytes) -> None:
    job_id = submit(caller, video_of(service, caller, clip)).json()["id"]
    first: list[str] = []
    lines_of(caller, f"/api/v1/events/stream?job_id={job_id}", "id: ", first)
    last = next(line for line in first if line.startswith("id")).partition(": ")[2]
    service.jobs.finish(work(service), Ended(state="failed", error_message="no"))
    rest: list[str] = []
    lines_of(caller, f"/api/v1/jobs/{job_id}/events", "nothing ends it but the server", rest, **{"Last-Event-ID": last})
    assert [line for line in rest if line.startswith("event")] == [
        "event: job.update",
        "event: job.log",
        "event: job.complete",
    ]
    history = caller.get(f"/api/v1/jobs/{job_id}/history").json()
    assert [event["event"] for event in history["events"]] == ["job.update", "job.update", "job.log", "job.complete"]


def test_too_many_streams_and_unknown_jobs_are_refused_before_they_begin(
    caller: Any, service: Service, clip: bytes
) -> None:
    absent = caller.get("/api/v1/events/stream?job_id=nonsense")
    assert (absent.status_code, absent.headers["content-type"]) == (404, "application/problem+json")
    with caller.stream("GET", "/api/v1/events/stream"), caller.stream("GET", "/api/v1/events/stream"):
        third = caller.get("/api/v1/events/stream")
        assert (third.status_code, third.json()["code"]) == (429, "QUOTA_STREAMS")
        assert "retry-after" in third.headers
    until = time.monotonic() + 10
    while service.streams.open:  # a place is given back when the line is closed
        assert time.monotonic() < until
        time.sleep(0.05)


def test_the_viewers_token_opens_the_stream_and_nothing_else(
    caller: Any, live: tuple[str, str], service: Service, clip: bytes
) -> None:
    job_id = submit(caller, video_of(service, caller, clip)).json()["id"]
    token = caller.post("/api/v1/tokens/stream", json={"job_id": job_id}).json()["access_token"]
    with httpx2.Client(base_url=live[0], timeout=20) as nobody:
        found: list[str] = []
        lines_of(nobody, f"/api/v1/events/stream?job_id={job_id}&token={token}", "data", found)
        assert "event: job.update" in found
        assert nobody.get(f"/api/v1/jobs/{job_id}?token={token}").status_code == 401
        assert nobody.get(f"/api/v1/events/stream?token={token}x").status_code == 401


@pytest.mark.parametrize("ends", ["key", "user"])
def test_a_stream_ends_when_whoever_follows_may_no_longer(
    caller: Any, live: tuple[str, str], service: Service, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(events, "_MAY", 0.2)
    user_id = service.users.add("somebody", "researcher").id
    key, secret = service.keys.create(user_id, "of a notebook", ["read"])
    with (
        httpx2.Client(base_url=live[0], headers={"Authorization": f"Bearer {secret}"}, timeout=20) as somebody,
        somebody.stream("GET", "/api/v1/events/stream") as answer,
    ):
        time.sleep(0.5)
        assert service.streams.open, "as long as the key counts, it goes on"
        if ends == "key":
            service.keys.revoke(key.id, None)
        else:
            service.users.change(user_id, active=False)
        assert list(answer.iter_lines()) == []
    assert caller.get("/api/v1/users/me").status_code == 200
