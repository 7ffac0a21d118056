"""A full disk: nothing that was acknowledged is lost, the refusal says what it is, and room is all that is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.serve.operating import filling

from videoannotator.serve import migrating
from videoannotator.serve.errors import RefusedError, StorageFullError
from videoannotator.serve.operating.health import Health
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Limits, ServerSettings
from videoannotator.serve.store.jobs import Ended, JobStore, NewJob, ProgressReport
from videoannotator.serve.store.schema import job_results, jobs

_SIZE = "6m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB; skips where none can be mounted (that needs root)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "none", folder], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def service(small_disk: Path) -> Iterator[Service]:
    """A service whose data folder is on that disk."""
    made = Service.of(ServerSettings(data_dir=small_disk / "data", limits=Limits(free_bytes=0)))
    migrating.upgrade(made.database)
    filling.fill(made.database, jobs=6)
    yield made
    made.close()


def _fill_up(folder: Path) -> Path:
    """Leave not one byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                while True:
                    if not file.write(b"\0" * block):
                        break
            except OSError:
                block //= 2
    return ballast


def _new(service: Service) -> NewJob:
    rows = filling.rows(jobs=6)
    return NewJob(owner_id=rows["users"][0]["id"], video_id=rows["videos"][0]["id"], request={"text": "x" * 3000})


def test_every_write_is_kept_or_refused(service: Service, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are submitted, begun, told of and finished until nothing goes any more, and on; then there is room again."""
    monkeypatch.setattr("videoannotator.serve.operating.health._LEAST", 65536)  # of a disk of 6 MB
    store, before = service.jobs, _count(service)
    kept: set[str] = set()
    finished: set[str] = set()
    refused: list[RefusedError] = []
    ballast = small_disk / "ballast"
    for round_ in range(6):
        if round_ == 2:
            ballast = _fill_up(small_disk)
        for _ in range(40):
            try:
                job = store.submit(_new(service))
                kept.add(job.id)
                claim = store.claim("me", 30.0, job_id=job.id)
                if claim is not None:
                    store.heartbeat(claim, 30.0, _progress())
                    store.finish(claim, Ended(state="completed", folder=f"jobs/{job.id}/attempt-1", bytes=1))
                    finished.add(job.id)
            except RefusedError as error:
                refused.append(error)
    assert refused, "it never was full: this tests nothing"
    assert {type(error) for error in refused} == {StorageFullError}
    assert {error.status for error in refused} == {507}
    assert not Health(service).checks()[1].works
    ballast.unlink()
    again = store.submit(_new(service))
    assert Health(service).checks()[1].works
    assert _count(service) == before + len(kept) + 1, "one that was refused is there, or one that was kept is not"
    with service.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        there = set(connection.execute(select(jobs.c.id)).scalars())
        results = set(connection.execute(select(job_results.c.job_id)).scalars())
    assert kept | {again.id} <= there
    assert finished <= results


def _progress() -> ProgressReport:
    return ProgressReport(stage="motion", fraction=0.5, frames=10, media_seconds=1.0, eta=2.0)


def _count(service: Service) -> int:
    with service.database.read() as connection:
        return len(connection.execute(select(jobs.c.id)).all())


def test_server_that_was_killed_on_a_full_disk_starts(service: Service, small_disk: Path) -> None:
    """What is in the write-ahead log is there, and an upgrade finds nothing to do."""
    job = service.jobs.submit(_new(service))
    _fill_up(small_disk)
    code = f"""
        import os
        from videoannotator.serve import migrating
        from videoannotator.serve.errors import StorageFullError
        from videoannotator.serve.store.database import Database
        from videoannotator.serve.store.jobs import JobStore, NewJob
        database = Database({str(service.database.url)!r})
        job = JobStore(database).get({job.id!r})
        try:
            new = NewJob(owner_id=job.owner_id, video_id=job.video_id, request={{"x": "y" * 3000}})
            for _ in range(1000):
                JobStore(database).submit(new)
        except StorageFullError:
            os.kill(os.getpid(), 9)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=120)
    assert ended.returncode == -9
    (small_disk / "ballast").unlink()
    assert migrating.current(service.database).is_newest
    assert JobStore(service.database).get(job.id) == job


@pytest.mark.parametrize("limit", [250_000, 400_000])
def test_limit_on_the_size_of_files(tmp_path: Path, limit: int) -> None:
    """The same where a quota, not the disk, is what ends: every write up to there is kept, every other refused."""
    code = f"""
        import resource, signal
        from pathlib import Path
        from sqlalchemy import select
        from tests.serve.operating import filling
        from videoannotator.serve import migrating
        from videoannotator.serve.errors import StorageFullError
        from videoannotator.serve.store.database import Database
        from videoannotator.serve.store.jobs import JobStore, NewJob
        from videoannotator.serve.store.schema import jobs
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        database = Database("sqlite:///{tmp_path}/server.db")
        migrating.upgrade(database)
        rows = filling.fill(database, jobs=3)
        owner, video = rows["users"][0]["id"], rows["videos"][0]["id"]
        new = NewJob(owner_id=owner, video_id=video, request={{"x": "y" * 3000}})
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
        kept, refused = 3, 0
        for _ in range(150):
            try:
                JobStore(database).submit(new)
                kept += 1
            except StorageFullError:
                refused += 1
        assert refused, kept
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        JobStore(database).submit(new)
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert len(connection.execute(select(jobs.c.id)).all()) == kept + 1
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120, env=environment)
