"""What tests of executing jobs share: a plugin that misbehaves, a clip, and jobs made in the database."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import insert, select

from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import Job, JobStore, NewJob
from videoannotator.serve.store.schema import job_events, job_results, users, videos
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.dispatcher import Dispatcher
from videoannotator.serve.work.local import LocalExecutor
from videoannotator.testing.clips import write_clip

PLUGIN = Path(__file__).parent / "plugin"
FAST = Jobs(lease=2.0, heartbeat=0.4, poll=0.1, back_off=0.05, soft_cancel=1.0, hard_cancel=2.5, nice=0, attempts=3)


@pytest.fixture(autouse=True, scope="session")
def plugin() -> Iterator[None]:
    """Processes that are started find the plugin of these tests; this one has looked for plugins before, or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(PLUGIN), *sys.path])
        yield


@pytest.fixture(scope="session")
def fast() -> Jobs:
    """Short times."""
    return FAST


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 numbered pictures, 1.6 s."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=40, rate=25)


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """With short times."""
    return ServerSettings(data_dir=tmp_path / "data", jobs=FAST)


@attrs.frozen(eq=False)
class Bench:
    """A database with a user and a video, and what tests ask of it."""

    settings: ServerSettings
    database: Database
    jobs: JobStore
    owner: str
    video: str

    @classmethod
    def of(
        cls,
        settings: ServerSettings,
        database: Database,
        clip: Path,
        jobs: JobStore | None = None,
        name: str = "Mutter & Kind.mp4",
    ) -> Bench:
        owner, video = str(uuid.uuid4()), str(uuid.uuid4())
        person = {"id": owner, "name": owner[:8], "role": "researcher", "active": True}
        row = {"id": video, "owner_id": owner, "name": name, "path": str(clip), "stored": False, "bytes": 1}
        with database.write() as connection:
            connection.execute(insert(users).values(**person, created_at=moment()))
            more = {"sha256": "0" * 64, "media": {}, "duration": 1.6, "created_at": moment()}
            connection.execute(insert(videos).values(**row, **more))
        return cls(settings, database, jobs or JobStore(database), owner, video)

    def new(self, *pipelines: str, max_attempts: int = 3, priority: int = 0, **request: Any) -> NewJob:
        request = {"pipelines": list(pipelines), "formats": [], **request}
        return NewJob(
            owner_id=self.owner, video_id=self.video, request=request, max_attempts=max_attempts, priority=priority
        )

    def submit(self, *pipelines: str, **more: Any) -> str:
        return self.jobs.submit(self.new(*pipelines, **more)).id

    def wait(self, *ids: str, seconds: float = 120.0) -> list[Job]:
        until = time.monotonic() + seconds
        while True:
            jobs = [self.jobs.get(one) for one in ids]
            if all(job.ended for job in jobs):
                return jobs
            assert time.monotonic() < until, [(job.state, job.stage, job.error_message) for job in jobs]
            time.sleep(0.02)

    def until(self, job_id: str, holds: Callable[[Job], bool], seconds: float = 60.0) -> Job:
        end = time.monotonic() + seconds
        while not holds(job := self.jobs.get(job_id)):
            assert time.monotonic() < end, job
            time.sleep(0.02)
        return job

    def result(self, job_id: str) -> Any:
        with self.database.read() as connection:
            return connection.execute(select(*job_results.c).where(job_results.c.job_id == job_id)).one_or_none()

    def told(self, job_id: str, kind: str) -> list[dict[str, Any]]:
        wanted = select(job_events.c.data).where(job_events.c.job_id == job_id, job_events.c.kind == kind)
        with self.database.read() as connection:
            return [row.data for row in connection.execute(wanted.order_by(job_events.c.id))]

    @contextmanager
    def dispatching(self, **more: Any) -> Iterator[Dispatcher]:
        settings = attrs.evolve(self.settings, jobs=attrs.evolve(self.settings.jobs, **more))
        executor = LocalExecutor(settings.jobs.concurrent, nice=settings.jobs.nice, idle=settings.jobs.idle)
        dispatcher = Dispatcher(settings, self.jobs, WorkerStore(self.database), executor)
        executor.on_news(dispatcher.wake)
        dispatcher.start()
        try:
            yield dispatcher
        finally:
            dispatcher.stop()


@pytest.fixture
def bench(service: Service, clip: Path) -> Bench:
    """On SQLite."""
    return Bench.of(service.settings, service.database, clip)


@pytest.fixture
def bench_of() -> Callable[[Service, Path], Bench]:
    """On any service."""
    return lambda service, clip: Bench.of(service.settings, service.database, clip, service.jobs)


@pytest.fixture(scope="session")
def bench_type() -> type[Bench]:
    """For fixtures of a module."""
    return Bench
