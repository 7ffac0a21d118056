"""Traces as a collector gets them from a running server; and what happens to requests when there is no collector."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from tests.serve.operating.conftest import Collector, Running, start, stop

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def _attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def _of_trace(collector: Collector, wanted: str, trace: str = TRACE) -> dict[str, Any]:
    """The spans of a trace by name, when the one that is wanted is there."""
    for _ in range(200):
        found = {span.name: span for span in collector.spans() if span.trace_id.hex() == trace}
        if wanted in found:
            return found
        time.sleep(0.05)
    raise AssertionError([(span.name, span.trace_id.hex()) for span in collector.spans()])


def test_one_trace_from_the_request_to_the_job(running: Running, collector: Collector, short_clip: Path) -> None:
    """The client's trace, the request in it, the attempt at the job in that; named, with what one looks for."""
    video = running.api("POST", "/api/v1/videos", params={"name": short_clip.name}, content=short_clip.read_bytes())
    job = running.job(video["id"], traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    assert running.ended(job)["status"] == "completed"
    found = _of_trace(collector, "job attempt")
    request, route, attempt = found["POST /api/v1/jobs"], found["fastapi.endpoint"], found["job attempt"]
    assert request.parent_span_id.hex() == "00f067aa0ba902b7"
    assert route.parent_span_id == request.span_id
    assert attempt.parent_span_id == route.span_id
    assert (request.kind, attempt.kind) == (request.SPAN_KIND_SERVER, attempt.SPAN_KIND_CONSUMER)
    told = _attributes(attempt)
    assert told.pop("videoannotator.worker")
    assert told == {
        "videoannotator.job_id": job,
        "videoannotator.attempt": 1,
        "videoannotator.state": "completed",
        "videoannotator.error_code": "",
    }
    known = _attributes(request)
    assert known["http.route"] == "/api/v1/jobs"
    assert known["http.response.status_code"] == 201
    assert 0 < attempt.start_time_unix_nano - request.start_time_unix_nano < 60e9
    assert attempt.end_time_unix_nano > attempt.start_time_unix_nano
    assert {one["service.name"] for one in collector.resources()} == {"videoannotator"}
    assert {line["trace_id"] for line in running.lines() if line.get("job_id") == job} == {TRACE}


def test_nothing_secret_is_sent(running: Running, collector: Collector, short_clip: Path) -> None:
    """Neither keys, wherever one puts them, nor names and contents of videos: only what is said of a job."""
    told = httpx.post(f"{running.address}/api/v1/tokens/stream", headers={"X-API-Key": running.key}, json={})
    secrets = [running.key.rpartition("_")[2], told.json()["access_token"]]
    with httpx.stream("GET", f"{running.address}/api/v1/events/stream?token={secrets[1]}") as stream:
        assert stream.status_code == 200
    httpx.get(f"{running.address}/api/v1/jobs?api_key={running.key}&{running.key}=1")
    httpx.get(f"{running.address}/api/v1/jobs", headers={"Cookie": f"va_session={secrets[1]}"})
    running.api("POST", "/api/v1/videos", params={"name": "Anna.mp4"}, content=short_clip.read_bytes())
    running.api("GET", "/api/v1/users/me", headers={"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"})
    _of_trace(collector, "GET /api/v1/users/me", TRACE[::-1])
    sent = b"".join(collector.taken)
    queries = [_attributes(span).get("url.query") for span in collector.spans()]
    assert "name=*" in queries, "what is asked for by addresses is sent: this can fail"
    for secret in (*secrets, "Anna", "Mutter", "authorization", str(running.data)):
        assert secret.encode() not in sent, secret


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def hold() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=hold, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for one in held:
            one.close()


def test_requests_do_not_wait_for_a_collector(tmp_path: Path, silent: str, short_clip: Path) -> None:
    """One that hangs is the worst: jobs and answers go on, and the end does not wait for it, either."""
    server = start(tmp_path, f"otlp_endpoint={silent}", OTEL_BSP_SCHEDULE_DELAY="100", OTEL_BSP_MAX_QUEUE_SIZE="64",
                   OTEL_BSP_MAX_EXPORT_BATCH_SIZE="32")  # fmt: skip
    try:
        video = server.api("POST", "/api/v1/videos", params={"name": "a.mp4"}, content=short_clip.read_bytes())
        job = server.job(video["id"])
        took = []
        with httpx.Client(headers={"Authorization": f"Bearer {server.key}"}) as client:
            for _ in range(150):  # more than the queue holds
                began = time.perf_counter()
                assert client.get(f"{server.address}/api/v1/users/me").status_code == 200
                took.append(time.perf_counter() - began)
        assert sorted(took)[140] < 1.0
        assert server.ended(job)["status"] == "completed"
    finally:
        began = time.monotonic()
        stop(server)
    assert time.monotonic() - began < 15, "systemd kills after 40 s, and there are jobs to be given back, too"
    said = [line for line in server.lines() if line["level"] in ("warning", "error")]
    assert len(said) < 10, "a log that tells of every span would fill the disk"
