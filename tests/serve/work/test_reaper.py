"""Whose jobs are taken back, and that clocks which jump take none back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from videoannotator.serve.store.database import Database
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.identity import Identity
from videoannotator.serve.work.reaper import Reaper

LEASE, STEP = 30.0, 2.5


@attrs.define
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watched(databases: Database, settings: Any, clip: Path, bench_type: Any) -> Any:
    return bench_type.of(settings, databases, clip)


def reaper_of(bench: Any, clock: Clock) -> Reaper:
    me = Identity.of_this_process()
    return Reaper(me, bench.jobs, WorkerStore(bench.database), lease=LEASE, step=STEP, clock=clock)


def test_a_lease_is_over_when_the_beat_stood_still_for_so_long(watched: Any) -> None:
    id_, clock = watched.submit("counts"), Clock()
    watched.jobs.claim("elsewhere:1:x", LEASE)
    reaper = reaper_of(watched, clock)
    for _ in range(12):
        assert reaper.look() == 0
        clock.now += STEP
    assert reaper.look() == 1
    job = watched.jobs.get(id_)
    assert (job.state, job.error_code, job.worker) == ("pending", "WORKER_LOST", None)
    assert "no sign of life for 30 s" in job.error_message


def test_who_beats_keeps_it(watched: Any) -> None:
    id_, clock = watched.submit("counts"), Clock()
    claim = watched.jobs.claim("elsewhere:1:x", LEASE)
    reaper = reaper_of(watched, clock)
    for _ in range(40):
        assert reaper.look() == 0
        clock.now += STEP
        if _ % 10 == 9:
            watched.jobs.heartbeat(claim, LEASE)
    assert watched.jobs.get(id_).state == "running"


@pytest.mark.parametrize("jump", [3600.0, 24 * 3600.0])
def test_an_observer_that_slept_takes_nobody_for_dead(watched: Any, jump: float) -> None:
    watched.submit("counts")
    watched.jobs.claim("elsewhere:1:x", LEASE)
    clock = Clock()
    reaper = reaper_of(watched, clock)
    assert reaper.look() == 0
    clock.now += jump
    assert reaper.look() == 0


def test_a_database_that_was_away_makes_everybodys_time_begin_anew(watched: Any) -> None:
    watched.submit("counts")
    watched.jobs.claim("elsewhere:1:x", LEASE)
    clock = Clock()
    reaper = reaper_of(watched, clock)
    for _ in range(11):
        reaper.look()
        clock.now += STEP
    reaper.forget()
    for _ in range(3):
        assert reaper.look() == 0
        clock.now += STEP


def test_a_worker_of_this_machine_that_is_gone_is_known_at_once(watched: Any) -> None:
    id_ = watched.submit("counts")
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    me = Identity.of_this_process()
    workers = WorkerStore(watched.database)
    workers.arrive("dead", me.host, gone.pid, "local", me.info)
    watched.jobs.claim("dead", LEASE)
    assert reaper_of(watched, Clock()).look() == 1
    assert watched.jobs.get(id_).error_message == "the process that worked on it is gone"
    assert workers.all() == []


@pytest.mark.parametrize(
    ("host", "info"), [("elsewhere", {}), (None, {"place": "another container"}), (None, {"place": None})]
)
def test_of_others_nobody_knows(host: str | None, info: dict[str, Any]) -> None:
    me = Identity.of_this_process()
    assert not me.knows_dead(host or me.host, 2**22 - 3, me.info | info)


def test_a_number_that_was_given_anew_is_another_process() -> None:
    me = Identity.of_this_process()
    assert not me.knows_dead(me.host, os.getpid(), me.info)
    assert me.knows_dead(me.host, os.getpid(), me.info | {"created": me.created - 100})
