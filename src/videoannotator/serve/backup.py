"""Backups of a server that goes on working, and their return: the same for SQLite and PostgreSQL.

A backup is a folder::

    backup.json            what it is: version, revision of the tables, when, how many rows and files
    tables/{name}.jsonl    one row a line, as a JSON object; all tables as they were at one moment
    files.jsonl            one file a line: path, bytes, sha256
    files/...              videos, results and the signing key, as they lie in the data folder

Rows are read in one transaction, which sees one moment and stops nobody. Files of videos and results never change once
a row names them; they are linked where the backup is on the same disk (a link costs no room), and copied otherwise.
What a user keeps in server folders of their own (videos that were not uploaded, results written to an
``output_directory``) is theirs, and is not in it; neither are unfinished uploads and the cache.

A backup of one database can be restored into the other kind, and into a newer version of this program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import attrs
from sqlalchemy import Connection, select, text

from videoannotator import __version__
from videoannotator.serve import instance, migrating
from videoannotator.serve.errors import BackupError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import metadata

__all__ = ["Backup", "backup", "read_note"]

_KIND = "videoannotator-backup"
_LAYOUT = 1
_NOTE = "backup.json"
_BLOCK = 1024 * 1024
_TRIES = 3
_ALONE = ("signing.key", instance.FILE)


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


@attrs.frozen(kw_only=True)
class Backup:
    """What a backup holds. ``missing``: files that rows name and that were not there. ``bytes``: of the files.

    ``last_event``: the highest id that an event ever had. ``tables``: rows of each, parents first.
    """

    layout: int = _LAYOUT
    program: str = __version__
    revision: str
    made_at: str
    database: str
    last_event: int
    tables: dict[str, int]
    files: int = 0
    bytes: int = 0
    missing: tuple[str, ...] = attrs.field(default=(), converter=_texts)


def backup(database: Database, data_dir: Path, target: Path, *, links: bool = True) -> Backup:
    """Write a backup to the folder ``target``, which must not be there, or be empty.

    It appears whole or not at all. ``links``: hard links instead of copies where that is possible. Raises
    `BackupError`, `StorageFullError`, `DatabaseUnavailable`.
    """
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is there already", hint="name a folder that is not there")
    if target.is_relative_to(data_dir.absolute()):
        raise BackupError(f"{target} is inside the data folder", hint="name a folder outside, better on another disk")
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    part.mkdir(parents=True)
    try:
        note = _fill(database, data_dir, part, links)
        _write_json(part / _NOTE, {"kind": _KIND, **attrs.asdict(note)})
        _sync(part)
        if target.exists():
            target.rmdir()
        part.rename(target)
        _sync(target.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return note


def _fill(database: Database, data_dir: Path, part: Path, links: bool) -> Backup:
    """Rows, then their files; again, when files went between the two because somebody deleted them meanwhile."""
    before: set[str] | None = None
    for _ in range(_TRIES):
        note, wanted = _write_tables(database, part / "tables")
        lines, missing = list[dict[str, Any]](), set[str]()
        for path, digest in wanted:
            copied = _keep(data_dir, path, part / "files" / path, digest, links)
            lines.extend(copied)
            if not copied:
                missing.add(path)
        if not missing or missing == before:
            break
        before = missing
    lines.extend(line for name in _ALONE for line in _keep(data_dir, name, part / "files" / name, None, False))
    with (part / "files.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        _flush(stream)
    kept = {line["path"] for line in lines}
    for left in _files(part / "files"):
        if left.relative_to(part / "files").as_posix() not in kept:
            left.unlink()  # of a job that was deleted between two tries
    return attrs.evolve(
        note, files=len(lines), bytes=sum(line["bytes"] for line in lines), missing=tuple(sorted(missing))
    )


def _write_tables(database: Database, folder: Path) -> tuple[Backup, list[tuple[str, str | None]]]:
    """All rows as they are at one moment, and which files they name (with their hashes, where rows know them)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    revision = migrating.current(database).found
    if revision is None:
        raise BackupError("the database has no tables yet", hint="start the server, or run 'videoannotator db upgrade'")
    migrating.check(database)
    rows: dict[str, int] = {}
    wanted: list[tuple[str, str | None]] = []
    with database.snapshot() as connection:
        for table in metadata.sorted_tables:
            with (folder / f"{table.name}.jsonl").open("w", encoding="utf-8") as stream:
                found = connection.execute(select(table).order_by(*table.primary_key)).yield_per(1000)
                rows[table.name] = 0
                for row in found.mappings():
                    stream.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
                    rows[table.name] += 1
                    if table.name == "videos" and row["stored"]:
                        wanted.append((row["path"], row["sha256"]))
                    elif table.name == "job_results" and not os.path.isabs(row["folder"]):
                        wanted.append((row["folder"], None))
                _flush(stream)
        last = _last_event(connection, database.is_sqlite)
    note = Backup(
        revision=revision,
        made_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        database="sqlite" if database.is_sqlite else "postgresql",
        last_event=last,
        tables=rows,
    )
    return note, wanted


def _last_event(connection: Connection, sqlite: bool) -> int:
    asked = (
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'job_events'"
        if sqlite
        else "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM job_events_id_seq"
    )
    return int(connection.execute(text(asked)).scalar_one())


def _keep(data_dir: Path, path: str, target: Path, digest: str | None, links: bool) -> list[dict[str, Any]]:
    """Link or copy a file, or all files of a folder; one line for each, none when there is nothing."""
    source = data_dir / path
    lines = []
    with suppress(FileNotFoundError):
        for file in [source] if source.is_file() else list(_files(source)):
            below = file.relative_to(source)
            there = target / below
            there.parent.mkdir(parents=True, exist_ok=True)
            there.unlink(missing_ok=True)
            found = _link(file, there, digest) if links else None
            if found is None:
                found = copy_hashed(file, there)
            lines.append({"path": (Path(path) / below).as_posix(), "bytes": there.stat().st_size, "sha256": found})
        return lines
    return []


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, in order; links are not followed."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / name for name in sorted(names) if not (Path(parent) / name).is_symlink())


def _link(file: Path, there: Path, digest: str | None) -> str | None:
    """Link it, and give its hash; None where the disk, or its kind, does not allow it."""
    try:
        os.link(file, there)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    if digest is not None:
        return digest
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def copy_hashed(file: Path, there: Path) -> str:
    """Copy it to the disk, and give the hash of what was read."""
    digest = hashlib.sha256()
    with file.open("rb") as source, there.open("xb") as target:
        os.fchmod(target.fileno(), os.fstat(source.fileno()).st_mode & 0o777)
        while block := source.read(_BLOCK):
            digest.update(block)
            target.write(block)
        _flush(target)
    return digest.hexdigest()


def read_note(source: Path) -> Backup:
    """What a backup says of itself. Raises `BackupError` when it is none, or of a later layout."""
    try:
        told = json.loads((source / _NOTE).read_text("utf-8"))
        if told.pop("kind") != _KIND:
            raise KeyError("kind")
        layout = told["layout"]
        if layout > _LAYOUT:
            raise BackupError(
                f"{source} was made by VideoAnnotator {told.get('program')}, and is of a layout unknown here",
                hint="restore it with that version or a newer one",
            )
        return Backup(**told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(
            f"{source} is no backup of this program: {error!r}", hint="name the folder that has backup.json in it"
        ) from error


def _flush(stream: BinaryIO | Any) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _write_json(path: Path, value: Any) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=2)
        _flush(stream)
