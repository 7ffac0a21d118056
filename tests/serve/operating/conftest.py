"""What tests of a whole server share: one that runs as an operator would start it, and whoever takes its traces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import httpx2 as httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from videoannotator.testing.clips import write_clip

NAME = "annotate.lab.example"
"""Of the examples in ``deploy/``."""


@attrs.frozen(eq=False)
class Collector:
    """Takes traces as OpenTelemetry's collector does: OTLP over HTTP. ``taken``: the bodies, one after the other."""

    address: str
    taken: list[bytes]

    def spans(self) -> list[Any]:
        """All spans that have come in."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.taken]
        groups = [group for request in requests for group in request.resource_spans]
        return [span for group in groups for scope in group.scope_spans for span in scope.spans]

    def resources(self) -> list[dict[str, str]]:
        """Who has sent them: of each body, the attributes of its resource."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.taken]
        return [
            {one.key: one.value.string_value for one in group.resource.attributes}
            for request in requests
            for group in request.resource_spans
        ]


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """It answers at an address of its own."""
    taken: list[bytes] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces", self.path
            assert self.headers["Content-Type"] == "application/x-protobuf"
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Collector(f"http://127.0.0.1:{server.server_port}", taken)
    server.shutdown()
    server.server_close()


@attrs.frozen(eq=False)
class Running:
    """A server in a process of its own: where it answers, the first admin's key, its data folder, its log."""

    address: str
    key: str
    data: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        """The one of its address."""
        return int(self.address.rpartition(":")[2])

    def api(self, method: str, path: str, **more: Any) -> Any:
        """One call of the API; the parsed answer."""
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        answer = httpx.request(method, f"{self.address}{path}", headers=headers, timeout=60, **more)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def job(self, video: str, **headers: str) -> str:
        """Submit one that looks for motion; its id."""
        asked = {"video_id": video, "pipelines": ["motion"]}
        return str(self.api("POST", "/api/v1/jobs", json=asked, headers=headers)["id"])

    def ended(self, job: str) -> dict[str, Any]:
        """Wait for a job."""
        for _ in range(600):
            told: dict[str, Any] = self.api("GET", f"/api/v1/jobs/{job}")
            if told["status"] not in ("pending", "running"):
                return told
            time.sleep(0.1)
        raise AssertionError(told)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, text: str, request_id: str) -> list[str]:
        """Messages with ``text``, up to the one about a request, which is written when its answer is on its way."""
        for _ in range(100):
            lines = [line for line in self.lines() if text in line["message"]]
            if any(line.get("request_id") == request_id for line in lines):
                return [line["message"] for line in lines]
            time.sleep(0.05)
        raise AssertionError(f"the log tells nothing of request {request_id}")


def start(folder: Path, *settings: str, key: str | None = None, **environment: str) -> Running:
    """A server with these settings (``jobs.concurrent=2``), once it listens; ``key``: of an admin who is there."""
    log, out = folder / "log.jsonl", folder / "out.txt"
    command = [sys.executable, "-m", "videoannotator.shell", "server", "start", "--port", "0", "--data-dir"]
    command += [str(folder / "data"), *(f"--set={one}" for one in ("log_format=json", "jobs.poll=0.1", *settings))]
    with log.open("wb") as errors, out.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=folder, env=os.environ | environment)
    for _ in range(600):
        made, address = re.search(r"^va_\S+", out.read_text(), re.M), re.search(r"http://[\d.:]+\d", log.read_text())
        if (key or made) and address:
            return Running(address[0], key or made[0], folder / "data", log, process)  # type: ignore[index]  # one is
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the server did not start: {out.read_text()}{log.read_text()}")


def stop(running: Running) -> None:
    """In order."""
    running.process.terminate()
    try:
        running.process.wait(30)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()
        raise


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Running]:
    """A server that answers to `NAME` and sends its traces to `collector`; a job of a worker that is gone waits 8 s."""
    folder = tmp_path_factory.mktemp("running")
    settings = (f"access.hosts={NAME}", f"otlp_endpoint={collector.address}", "jobs.lease=8", "jobs.heartbeat=1")
    started = start(folder, *settings, OTEL_BSP_SCHEDULE_DELAY="200")
    yield started
    stop(started)


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures."""
    return write_clip(tmp_path_factory.mktemp("clip") / "Mutter & Kind.mp4", frames=20, rate=25)
