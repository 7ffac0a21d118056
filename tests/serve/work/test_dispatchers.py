"""Several dispatchers on one database, and executors of other kinds: what `Executor` promises is all they need."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from videoannotator.serve.settings import Jobs
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.jobs import JobStore
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.dispatcher import Dispatcher
from videoannotator.serve.work.messages import Done, Message, Progressed, Task


@attrs.define
class Paper:
    """A task that is done as soon as it was looked at a few times, and has nothing to do."""

    task: Task
    left: int = 3
    stopped: bool = False

    def take(self) -> Sequence[Message]:
        self.left -= 1
        if self.stopped:
            return [Done(state="cancelled")]
        if self.left:
            return [Progressed(stage="x", fraction=0.5, frames=1, media_seconds=0.1, eta=None)]
        return [Done(state="completed", folder=self.task.target, summary={"name": self.task.job})]

    def ask_to_stop(self) -> None:
        self.stopped = True

    def terminate(self) -> None:
        self.stopped = True

    def kill(self) -> None:
        self.stopped = True

    def memory(self) -> int | None:
        return None


@attrs.define
class Desk:
    """A place where many tasks can be at once."""

    name: str = "desk"
    slots: int = 4
    refuses: int = 0

    def start(self, task: Task) -> Paper:
        if self.refuses:
            self.refuses -= 1
            raise OSError("no room on the desk")
        return Paper(task)

    def tidy(self) -> None:
        pass

    def close(self) -> None:
        pass


def dispatcher_on(bench: Any, database: Database, executor: Any = None, **jobs: Any) -> Dispatcher:
    settings = attrs.evolve(bench.settings, jobs=attrs.evolve(bench.settings.jobs, poll=0.02, **jobs))
    return Dispatcher(settings, JobStore(database), WorkerStore(database), executor or Desk())


def test_four_dispatchers_share_a_database(
    databases: Database, settings: Any, clip: Path, bench_type: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = bench_type.of(settings, databases, clip)
    caplog.set_level(logging.WARNING, "videoannotator")
    with ExitStack() as open_:
        dispatchers = []
        for _ in range(4):
            database = Database(databases.url.render_as_string(hide_password=False))
            open_.callback(database.close)
            dispatchers.append(dispatcher_on(bench, database))
            dispatchers[-1].start()
            open_.callback(dispatchers[-1].stop)
        ids = [bench.submit("counts") for _ in range(60)]
        done = bench.wait(*ids)
        assert {(job.state, job.attempt) for job in done} == {("completed", 1)}
        by = Counter(bench.result(id_).worker for id_ in ids)
        assert len(WorkerStore(databases).all()) == 4
    assert len(by) > 1, "not one alone did it all"
    assert not caplog.records, "a database that is locked would be told"
    assert WorkerStore(databases).all() == []
    for id_ in ids:
        assert [told["status"] for told in bench.told(id_, "complete")] == ["completed"]


def test_a_place_that_is_full_is_tried_again(bench: Any) -> None:
    id_ = bench.submit("counts")
    dispatcher = dispatcher_on(bench, bench.database, Desk(refuses=1))
    dispatcher.start()
    (job,) = bench.wait(id_)
    dispatcher.stop()
    assert (job.state, job.attempt) == ("completed", 2)


def test_a_job_that_was_claimed_and_never_begun_is_given_back(bench: Any) -> None:
    """The database goes away between a claim and what follows: nobody else may think that we are at work."""
    dispatcher = dispatcher_on(bench, bench.database)
    id_ = bench.submit("counts")
    bench.jobs.claim(dispatcher.me.id, 30.0)
    dispatcher.start()
    (job,) = bench.wait(id_)
    dispatcher.stop()
    assert (job.state, job.attempt, job.max_attempts) == ("completed", 2, 4)


def test_what_was_cancelled_at_a_place_without_processes(bench: Any, fast: Jobs) -> None:
    class Slow(Desk):
        def start(self, task: Task) -> Paper:
            return Paper(task, left=10**9)

    id_ = bench.submit("counts")
    dispatcher = dispatcher_on(bench, bench.database, Slow())
    dispatcher.start()
    bench.until(id_, lambda job: job.state == "running")
    began = time.monotonic()
    bench.jobs.request_cancel(id_)
    (job,) = bench.wait(id_)
    dispatcher.stop()
    assert job.state == "cancelled"
    assert time.monotonic() - began < fast.soft_cancel + 1.5


@pytest.mark.parametrize("times", [1, 3])
def test_a_full_disk_costs_no_job(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, times: int) -> None:
    """The result cannot be put in place: the job waits, and is done when there is room."""
    monkeypatch.setenv("VIDEOANNOTATOR_FAILPOINTS", f"before-rename=full*{times}")
    monkeypatch.setenv("VIDEOANNOTATOR_FAILPOINTS_SEEN", str(tmp_path))
    id_ = bench.submit("counts", start=0.0, end=0.4)
    with bench.dispatching():
        (job,) = bench.wait(id_)
    if times == 1:
        assert (job.state, job.attempt) == ("completed", 2)
    else:
        assert (job.state, job.error_code, job.attempt) == ("failed", "STORAGE_FULL", 3)
        assert "No space left" in job.error_message
    names = [path.name for path in (bench.settings.data_dir / "jobs" / id_).iterdir()]
    assert names == (["attempt-2"] if times == 1 else [])
