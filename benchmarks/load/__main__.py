"""Jobs, clients and event streams at once, against a server of its own: ``python -m benchmarks.load --minutes 10``.

Prints one JSON object. Ends with 1 when an answer was a 5xx, the log has "database is locked", a job failed, or
95 of 100 answers took longer than ``--limit`` seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from videoannotator.testing.clips import write_clip

_LISTS = (
    "/api/v1/jobs",
    "/api/v1/jobs?status_filter=completed",
    "/api/v1/videos",
    "/api/v1/pipelines",
    "/api/v1/users/me",
)


class Load:
    """``seconds`` of load on the server at ``port``; what was seen is in the counters."""

    def __init__(self, port: int, key: str, video: str) -> None:
        self.port, self.key, self.video = port, key, video
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.events = 0
        self.jobs: set[str] = set()
        self.errors: list[str] = []
        self.over = threading.Event()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request on a connection of its own; the time until all of the answer was there."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body)
            kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        self.times.append(time.perf_counter() - began)
        self.statuses[answer.status] += 1
        return answer.status, json.loads(told) if told else None

    def client(self, number: int) -> None:
        """Somebody who looks at lists."""
        draw = random.Random(number)  # noqa: S311 - which list is looked at is no secret
        while not self.over.is_set():
            try:
                self.call("GET", draw.choice(_LISTS))
            except OSError as error:
                self.errors.append(repr(error))
            self.over.wait(draw.uniform(0.05, 0.35))

    def stream(self) -> None:
        """Somebody who follows all jobs."""
        while not self.over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("GET", "/api/v1/events/stream", headers={"Authorization": f"Bearer {self.key}"})
                answer = connection.getresponse()
                self.statuses[answer.status] += 1
                while not self.over.is_set() and (line := answer.readline()):
                    self.events += line.startswith(b"event:")
            except OSError as error:
                if not self.over.is_set():
                    self.errors.append(repr(error))
            finally:
                connection.close()

    def keep_busy(self, many: int) -> None:
        """So many jobs that have not ended, all the time."""
        while not self.over.is_set():
            status, told = self.call("GET", "/api/v1/jobs?status_filter=pending&per_page=1")
            waiting = told["total"] if status == 200 else many
            for _ in range(max(0, many - waiting)):
                status, made = self.call("POST", "/api/v1/jobs", {"video_id": self.video, "pipelines": ["motion"]})
                if status == 201:
                    self.jobs.add(made["id"])
            self.over.wait(0.5)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _server(folder: Path, port: int, running: int, streams: int) -> tuple[subprocess.Popen[bytes], str]:
    """A server that runs so many jobs at once, and its first key."""
    settings = [f"jobs.concurrent={running}", f"limits.user_streams={streams}", "limits.per_key=100000/second"]
    command = [sys.executable, "-m", "videoannotator.shell", "server", "start", "--data-dir", str(folder / "data"),
               "--port", str(port), *(f"--set={setting}" for setting in settings)]  # fmt: skip
    out, log = (folder / "out").open("wb"), (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=out, stderr=log)
    for _ in range(600):
        found = re.search(r"va_\S+", (folder / "out").read_text())
        if found and "listens at" in (folder / "log").read_text():
            return process, found[0]
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise SystemExit(f"the server did not start: {(folder / 'log').read_text()[-2000:]}")


def measure(*, minutes: float, running: int, clients: int, streams: int) -> dict[str, Any]:
    """Run it, and tell what was seen."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        clip = folder / "clip.mp4"
        write_clip(clip, frames=60)
        port = _port()
        process, key = _server(folder, port, running, streams)
        load = Load(port, key, "")
        try:
            _, video = load.call("POST", "/api/v1/videos?name=clip.mp4", clip.read_bytes())
            load.video = video["id"]
            threads = [threading.Thread(target=load.client, args=(number,)) for number in range(clients)]
            threads += [threading.Thread(target=load.stream) for _ in range(streams)]
            threads.append(threading.Thread(target=load.keep_busy, args=(running,)))
            memory = [psutil.Process(process.pid).memory_info().rss]
            for thread in threads:
                thread.start()
            for _ in range(10):
                time.sleep(minutes * 6)
                memory.append(psutil.Process(process.pid).memory_info().rss)
            load.over.set()
            for thread in threads:
                thread.join(40)
            states: Counter[str] = Counter()
            for job in sorted(load.jobs):
                states[load.call("GET", f"/api/v1/jobs/{job}")[1]["status"]] += 1
        finally:
            process.terminate()
            process.wait(60)
        log = (folder / "log").read_text()
    times = sorted(load.times)
    return {
        "requests": len(times),
        "p50": round(times[len(times) // 2], 4),
        "p95": round(times[int(len(times) * 0.95)], 4),
        "p99": round(times[int(len(times) * 0.99)], 4),
        "statuses": dict(load.statuses),
        "events": load.events,
        "jobs": dict(states),
        "memory_mb": [round(one / 1e6) for one in memory],
        "locked": log.count("database is locked"),
        "errors": load.errors[:5],
    }


def failings(found: dict[str, Any], limit: float) -> list[str]:
    """What must not be."""
    wrong = [f"{count} answers with {status}" for status, count in found["statuses"].items() if status >= 500]
    wrong += [f"{found['locked']} times 'database is locked'"] if found["locked"] else []
    wrong += [f"{count} jobs are {state}" for state, count in found["jobs"].items() if state in ("failed", "cancelled")]
    wrong += ["no job was completed"] if not found["jobs"].get("completed") else []
    wrong += ["no event came"] if not found["events"] else []
    wrong += [f"errors: {found['errors']}"] if found["errors"] else []
    wrong += [f"p95 is {found['p95']} s"] if found["p95"] > limit else []
    return wrong


def main() -> int:
    """As the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--running", type=int, default=12, help="jobs at once")
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--limit", type=float, default=0.2, help="seconds")
    told = parser.parse_args()
    found = measure(minutes=told.minutes, running=told.running, clients=told.clients, streams=told.streams)
    print(json.dumps(found, indent=2))
    wrong = failings(found, told.limit)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
