"""Backups: whole, under load, back into either database, and refused when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from sqlalchemy import delete, insert, select, text
from tests.serve.operating import filling

from videoannotator.serve import backup as backups
from videoannotator.serve import instance, migrating
from videoannotator.serve.backup import backup
from videoannotator.serve.errors import BackupError, DatabaseVersionError
from videoannotator.serve.restoring import restore, verify
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.jobs import Ended, JobStore, NewJob
from videoannotator.serve.store.schema import job_events, jobs, users, videos


def _fresh(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    if kind == "sqlite":
        database = Database(f"sqlite:///{folder / 'server.db'}")
    else:
        database = Database(request.getfixturevalue("postgres_url"))
        filling.drop_everything(database)
    yield database
    if kind != "sqlite":
        filling.made_anew(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with all tables and nothing in them; its files are in ``tmp_path / 'data'``."""
    for database in _fresh(request.param, request, tmp_path / "data"):
        migrating.upgrade(database)
        yield database


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of `source`."""
    return tmp_path / "data"


def _files(folder: Path) -> dict[str, bytes]:
    kept = [path for top in ("videos", "jobs") for path in (folder / top).rglob("*") if path.is_file()]
    kept += [folder / "signing.key", folder / "instance"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_everything_comes_back(
    source: Database, data: Path, tmp_path: Path, into: str, links: bool, request: pytest.FixtureRequest
) -> None:
    """Rows and files, into the same kind of database and into the other."""
    before = filling.fill_with_files(source, data)
    note = backup(source, data, tmp_path / "backups" / "monday", links=links)
    assert verify(tmp_path / "backups" / "monday") == note
    assert note.missing == ()
    assert note.tables == {name: len(rows) for name, rows in before.items()}
    linked = (tmp_path / "backups/monday/files" / before["videos"][0]["path"]).stat().st_nlink
    assert linked == (2 if links else 1)
    files = _files(data)
    source.close()
    for database in _fresh(into, request, tmp_path / "back"):
        assert restore(tmp_path / "backups" / "monday", database, tmp_path / "back") == note
        assert filling.everything(database) == before
        assert migrating.current(database).is_newest
        assert _files(tmp_path / "back") == files
        assert (tmp_path / "back" / "signing.key").stat().st_mode & 0o777 == 0o600
        assert instance.join(database, tmp_path / "back") == "here"
        with database.write() as connection:  # ids of events are never used twice, not even those that were deleted
            job = before["jobs"][0]
            added = insert(job_events).values(
                job_id=job["id"], owner_id=job["owner_id"], kind="log", data={}, created_at=1.0
            )
            assert connection.execute(added.returning(job_events.c.id)).scalar_one() > note.last_event


def test_last_event_counts_those_that_are_gone(source: Database, data: Path, tmp_path: Path) -> None:
    """A client that saw event 12 must not be given another event 12."""
    filling.fill(source, jobs=12)
    with source.write() as connection:
        connection.execute(delete(job_events))
    assert backup(source, data, tmp_path / "backup").last_event == 12


def test_backup_under_load_has_every_acknowledged_job(source: Database, data: Path, tmp_path: Path) -> None:
    """Four threads submit and finish jobs; what was acknowledged before the backup began is in it, and it is whole."""
    owner = filling.fill(source, jobs=4)["jobs"][0]
    store = JobStore(source)
    acknowledged: list[str] = []
    stop = threading.Event()
    errors: list[BaseException] = []

    def client(number: int) -> None:
        try:
            while not stop.is_set():
                job = store.submit(NewJob(owner_id=owner["owner_id"], video_id=owner["video_id"], request={}))
                acknowledged.append(job.id)
                claim = store.claim(f"worker {number}", 30.0, job_id=job.id)
                if claim is not None:
                    folder = f"jobs/{job.id}/attempt-1"
                    (data / folder).mkdir(parents=True)
                    (data / folder / "rows.json").write_text(job.id)
                    store.finish(claim, Ended(state="completed", folder=folder, bytes=36))
                if number == 0 and claim is not None:
                    assert store.request_delete(job.id) is None
                    acknowledged.remove(job.id)
                    shutil.rmtree(data / folder)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2):
            while len(acknowledged) < 20 * (number + 1):
                assert not errors
                stop.wait(0.01)
            promised = list(acknowledged)
            backup(source, data, tmp_path / f"backup {number}")
            verify(tmp_path / f"backup {number}")
            kept = {json.loads(line)["id"] for line in _lines(tmp_path / f"backup {number}/tables/jobs.jsonl")}
            gone = {job for job in promised if job not in kept}
            assert not gone & set(acknowledged), "acknowledged, not deleted, and not in the backup"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors
    back = Database(f"sqlite:///{tmp_path / 'back' / 'server.db'}")
    restore(tmp_path / "backup 1", back, tmp_path / "back")
    with back.read() as connection:
        assert kept == set(connection.execute(select(jobs.c.id)).scalars())
    back.close()


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def test_files_that_are_gone_are_named(source: Database, data: Path, tmp_path: Path) -> None:
    """A backup of a server that has lost a file is still one, and says so."""
    before = filling.fill_with_files(source, data)
    (data / before["videos"][0]["path"]).unlink()
    shutil.rmtree(data / before["job_results"][0]["folder"])
    note = backup(source, data, tmp_path / "backup")
    assert note.missing == tuple(sorted([before["videos"][0]["path"], before["job_results"][0]["folder"]]))
    assert verify(tmp_path / "backup") == note


def test_server_folders_of_users_are_theirs(source: Database, data: Path, tmp_path: Path) -> None:
    """A video that was not uploaded, and a result that was written elsewhere, are named by rows and not copied."""
    rows = filling.fill_with_files(source, data, jobs=3)
    with source.write() as connection:
        connection.execute(videos.update().values(stored=False, path=str(tmp_path / "theirs.mp4")))
        connection.execute(text("UPDATE job_results SET folder = :path"), {"path": str(tmp_path / "theirs")})
    assert backup(source, data, tmp_path / "backup").files == 2
    assert len(rows["job_results"]) > 0


def test_backup_refuses_places(source: Database, data: Path, tmp_path: Path) -> None:
    """One that is taken, and one inside of what is backed up."""
    filling.fill(source, jobs=1)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(BackupError, match="is there already"):
        backup(source, data, tmp_path / "taken")
    with pytest.raises(BackupError, match="inside the data folder"):
        backup(source, data, data / "backup")
    (tmp_path / "empty").mkdir()
    backup(source, data, tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".part")) == []


def test_backup_that_fails_leaves_nothing(
    source: Database, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle: no folder that looks like a backup."""
    filling.fill_with_files(source, data)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        backup(source, data, tmp_path / "backup")
    assert {path.name for path in tmp_path.iterdir()} <= {"data"}


def test_database_without_tables_is_no_backup(tmp_path: Path) -> None:
    """There is nothing to keep yet."""
    database = Database(f"sqlite:///{tmp_path / 'data' / 'server.db'}")
    with pytest.raises(BackupError, match="no tables"):
        backup(database, tmp_path / "data", tmp_path / "backup")
    database.close()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A backup of a database on SQLite, with files."""
    database = Database(f"sqlite:///{tmp_path / 'data' / 'server.db'}")
    migrating.upgrade(database)
    filling.fill_with_files(database, tmp_path / "data")
    backup(database, tmp_path / "data", tmp_path / "kept", links=False)
    database.close()
    return tmp_path / "kept"


def _spoil_hash(kept: Path) -> None:
    (kept / "files/videos/3.mp4").write_bytes(b"rotten")


def _spoil_presence(kept: Path) -> None:
    (kept / "files/videos/3.mp4").unlink()


def _spoil_rows(kept: Path) -> None:
    lines = _lines(kept / "tables/jobs.jsonl")
    (kept / "tables/jobs.jsonl").write_text("\n".join(lines[:-1]) + "\n")


def _spoil_line(kept: Path) -> None:
    (kept / "tables/users.jsonl").write_text('{"id": "half')


def _spoil_path(kept: Path) -> None:
    lines = (kept / "files.jsonl").read_text()
    (kept / "files.jsonl").write_text(lines.replace("videos/3.mp4", "../../outside.mp4"))


def _spoil_note(kept: Path) -> None:
    (kept / "backup.json").write_text("{}")


def _spoil_layout(kept: Path) -> None:
    told = json.loads((kept / "backup.json").read_text())
    (kept / "backup.json").write_text(json.dumps({**told, "layout": 2}))


_SPOILT = {
    _spoil_hash: "3.mp4 is not what was written",
    _spoil_presence: "3.mp4 is missing",
    _spoil_rows: "jobs has 11 rows",
    _spoil_line: "users.jsonl cannot be read",
    _spoil_path: "outside of itself",
    _spoil_note: "is no backup",
    _spoil_layout: "layout unknown",
}


@pytest.mark.parametrize(
    ("spoil", "into"),
    [*((spoil, "sqlite") for spoil in _SPOILT), (_spoil_hash, "postgresql"), (_spoil_rows, "postgresql")],
)
def test_spoilt_backup_is_refused_and_leaves_the_target_empty(
    kept: Path, spoil: object, into: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever is wrong with it; and a whole one can be restored into the same place afterwards."""
    shutil.copytree(kept, tmp_path / "whole")
    spoil(kept)  # type: ignore[operator]  # one of the functions above
    for database in _fresh(into, request, tmp_path / "back"):
        if spoil is not _spoil_line:  # counted as far as it can be read
            with pytest.raises(BackupError, match=_SPOILT[spoil]):  # type: ignore[index]
                verify(kept)
        with pytest.raises(BackupError, match=_SPOILT[spoil]):  # type: ignore[index]
            restore(kept, database, tmp_path / "back")
        left = {path.name for path in (tmp_path / "back").iterdir()} if (tmp_path / "back").exists() else set()
        assert {name for name in left if not name.startswith("server.db")} == set()
        assert not (tmp_path / "outside.mp4").exists()
        assert migrating.current(database).found is None
        restore(tmp_path / "whole", database, tmp_path / "back")
        assert len(filling.everything(database)["jobs"]) == 12


def test_target_must_be_empty(kept: Path, tmp_path: Path) -> None:
    """Neither a database nor files are ever overwritten."""
    used = Database(f"sqlite:///{tmp_path / 'data' / 'server.db'}")
    before = filling.everything(used)
    with pytest.raises(BackupError, match="videos is there already"):
        restore(kept, used, tmp_path / "data")
    with pytest.raises(DatabaseVersionError, match="has tables already"):
        restore(kept, used, tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    assert filling.everything(used) == before
    used.close()


def test_backup_of_a_newer_program_is_refused(kept: Path, tmp_path: Path) -> None:
    """Its tables may hold what this one does not know."""
    told = json.loads((kept / "backup.json").read_text())
    (kept / "backup.json").write_text(json.dumps({**told, "revision": "9999"}))
    database = Database(f"sqlite:///{tmp_path / 'back' / 'server.db'}")
    with pytest.raises(DatabaseVersionError, match="'9999'"):
        restore(kept, database, tmp_path / "back")
    database.close()


def test_waiting_jobs_are_told_to_the_queue(kept: Path, tmp_path: Path) -> None:
    """On PostgreSQL a row of the queue belongs to each job that waits, and is not in the backup."""
    database = Database(f"sqlite:///{tmp_path / 'back' / 'server.db'}")
    told: list[str] = []
    restore(kept, database, tmp_path / "back", on_pending=lambda connection, job, priority, delay: told.append(job))
    pending = [row["id"] for row in filling.everything(database)["jobs"] if row["state"] == "pending"]
    assert sorted(told) == sorted(pending) != []
    database.close()


def test_note_is_read_as_it_was_written(kept: Path) -> None:
    """And tells what a person wants to know before restoring."""
    note = backups.read_note(kept)
    assert attrs.asdict(note)["tables"]["jobs"] == 12
    assert (note.revision, note.database) == (migrating._known()[-1], "sqlite")
    assert note.files == 12 + 2 * 4 + 2


def test_user_rows_carry_any_text(source: Database, data: Path, tmp_path: Path) -> None:
    """Names are data: line ends, quotes, every script."""
    names = ['"', "\n", "\u2028", "\\", "é\u0301", "𝄞", "%s", "\r\n\t", "{}"]
    with source.write() as connection:
        for number, name in enumerate(names):
            values = {"id": str(number), "name": name, "role": "guest", "active": True, "created_at": number / 7}
            connection.execute(insert(users).values(values))
    before = filling.everything(source)
    backup(source, data, tmp_path / "backup")
    back = Database(f"sqlite:///{tmp_path / 'back' / 'server.db'}")
    restore(tmp_path / "backup", back, tmp_path / "back")
    assert filling.everything(back) == before
    back.close()
