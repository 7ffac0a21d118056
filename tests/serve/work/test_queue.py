"""Several machines: PostgreSQL, and workers that are called by the queue."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import text
from tests.serve.work.crew import Crew
from tests.serve.work.own_postgres import own_postgres

from videoannotator.serve.errors import DatabaseUnavailable, NotFoundError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.queue_schema import apply_queue_schema
from videoannotator.serve.store.schema import metadata
from videoannotator.serve.work.procrastinate_queue import call_again
from videoannotator.serve.work.worker import worker_of

STOPS = max(2, int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "0")) // 50)


@pytest.fixture
def postgres(postgres_url: str, settings: ServerSettings, empty_postgres: None) -> Iterator[Service]:
    service = Service.of(attrs.evolve(settings, database=postgres_url))
    yield service
    service.close()


@contextmanager
def working(service: Service) -> Iterator[None]:
    works = worker_of(service)
    thread = threading.Thread(target=works.run)
    thread.start()
    try:
        yield
    finally:
        works.stop()
        thread.join(30)
        assert not thread.is_alive()


def calls(bench: Any) -> list[tuple[str, str]]:
    with bench.database.read() as connection:
        found = text("SELECT args ->> 'job_id', status::text FROM procrastinate_jobs ORDER BY id")
        return [tuple(row) for row in connection.execute(found)]


def test_a_call_is_added_in_the_transaction_or_not_at_all(postgres: Service, clip: Path, bench_of: Any) -> None:
    bench = bench_of(postgres, clip)
    id_ = bench.submit("counts")
    assert calls(bench) == [(id_, "todo")]
    with suppress(RuntimeError), bench.database.write() as connection:
        other = bench.jobs.submit(bench.new("counts"), connection=connection).id
        raise RuntimeError("taken back")
    with pytest.raises(NotFoundError):
        bench.jobs.get(other)
    assert calls(bench) == [(id_, "todo")]
    assert bench.jobs.get(id_).state == "pending"


def test_workers_are_called_and_do_it(postgres: Service, clip: Path, bench_of: Callable[..., Any]) -> None:
    bench = bench_of(postgres, clip)
    with working(postgres):
        crash = bench.submit("misbehaves", config={"misbehaves": {"how": "crashes"}}, max_attempts=2)
        first, second, third = bench.wait(bench.submit("counts"), bench.submit("misbehaves"), crash)
        until = time.monotonic() + 10
        while calls(bench):
            assert time.monotonic() < until, "calls that were answered are removed"
            time.sleep(0.05)
    assert (first.state, second.state) == ("completed", "failed")
    assert (third.state, third.error_code, third.attempt) == ("failed", "CRASHED", 2)
    assert bench.result(first.id).summary["pipelines"]["counts"]["rows"] == {"values": 40}


def test_a_worker_that_is_stopped_gives_back_what_it_has(postgres: Service, clip: Path, bench_of: Any) -> None:
    bench = bench_of(postgres, clip)
    ids = [bench.submit("counts", config={"counts": {"seconds": 0.3}}, max_attempts=1) for _ in range(2)]
    with working(postgres):
        bench.until(ids[0], lambda job: job.fraction > 0)
    assert [(bench.jobs.get(one).state, bench.jobs.get(one).max_attempts) for one in ids] == [
        ("pending", 2),
        ("pending", 1),
    ]
    assert {one for one, status in calls(bench) if status == "todo"} == set(ids)


def test_a_pending_job_that_nobody_is_called_for_is_found(postgres: Service, clip: Path, bench_of: Any) -> None:
    bench = bench_of(postgres, clip)
    id_ = bench.submit("counts")
    assert call_again(bench.database, grace=0.0) == 0
    with bench.database.write() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    assert call_again(bench.database, grace=60.0) == 0, "it may be on its way"
    assert call_again(bench.database, grace=0.0) == 1
    assert calls(bench) == [(id_, "todo")]


@pytest.mark.slow
def test_a_database_that_is_stopped_hard_loses_nothing(
    settings: ServerSettings, clip: Path, tmp_path: Path, bench_of: Any
) -> None:
    seed = int(os.environ.get("VIDEOANNOTATOR_TEST_SEED", random.randrange(10**6)))
    print(f"VIDEOANNOTATOR_TEST_SEED={seed}")
    draw, ids = random.Random(seed), list[str]()
    with own_postgres() as cluster:
        service = Service.of(attrs.evolve(settings, database=cluster.url))
        metadata.create_all(service.database.engine)
        with service.database.write() as connection:
            apply_queue_schema(connection)
        bench = bench_of(service, clip)
        with Crew(bench, 2, tmp_path / "log") as crew:
            pids = [worker.pid for worker in crew.workers]
            for stop in range(STOPS):
                ids += [bench.submit("counts", max_attempts=99, config={"counts": {"seconds": 0.1 + stop * 1e-3}})]
                ids += [
                    bench.submit("counts", max_attempts=99, config={"counts": {"seconds": 0.05 + n * 1e-3}})
                    for n in (1, 2)
                ]
                bench.until(ids[-3], lambda job: job.state != "pending")
                time.sleep(draw.uniform(0.0, 1.0))
                cluster.stop()
                with pytest.raises(DatabaseUnavailable):
                    bench.submit("counts")
                time.sleep(draw.uniform(0.0, 3.0))
                cluster.start()
            done = bench.wait(*ids, seconds=180.0)
            assert [worker.pid for worker in crew.workers] == pids
            assert all(worker.poll() is None for worker in crew.workers), "they go on by themselves"
        assert {job.state for job in done} == {"completed"}
        assert all(bench.result(id_).summary["pipelines"]["counts"]["rows"] == {"values": 40} for id_ in ids)
        with service.database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == len(ids)
        service.close()


def test_a_worker_that_was_killed_is_replaced(postgres: Service, clip: Path, tmp_path: Path, bench_of: Any) -> None:
    bench = bench_of(postgres, clip)
    with Crew(bench, 2, tmp_path / "log") as crew:
        crew.arrived()
        id_ = bench.submit("counts", config={"counts": {"seconds": 0.2}})
        running = bench.until(id_, lambda job: job.fraction > 0)
        with suppress(ProcessLookupError):
            os.kill(int(running.worker.split(":")[1]), signal.SIGKILL)
        (job,) = bench.wait(id_)
    assert (job.state, job.attempt) == ("completed", 2)
