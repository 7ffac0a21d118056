"""``videoannotator worker``: jobs that a server accepted and does not do itself. Real processes, a real PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.serve.work.conftest import PLUGIN
from tests.shell.serving import Ended, Running, caller, environment

from videoannotator.shell.main import Exit

FAST = ("--set", "jobs.poll=0.1", "--set", "jobs.heartbeat=0.5", "--set", "jobs.lease=5", "--set", "jobs.nice=0")


@contextmanager
def worker(folder: Path, *where: object) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "videoannotator.shell", "worker", *map(str, where), *FAST],
            env=environment(PLUGIN, folder),
            cwd=folder,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def state(server: Running, job: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(server.client("job", "status", job, "--json").stdout)
    return told


def until(there: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.1)


def submitted(server: Running, clip: Path, *words: object) -> str:
    done: Ended = server.client("job", "submit", clip, "--pipelines", "counts", *words)
    assert done.returncode == Exit.WELL, done.stderr
    return done.stdout.strip()


def test_a_worker_does_what_a_server_accepted_and_gives_back_what_it_has_when_it_ends(
    blank_postgres: str, clip: Path, tmp_path: Path
) -> None:
    call, data = caller(PLUGIN, tmp_path), tmp_path / "data"
    where = ("--database", blank_postgres)
    server = Running.start(call, data, *where, "--set", "jobs.concurrent=0")
    try:
        job = submitted(server, clip)
        assert state(server, job)["state"] == "pending"
        with worker(tmp_path, "--data-dir", data, *where) as first:
            assert server.client("job", "watch", job).returncode == Exit.WELL
            slow = submitted(server, clip, "--set", "counts.seconds=1")
            until(lambda: state(server, slow)["state"] == "running")
            first.terminate()
            assert first.wait(20) == Exit.WELL
        given_back = state(server, slow)
        assert given_back["state"] == "pending"
        with worker(tmp_path, "--data-dir", data, *where):
            watched = server.client("job", "watch", slow)
            assert watched.returncode == Exit.WELL, watched.stderr
        told = json.loads(server.client("job", "results", slow, "--json").stdout)
        assert told["pipeline_results"]["counts"]["rows"] == {"values": 40}
    finally:
        server.stop("--now")
