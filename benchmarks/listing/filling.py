"""A hundred thousand jobs and what belongs to them, put into a database in seconds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import Table

from videoannotator.serve.request import JobRequest
from videoannotator.serve.service import Service
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import (
    api_keys,
    batches,
    job_events,
    job_results,
    jobs,
    metadata,
    templates,
    uploads,
    users,
    videos,
)

__all__ = ["JOBS", "PENDING", "RUNNING", "fill"]

JOBS = 100_000
RUNNING = 4
PENDING = 1000
OWNERS = 20
_USERS = 2000
_BATCH = 500
"""Jobs of a batch; every second job is in one."""
_LONG_AGO = 1_600_000_000.0
_PARTIAL, _FAILED = 40, 50
"""One job of so many."""

Rows = Iterator[dict[str, Any]]

_MEDIA = json.dumps(
    {
        "container": "mov,mp4,m4a,3gp,3g2,mj2",
        "duration": 612.48,
        "still": False,
        "video": {"codec": "h264", "width": 1920, "height": 1080, "frames": 15312, "rate": 25.0,
                  "variable_rate": False, "rotation": 0, "interlaced": False, "bit_depth": 8},
        "audio": {"codec": "aac", "sample_rate": 48000, "channels": 2},
        "notices": [],
    }
)  # fmt: skip
_REQUEST = json.dumps(
    JobRequest(pipelines=("person_tracking", "scene_detection", "speech_recognition"), template="study 4").plain()
)
_SUMMARY = json.dumps(
    {
        "name": "session",
        "span": [0.0, 612.48],
        "media": {"duration": 612.48, "sha256": "0" * 64},
        "pipelines": {
            name: {"ok": True, "rows": {"detections": 30600}, "failures": [], "seconds": 81.25, "version": "1.0.0",
                   "coverage": {"spans": [[0.0, 612.48]], "duration": 612.48, "rate": 25.0}, "device": "cpu",
                   "models": [{"name": "yolo11n", "source": "ultralytics", "sha256": "1" * 64, "licence": "AGPL-3.0"}]}
            for name in ("person_tracking", "scene_detection", "speech_recognition")
        },
        "files": {"native": ["session.videoannotator"], "coco": ["session_person_tracking.json"]},
    }
)  # fmt: skip


def _id(kind: str, n: int) -> str:
    """An id in no order, as those of jobs are."""
    return f"{(n * 2654435761) % 2**32:08x}-0000-4000-8000-{kind}{n:011x}"


def _owner(n: int) -> str:
    return _id("a", (n * n) % OWNERS)  # some have many, some few, some none


def _state(n: int) -> str:
    if n >= JOBS - RUNNING:
        return "running"
    if n >= JOBS - RUNNING - PENDING:
        return "pending"
    return "failed" if n % _FAILED == 0 else "partial" if n % _PARTIAL == 1 else "completed"


def _users() -> Rows:
    for n in range(_USERS):
        yield {"id": _id("a", n), "name": f"user {n}", "role": "guest", "active": True, "created_at": _LONG_AGO + n}


def _keys() -> Rows:
    for n in range(_USERS * 2):
        yield {"id": f"k{n}", "user_id": _id("a", n % 50), "name": "key", "digest": "0" * 64, "scopes": '["read"]',
               "created_at": _LONG_AGO + n}  # fmt: skip


def _templates() -> Rows:
    for n in range(_USERS * 2):
        yield {"id": _id("e", n), "owner_id": _id("a", n % 50), "name": f"template {n}", "shared": n % 100 == 0,
               "request": _REQUEST, "created_at": _LONG_AGO + n, "updated_at": _LONG_AGO + n}  # fmt: skip


def _uploads() -> Rows:
    for n in range(_USERS * 2):
        yield {"id": _id("f", n), "owner_id": _id("a", n % 50), "name": "x.mp4", "length": 1000, "received": n % 1000,
               "metadata": "{}", "created_at": _LONG_AGO + n, "expires_at": 1e11}  # fmt: skip


def _batches() -> Rows:
    for n in range(_USERS):  # the newest of them have jobs
        yield {"id": _id("b", n), "owner_id": _id("a", n % OWNERS), "name": "study", "created_at": _LONG_AGO - n}


def _videos() -> Rows:
    for n in range(JOBS):
        yield {"id": _id("c", n), "owner_id": _owner(n), "name": f"session {n}.mp4", "path": f"videos/{n}.mp4",
               "stored": True, "bytes": 250_000_000, "sha256": f"{n // 3:064x}", "media": _MEDIA, "duration": 612.48,
               "with_jobs": True, "created_at": _LONG_AGO + n}  # fmt: skip


def _jobs() -> Rows:
    for n in range(JOBS):
        state = _state(n)
        begun, ended = state != "pending", state not in ("pending", "running")
        yield {"id": _id("d", n), "owner_id": _owner(n), "batch_id": None if n % 2 else _id("b", n // 2 // _BATCH),
               "video_id": _id("c", n), "video_duration": 612.48, "state": state, "priority": n % 3,
               "request": _REQUEST, "attempt": int(begun), "max_attempts": 3, "not_before": 0.0,
               "worker": "me" if state == "running" else None, "beat": 0,
               "fraction": float(ended), "frames": 15312 * ended, "media_seconds": 612.48 * ended,
               "error_code": "PIPELINE_FAILED" if state in ("failed", "partial") else None,
               "created_at": _LONG_AGO + n, "started_at": _LONG_AGO + n if begun else None,
               "finished_at": _LONG_AGO + n + 1 if ended else None}  # fmt: skip


def _results() -> Rows:
    for n in range(JOBS - RUNNING - PENDING):
        yield {"job_id": _id("d", n), "attempt": 1, "worker": "me", "folder": f"jobs/{_id('d', n)}/attempt-1",
               "bytes": 1_000_000, "summary": _SUMMARY, "created_at": _LONG_AGO + n}  # fmt: skip


def _events() -> Rows:
    for n in range(JOBS):
        yield {"id": n + 1, "job_id": _id("d", n), "owner_id": _owner(n), "kind": "complete",
               "data": '{"status": "completed", "error_message": null}', "created_at": _LONG_AGO + n}  # fmt: skip


_ALL: tuple[tuple[Table, Callable[[], Rows]], ...] = (
    (users, _users),
    (api_keys, _keys),
    (templates, _templates),
    (batches, _batches),
    (videos, _videos),
    (uploads, _uploads),
    (jobs, _jobs),
    (job_results, _results),
    (job_events, _events),
)


def fill(service: Service) -> None:
    """Fill the empty tables; indexes are made again at the end, which is quicker than keeping them."""
    database = service.database
    indexes = [index for table in metadata.tables.values() for index in table.indexes]
    for index in indexes:
        index.drop(database.engine)
    (_into_sqlite if database.is_sqlite else _into_postgres)(database)
    for index in indexes:
        index.create(database.engine)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")


def _into_sqlite(database: Database) -> None:
    with closing(sqlite3.connect(database.url.database or "")) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        for table, rows in _ALL:
            names = list(next(rows()))
            statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
            connection.executemany(statement, (tuple(row.values()) for row in rows()))


def _into_postgres(database: Database) -> None:
    connection = database.engine.raw_connection()
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):  # what these rows point to is there: looking for it takes half of the time
            cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in _ALL:
            with cursor.copy(f"COPY {table.name} ({', '.join(next(rows()))}) FROM STDIN") as copy:  # type: ignore[attr-defined]  # psycopg's
                for row in rows():
                    copy.write_row(tuple(row.values()))
        cursor.execute("SELECT setval(pg_get_serial_sequence('job_events', 'id'), %s)", (JOBS,))
        connection.commit()
