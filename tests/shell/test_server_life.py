"""The process of a server: how it ends, what becomes of its jobs, and what is said of it. Real processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.shell.serving import Running, caller, environment

from videoannotator.shell.main import Exit


def _begun(folder: Path) -> psutil.Process:
    """Wait until the job is at work (again); what its pipeline has started."""
    until = time.monotonic() + 40
    while not (folder / "begun").exists():
        assert time.monotonic() < until, (folder / "data" / "logs" / "server.log").read_text()[-3000:]
        time.sleep(0.02)
    started = psutil.Process(int((folder / "begun").read_text()))
    (folder / "begun").unlink()
    return started


def test_a_server_that_is_ended_at_once_or_killed_leaves_nothing_behind_and_its_jobs_go_on(
    plugins: Path, tmp_path: Path, write_clip: Callable[..., Path], request: pytest.FixtureRequest
) -> None:
    call, data = caller(plugins, tmp_path), tmp_path / "data"
    request.addfinalizer(lambda: call("server", "stop", "--now", "--data-dir", data))
    clip = write_clip(tmp_path / "clip.mp4")
    settings = ("--set", "jobs.attempts=9", "--set", f"roots={tmp_path}")  # a setting names this folder
    first = Running.start(call, data, *settings)
    setting = f"waits.folder={tmp_path}"
    submitted = first.client("job", "submit", clip, "--pipelines", "waits", "--set", setting)
    assert submitted.returncode == Exit.WELL, submitted.stderr
    job = submitted.stdout.strip()
    its = _begun(tmp_path)
    began = time.monotonic()
    first.stop("--now")  # the job hears of nothing: asked kindly, it would take ten seconds
    assert time.monotonic() - began < 6
    assert psutil.wait_procs([its], timeout=5)[1] == []

    log = (tmp_path / "log").open("wb")
    words = [sys.executable, "-m", "videoannotator.shell", "server", "start", "--port", "0", "--data-dir", str(data)]
    by_hand = subprocess.Popen([*words, *settings], env=environment(plugins, tmp_path), cwd=tmp_path, stderr=log)
    log.close()
    its = _begun(tmp_path)
    everything = psutil.Process(by_hand.pid).children(recursive=True)
    assert its in everything
    by_hand.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert by_hand.poll() is None, "the first one gives the job time"
    by_hand.send_signal(signal.SIGINT)
    assert by_hand.wait(5) == Exit.INTERRUPTED
    assert psutil.wait_procs(everything, timeout=5)[1] == []

    third = Running.start(call, data, *settings, key=first.key)
    its = _begun(tmp_path)
    killed = psutil.Process(third.pid)
    killed.kill()
    assert psutil.wait_procs([killed], timeout=5)[1] == []
    _died(call, data)

    (tmp_path / "go").touch()
    fourth = Running.start(call, data, *settings, key=first.key)
    watched = fourth.client("job", "watch", job)
    assert watched.returncode == Exit.WELL, watched.stderr
    assert json.loads(fourth.client("job", "results", job, "--json").stdout)["pipeline_results"]["waits"]["rows"]
    server = psutil.Process(fourth.pid)
    server.terminate()
    assert psutil.wait_procs([server], timeout=30)[1] == []
    assert not (data / "server.pid").exists()
    assert call("server", "stop", "--data-dir", data).returncode == Exit.FAILED
    with suppress(psutil.Error):
        its.kill()


def _died(call: Callable[..., subprocess.CompletedProcess[str]], data: Path) -> None:
    """What is said of a server whose process is gone and whose file is there."""
    assert (data / "server.pid").exists()
    told = call("server", "status", "--data-dir", data)
    assert told.returncode == Exit.FAILED
    assert "no server runs on" in told.stderr
    plain = json.loads(call("server", "status", "--data-dir", data, "--json").stdout)
    assert (plain["running"], plain["ready"], plain["pid"]) == (False, False, None)


def test_a_number_that_another_process_has_now_is_no_server(plugins: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    own = psutil.Process()
    plain = {"pid": own.pid, "started": own.create_time() - 100, "host": socket.gethostname(), "address": "http://x"}
    (data / "server.pid").write_text(json.dumps(plain))
    call = caller(plugins, tmp_path)
    _died(call, data)
    stopped = call("server", "stop", "--data-dir", data)
    assert stopped.returncode == Exit.FAILED
    assert "no server runs on" in stopped.stderr


def test_a_port_that_somebody_else_has_is_said(server: Running, tmp_path: Path, plugins: Path) -> None:
    call, data = caller(plugins, tmp_path), tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        where = ("--data-dir", data, "--set", f"port={port}")
        told = call("server", "status", *where)
        assert told.returncode == Exit.FAILED
        assert f"somebody else listens at 127.0.0.1 port {port}" in told.stderr
        plain = json.loads(call("server", "status", *where, "--json").stdout)
        assert (plain["running"], plain["port_taken"]) == (False, True)
        started = call("server", "start", "--background", *where)
        assert started.returncode == Exit.FAILED
        assert f"port {port}" in started.stderr
        assert "--port" in started.stderr
        assert not (data / "server.pid").exists()
    free = call("server", "status", *where)
    assert "somebody else" not in free.stderr
    assert json.loads(server.call("server", "status", "--data-dir", server.data, "--json").stdout)["running"]
