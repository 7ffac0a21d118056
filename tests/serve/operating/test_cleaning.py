"""What the clean-up removes, and above all what it does not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import insert, select, text, update
from tests.serve.operating import filling

from videoannotator.serve import instance
from videoannotator.serve.cleaning import Cleaned, clean
from videoannotator.serve.errors import DataFolderError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Retention, ServerSettings
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import Ended, NewJob
from videoannotator.serve.store.schema import (
    idempotency,
    job_events,
    job_results,
    jobs,
    revoked_tokens,
    uploads,
    videos,
    workers,
)

DAY = 86400.0


@pytest.fixture
def cleaned(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service on either database, with 12 jobs that have just ended, or wait, and their files."""
    service = Service.of(ServerSettings(data_dir=tmp_path / "data", database=database_url))
    rows = filling.fill(service.database, jobs=12)
    with service.database.write() as connection:
        connection.execute(text("DELETE FROM about"))
        now = moment()
        connection.execute(update(jobs).where(jobs.c.finished_at.is_not(None)).values(finished_at=now))
        connection.execute(update(videos).values(created_at=now, with_jobs=False, bytes=100))
        connection.execute(update(uploads).values(expires_at=now + 1000.0, created_at=now))
        connection.execute(update(revoked_tokens).values(expires_at=now + 1000.0))
        connection.execute(update(workers).values(seen_at=now))
        connection.execute(update(idempotency).values(created_at=now))
    instance.join(service.database, tmp_path / "data")
    for row in rows["videos"]:
        _write(service, row["path"], 100)
    for row in rows["job_results"]:
        _write(service, f"{row['folder']}/rows.json", 10)
    _write(service, f"uploads/{rows['uploads'][0]['id']}.part", 5)
    yield service
    service.close()


def _write(service: Service, path: str, size: int = 1, *, age: float = 2 * 3600.0) -> Path:
    there = service.settings.data_dir / path
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(b"x" * size)
    while there != service.settings.data_dir:
        os.utime(there, (time.time() - age,) * 2)
        there = there.parent
    return service.settings.data_dir / path


def _with(service: Service, **retention: Any) -> Service:
    return attrs.evolve(service, settings=attrs.evolve(service.settings, retention=Retention(**retention)))


def _files(service: Service) -> set[str]:
    folder = service.settings.data_dir
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _ids(service: Service, state: str | None = None) -> set[str]:
    wanted = select(jobs.c.id) if state is None else select(jobs.c.id).where(jobs.c.state == state)
    with service.database.read() as connection:
        return set(connection.execute(wanted).scalars())


def _told(report: Cleaned, what: str) -> list[str]:
    return [removal.name for removal in report.removals if removal.what == what]


def _both(service: Service) -> Cleaned:
    """What a dry run tells, and then a real one, which must do just that."""
    before = (filling.everything(service.database), _files(service))
    dry = clean(service, dry_run=True)
    assert (filling.everything(service.database), _files(service)) == before, "a dry run changes nothing"
    done = clean(service)
    rows = {removal for removal in (*dry.removals, *done.removals) if removal.what == "rows"}  # go with their jobs
    assert set(dry.removals) - rows == set(done.removals) - rows
    assert dry.problems == done.problems
    assert clean(service).removals == (), "nothing is left for the next time"
    return done


def test_nothing_goes_by_itself(cleaned: Service) -> None:
    """Without a retention, what has its row stays for ever."""
    before = (filling.everything(cleaned.database), _files(cleaned))
    assert _both(cleaned) == Cleaned(dry=False, removals=(), problems=())
    assert (filling.everything(cleaned.database), _files(cleaned)) == before


def test_by_age(cleaned: Service) -> None:
    """Jobs that ended long ago go with their results; those that wait or run stay, however old they are."""
    with cleaned.database.write() as connection:
        old = update(jobs).where(jobs.c.state.in_(("completed", "failed"))).values(finished_at=moment() - 8 * DAY)
        connection.execute(old)
    gone = _ids(cleaned, "completed") | _ids(cleaned, "failed")
    report = _both(_with(cleaned, days=7))
    assert set(_told(report, "job")) == gone
    assert _ids(cleaned) & gone == set()
    assert len(_ids(cleaned)) == 8
    assert not [name for name in _files(cleaned) if set(name.split("/")) & gone]
    assert _told(report, "video") == [], "uploaded a moment ago"
    with cleaned.database.write() as connection:
        connection.execute(update(videos).values(created_at=moment() - 8 * DAY))
    report = _both(_with(cleaned, days=7))
    assert len(_told(report, "video")) == 4, "nobody uses them any more, and they are old"
    assert report.bytes == 400


def test_by_size(cleaned: Service) -> None:
    """The oldest go first, with the videos that only they used, until it is enough; not one more."""
    with cleaned.database.write() as connection:
        for number, job in enumerate(sorted(_ids(cleaned))):
            ended = update(jobs).where(jobs.c.id == job, jobs.c.finished_at.is_not(None))
            connection.execute(ended.values(finished_at=moment() - 1000.0 + number))
        order = list(
            connection.execute(select(jobs.c.id).where(jobs.c.finished_at > 0).order_by(jobs.c.finished_at)).scalars()
        )
    kept = 12 * 100 + 4 * 10
    assert _both(_with(cleaned, bytes=kept)).removals == ()
    report = _both(_with(cleaned, bytes=kept - 150))
    assert _told(report, "job") == order[:2]
    assert len(_told(report, "video")) == 2
    assert report.bytes >= 150
    everything = _both(_with(cleaned, bytes=0))
    assert _told(everything, "job") == order[2:]
    assert len(_ids(cleaned)) == 4, "those that wait or run are not touched"


def test_video_of_several_jobs_stays_with_the_last(cleaned: Service) -> None:
    """It goes when nobody uses it."""
    with cleaned.database.write() as connection:
        first = connection.execute(select(videos.c.id).order_by(videos.c.path)).scalars().first()
        connection.execute(update(jobs).values(video_id=first))
        connection.execute(update(jobs).where(jobs.c.state == "completed").values(finished_at=moment() - 8 * DAY))
        connection.execute(update(videos).values(created_at=moment() - 8 * DAY))
    report = _both(_with(cleaned, days=7))
    assert len(_told(report, "job")) == 2
    assert len(_told(report, "video")) == 11
    assert (cleaned.settings.data_dir / "videos/0.mp4").exists()


def test_video_that_came_with_a_job_goes_with_it(cleaned: Service) -> None:
    """Older clients send both in one form, and know of no video; one of a moment ago may be waiting for its job."""
    with cleaned.database.write() as connection:
        connection.execute(update(videos).values(with_jobs=True))
        connection.execute(text("DELETE FROM jobs"))

    assert _told(clean(cleaned, dry_run=True), "video") == []
    with cleaned.database.write() as connection:
        connection.execute(update(videos).values(created_at=moment() - 2 * 3600.0))
    assert len(_told(_both(cleaned), "video")) == 12


def test_users_own_files_are_theirs(cleaned: Service, tmp_path: Path) -> None:
    """A server folder's video, a result in an output directory: the rows go, the files stay."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "film.mp4").write_bytes(b"film")
    (theirs / "result").mkdir()
    (theirs / "result" / "rows.json").write_bytes(b"{}")
    with cleaned.database.write() as connection:
        connection.execute(update(videos).values(stored=False, path=str(theirs / "film.mp4")))
        connection.execute(update(job_results).values(folder=str(theirs / "result")))
        connection.execute(update(jobs).where(jobs.c.finished_at > 0).values(finished_at=moment() - 8 * DAY))
    report = _both(_with(cleaned, days=7, bytes=0))
    assert len(_told(report, "job")) == 8
    assert _told(report, "video") == []
    assert (theirs / "film.mp4").exists()
    assert (theirs / "result" / "rows.json").exists()


def test_uploads_that_were_not_continued(cleaned: Service) -> None:
    """Row and part go together."""
    with cleaned.database.write() as connection:
        connection.execute(update(uploads).values(video_id=None, expires_at=moment() - 1.0))
    report = _both(cleaned)
    assert len(_told(report, "upload")) == 1
    assert report.bytes == 5
    assert not [name for name in _files(cleaned) if name.startswith("uploads/")]


def test_what_nobody_names(cleaned: Service) -> None:
    """Goes when it is older than an hour; what is younger may be on its way to its row."""
    completed, running = _ids(cleaned, "completed").pop(), _ids(cleaned, "running").pop()
    nobody = [
        "videos/stranger.mp4",
        "uploads/f00.part",
        "jobs/no-such-job/attempt-1/x.json",
        f"jobs/{completed}/attempt-2.part/y",
        f"jobs/{completed}/attempt-1.process",
        f"jobs/{running}/attempt-0/z",
        "restore-1.part/videos/v.mp4",
    ]
    kept = [
        f"jobs/{running}/attempt-1.part/rows.json",
        f"jobs/{running}/attempt-1.process",
        "server.log",
        "logs/old.log",
    ]
    young = ["videos/arriving.mp4", "uploads/arriving.part", "jobs/arriving/attempt-1.part/rows.json"]
    for path in (*nobody, *kept):
        _write(cleaned, path)
    for path in young:
        _write(cleaned, path, age=10.0)
    before = _files(cleaned)
    _both(cleaned)
    assert before - _files(cleaned) == set(nobody)


def test_links_are_not_followed(cleaned: Service, tmp_path: Path) -> None:
    """A link into somebody's folder is removed, and not what it points to."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    os.symlink(precious, cleaned.settings.data_dir / "jobs" / "linked")
    os.utime(cleaned.settings.data_dir / "jobs" / "linked", (0, 0), follow_symlinks=False)
    os.utime(precious / "thesis.txt", (0, 0))
    clean(cleaned)
    assert (precious / "thesis.txt").exists()


def test_foreign_data_folder_is_left_alone(cleaned: Service, tmp_path: Path) -> None:
    """A server that was pointed at another database takes nothing for nobody's."""
    (cleaned.settings.data_dir / "instance").write_text("another\n")
    _write(cleaned, "videos/theirs.mp4")
    before = _files(cleaned)
    report = _both(cleaned)
    assert _files(cleaned) == before
    assert "belongs to another database" in report.problems[0]
    with pytest.raises(DataFolderError, match="belongs to another database"):
        instance.join(cleaned.database, cleaned.settings.data_dir)


def test_rows_without_their_files_are_told(cleaned: Service) -> None:
    """Somebody has removed them by hand, or a disk is broken: not ours to hide."""
    (cleaned.settings.data_dir / "videos/3.mp4").unlink()
    with cleaned.database.read() as connection:
        result = connection.execute(select(job_results.c.job_id, job_results.c.folder)).first()
    assert result is not None
    (cleaned.settings.data_dir / result.folder / "rows.json").unlink()
    (cleaned.settings.data_dir / result.folder).rmdir()
    report = _both(cleaned)
    assert report.removals == ()
    assert any("'../session 3.mp4'" in problem for problem in report.problems)
    assert f"the result of job {result.job_id} is gone" in report.problems


def test_rows_that_have_served(cleaned: Service) -> None:
    """Progress of jobs that ended a day ago; what was logged, and how they ended, stays."""
    ended = sorted(_ids(cleaned, "completed"))
    with cleaned.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == ended[0]).values(finished_at=moment() - 2 * DAY))
        for kind in ("log", "complete"):
            owner = connection.execute(select(jobs.c.owner_id).where(jobs.c.id == ended[0])).scalar_one()
            connection.execute(
                insert(job_events).values(job_id=ended[0], owner_id=owner, kind=kind, data={}, created_at=1.0)
            )
        connection.execute(update(revoked_tokens).values(expires_at=moment() - DAY))
        connection.execute(update(idempotency).values(created_at=moment() - DAY - 1.0))
        connection.execute(update(workers).values(seen_at=moment() - DAY - 1.0))
    report = _both(cleaned)
    assert _told(report, "rows") == ["job_events", "idempotency", "revoked_tokens", "workers"]
    with cleaned.database.read() as connection:
        kinds = connection.execute(select(job_events.c.kind).where(job_events.c.job_id == ended[0]))
        assert sorted(kinds.scalars()) == ["complete", "log"]
        left = connection.execute(select(job_events.c.kind).where(job_events.c.job_id == ended[1]))
        assert list(left.scalars()) == ["update"]


def test_jobs_that_were_deleted_while_they_ran(cleaned: Service) -> None:
    """Their worker went before it could remove them."""
    job = _ids(cleaned, "cancelled").pop()
    with cleaned.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(delete_requested_at=moment()))
    assert _told(_both(cleaned), "job") == [job]


def test_what_cannot_be_removed_is_told(cleaned: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tried again the next time."""
    stranger = _write(cleaned, "videos/stranger.mp4")

    def refuses(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuses)
        assert "stranger.mp4 cannot be removed" in clean(cleaned).problems[0]
    assert stranger.exists()
    clean(cleaned)
    assert not stranger.exists()


def test_safe_while_jobs_run(cleaned: Service) -> None:
    """Cleaning all the time while jobs begin and end loses none of what is acknowledged."""
    service = _with(cleaned, days=7)
    with service.database.read() as connection:
        owner, video = connection.execute(select(videos.c.owner_id, videos.c.id)).first() or ("", "")
    stop, errors, done = threading.Event(), [], []

    def sweep() -> None:
        mine = attrs.evolve(service, database=Database(service.database.url.render_as_string(hide_password=False)))
        try:
            while not stop.is_set():
                clean(mine)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)
        mine.database.close()

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            job = service.jobs.submit(NewJob(owner_id=owner, video_id=video, request={}))
            claim = service.jobs.claim("me", 30.0, job_id=job.id)
            assert claim is not None
            part = _write(service, f"jobs/{job.id}/attempt-{claim.attempt}.part/rows.json", 10, age=7200.0)
            folder = f"jobs/{job.id}/attempt-{claim.attempt}"
            part.parent.rename(service.settings.data_dir / folder)
            service.jobs.finish(claim, Ended(state="completed", folder=folder, bytes=10))
            done.append(f"{folder}/rows.json")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert set(done) <= _files(service)


def test_report_can_be_shown(cleaned: Service) -> None:
    """Each removal says what, which, why and how much."""
    _write(cleaned, "videos/stranger.mp4", 17)
    report = clean(cleaned, dry_run=True)
    assert report.dry
    assert [attrs.astuple(one) for one in report.removals] == [
        ("file", "videos/stranger.mp4", "no video has this file", 17)
    ]
