"""What runs beside HTTP: work that fails is begun again, and the log says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.serve.work.conftest import Bench

from videoannotator.serve import running
from videoannotator.serve.running import Repeated, _Work
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.work.dispatcher import Dispatcher
from videoannotator.testing.clips import write_clip


def until(there: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(data_dir=tmp_path / "data", jobs=Jobs(lease=2.0, heartbeat=0.4, poll=0.1, nice=0))


def test_waits_grow_while_it_fails_and_begin_anew_after_it_was_well(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that fails once a day must not wait a minute for it."""
    clock = [0.0]
    waits: list[float] = []
    lasts = [0.0, 0.0, 5000.0, 0.0]

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return not lasts

    def work() -> None:
        clock[0] += lasts.pop(0)
        raise RuntimeError("it ended")

    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    repeated = Repeated("the worker", work, pause=0.0)
    repeated._stopping = Stopping()
    with caplog.at_level(logging.ERROR):
        repeated._run()
    assert waits == [0.0, 2.0, 4.0, 2.0, 4.0]
    assert repeated.failures == 4
    assert "the worker failed; it begins again in 2 s" in caplog.text
    assert "it ended" in caplog.text


def broken_dispatcher(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Its thread crashes in its first rounds, as by an error that nobody foresaw."""
    crashed: list[int] = []
    before = Dispatcher._round

    def crashes(self: Dispatcher) -> None:
        if len(crashed) < times:
            crashed.append(1)
            raise RuntimeError("nobody foresaw this")
        before(self)

    monkeypatch.setattr(Dispatcher, "_round", crashes)
    return crashed


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_a_worker_that_crashes_begins_again_and_does_its_jobs(
    where: str,
    settings: ServerSettings,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if where == "sqlite":
        service: Service = request.getfixturevalue("service")
    else:
        request.getfixturevalue("empty_postgres")
        service = Service.of(attrs.evolve(settings, database=request.getfixturevalue("postgres_url")))
        request.addfinalizer(service.close)
    bench: Any = Bench.of(service.settings, service.database, write_clip(tmp_path / "clip.mp4", frames=5), service.jobs)
    job = bench.submit("no_such_pipeline")  # it ends at once: what counts is that somebody takes it
    broken_dispatcher(monkeypatch, 1)
    works = _Work(service, cleans=False)
    with caplog.at_level(logging.INFO):
        works.start()
        try:
            until(lambda: service.jobs.get(job).ended)
        finally:
            works.stop()
    assert "the worker failed; it begins again in 2 s" in caplog.text
    assert "nobody foresaw this" in caplog.text
