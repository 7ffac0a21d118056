"""The return of a backup (see `backup`): into an empty data folder and an empty database of either kind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Connection, MetaData, insert, text

from videoannotator.serve import migrating
from videoannotator.serve.backup import Backup, copy_hashed, read_note
from videoannotator.serve.errors import BackupError
from videoannotator.serve.store.database import Database

__all__ = ["restore", "verify"]

_ROWS = 500
_GAP = 1_000_000
"""Ids of events begin so far behind the last: clients that saw later ones before the restore miss nothing new."""

OnPending = Callable[[Connection, str, int, float], None]


def verify(source: Path) -> Backup:
    """Read all of a backup and hold it against its hashes and counts. Raises `BackupError`."""
    note = read_note(source)
    for name, rows in note.tables.items():
        found = sum(1 for _ in _lines(source / "tables" / f"{name}.jsonl"))
        if found != rows:
            raise BackupError(f"{source}: table {name} has {found} rows, and was written with {rows}")
    files = 0
    for line in _lines(source / "files.jsonl"):
        files += 1
        with _there(source / "files", line).open("rb") as stream:
            _compare(source, line, hashlib.file_digest(stream, "sha256").hexdigest())
    if files != note.files:
        raise BackupError(f"{source}: files.jsonl names {files} files, and was written with {note.files}")
    return note


def restore(source: Path, database: Database, data_dir: Path, *, on_pending: OnPending | None = None) -> Backup:
    """Put a backup into an empty data folder and a database without tables, which then are of the newest revision.

    Every file is copied and held against its hash before a row is written; what was begun is taken away again when
    something is wrong. Jobs that were running come back as such, and are taken up like those of a worker that died;
    ``on_pending`` is called for each that waits (see `JobStore`). Raises `BackupError`, `DatabaseVersionError`.
    """
    note = read_note(source)
    _must_be_empty(data_dir)
    part = data_dir / f"restore-{uuid.uuid4().hex[:8]}.part"
    part.mkdir(parents=True, mode=0o700)
    placed: list[Path] = []
    try:
        for line in _lines(source / "files.jsonl"):
            there = part / _plain(line["path"])
            there.parent.mkdir(parents=True, exist_ok=True)
            _compare(source, line, copy_hashed(_there(source / "files", line), there))
        for top in sorted(part.iterdir()):
            placed.append(data_dir / top.name)
            top.rename(placed[-1])

        def fill(connection: Connection) -> None:
            for name, rows in note.tables.items():
                _insert(connection, source, name, rows)
            _count_events_on(connection, database.is_sqlite, note.last_event + _GAP)

        def waiting(connection: Connection) -> None:
            asked = text("SELECT id, priority FROM jobs WHERE state = 'pending' ORDER BY created_at, id")
            for job, priority in connection.execute(asked).fetchall():
                if on_pending is not None:
                    on_pending(connection, job, priority, 0.0)

        migrating.make(database, note.revision, fill, waiting)
    except BaseException:
        for path in placed:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return note


def _must_be_empty(data_dir: Path) -> None:
    for name in ("videos", "jobs", "signing.key", "instance"):
        there = data_dir / name
        if there.is_file() or (there.is_dir() and any(there.iterdir())):
            raise BackupError(f"{there} is there already", hint="restore into an empty data folder")
        if there.is_dir():
            there.rmdir()


def _insert(connection: Connection, source: Path, name: str, rows: int) -> None:
    """The rows of one table, as the revision of the backup knows it."""
    reflected = MetaData()
    reflected.reflect(connection, only=[name], resolve_fks=False)
    table = reflected.tables[name]
    found, block = 0, []
    for row in _lines(source / "tables" / f"{name}.jsonl"):
        block.append(row)
        found += 1
        if len(block) == _ROWS:
            connection.execute(insert(table), block)
            block = []
    if block:
        connection.execute(insert(table), block)
    if found != rows:
        raise BackupError(f"{source}: table {name} has {found} rows, and was written with {rows}")


def _count_events_on(connection: Connection, sqlite: bool, last: int) -> None:
    if not sqlite:
        connection.execute(text("SELECT setval('job_events_id_seq', :last)"), {"last": last})
        return
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = 'job_events'"))
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('job_events', :last)"), {"last": last})


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is no object")
                yield row
    except (OSError, ValueError) as error:
        raise BackupError(f"{file} cannot be read: {error}", hint="use another backup") from error


def _plain(path: str) -> PurePosixPath:
    """A path that stays below; a backup may come from anywhere."""
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or not plain.parts or os.sep != "/":
        raise BackupError(f"the backup names a file outside of itself: {path!r}")
    return plain


def _there(folder: Path, line: dict[str, Any]) -> Path:
    there = folder / _plain(str(line.get("path")))
    if there.is_symlink() or not there.is_file():
        raise BackupError(f"{there} is missing", hint="use another backup")
    return there


def _compare(source: Path, line: dict[str, Any], found: str) -> None:
    if found != line.get("sha256"):
        raise BackupError(
            f"{source}: {line['path']} is not what was written: its hash is {found}, and was {line.get('sha256')}",
            hint="use another backup",
        )
