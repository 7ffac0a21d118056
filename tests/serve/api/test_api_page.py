"""The commands of docs/api.md, typed by a shell against a server that listens and executes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.dispatcher import Dispatcher
from videoannotator.serve.work.local import LocalExecutor

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.fixture
def settings(settings: ServerSettings) -> ServerSettings:
    """With short times."""
    return attrs.evolve(settings, jobs=Jobs(poll=0.1, heartbeat=0.5, lease=10.0, nice=0))


@pytest.fixture
def executing(service: Service) -> Iterator[None]:
    """Jobs are executed."""
    executor = LocalExecutor(1, nice=0, idle=5.0)
    dispatcher = Dispatcher(service.settings, service.jobs, WorkerStore(service.database), executor)
    executor.on_news(dispatcher.wake)
    dispatcher.start()
    yield
    dispatcher.stop()


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="needs bash, curl and jq")
def test_every_command_of_the_page_works(live: tuple[str, str], executing: None, tmp_path: Path, clip: bytes) -> None:
    commands = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = "set -euo pipefail\nshopt -s expand_aliases\n" + "\n".join(commands)
    # a stream that is cut off by grep ends curl with an error of its own
    script = script.replace("| grep -m1", "2>/dev/null | grep")
    work = tmp_path / "work"
    work.mkdir()
    (work / "session01.mp4").write_bytes(clip)
    address, key = live
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=work,
        env={**os.environ, "SERVER": address, "KEY": key},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"state": "completed"' in done.stdout
    assert "event: job.complete" in done.stdout
    with zipfile.ZipFile(work / "viewer.zip") as archive:
        assert archive.read("session01.mp4") == clip
        assert "session01_scene_detection.json" in archive.namelist()


def test_every_route_of_the_page_exists(service: Service) -> None:
    from videoannotator.serve.api.app import create_app

    known = {"/openapi.json"} | {re.sub(r"\{[^}]*\}", "{}", path) for path in create_app(service).openapi()["paths"]}
    text = PAGE.read_text(encoding="utf-8")
    for told in re.findall(r"`(?:GET|POST|PUT|PATCH|DELETE) (/[^`?]*)", text):
        route = re.sub(r"\{[^}]*\}", "{}", told)
        assert route in known or f"/api/v1{route}" in known, told
