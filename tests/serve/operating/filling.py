"""Databases with something in every table, looked at as plain values."""

from __future__ import annotations

import random
import uuid
from typing import Any

from sqlalchemy import MetaData, insert, select, text

from videoannotator.serve.store.database import Database
from videoannotator.serve.store.queue_schema import apply_queue_schema
from videoannotator.serve.store.schema import STATES, metadata

Rows = dict[str, list[dict[str, Any]]]


def drop_everything(database: Database) -> None:
    """An empty PostgreSQL database."""
    with database.write() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def made_anew(database: Database) -> None:
    """As the other tests expect it: all tables, as `schema` says."""
    drop_everything(database)
    metadata.create_all(database.engine)
    with database.write() as connection:
        apply_queue_schema(connection)


def rows(*, jobs: int, owners: int = 3, seed: int = 0) -> Rows:
    """Rows of every table: ``jobs`` jobs of a few owners, in all states, on as many videos."""
    draw = random.Random(seed)

    def made() -> str:
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    people = [{"id": made(), "name": f"person {n}", "role": "researcher", "active": True, "created_at": 1.5,
               "email": None, "full_name": "Ünï 'çødé' \n %s", "quota_bytes": 2**40, "quota_jobs": None}
              for n in range(owners)]  # fmt: skip
    owner = [person["id"] for person in people]
    videos = [
        {"id": made(), "owner_id": owner[n % owners], "name": f"../session {n}.mp4", "path": f"videos/{n}.mp4",
         "stored": True, "with_jobs": n % 2 == 0, "bytes": n, "sha256": f"{n:064x}",
         "media": {"width": 640, "notices": ["none"]}, "duration": n / 3, "created_at": 100.0 + n}
        for n in range(jobs)
    ]  # fmt: skip
    batches = [{"id": made(), "owner_id": owner[0], "name": None, "created_at": 50.0}]
    made_jobs = []
    for n, video in enumerate(videos):
        state = STATES[n % len(STATES)]
        ended = state not in ("pending", "running")
        made_jobs.append(
            {"id": made(), "owner_id": video["owner_id"], "batch_id": batches[0]["id"] if n % 5 == 0 else None,
             "video_id": video["id"], "video_duration": video["duration"], "state": state, "priority": n % 3,
             "request": {"pipelines": None, "n": n}, "attempt": int(state != "pending"), "max_attempts": 3,
             "not_before": 0.0, "worker": "somebody" if state == "running" else None, "beat": n, "lease_until": None,
             "cancel_requested_at": None, "delete_requested_at": None, "stage": None, "fraction": 1.0 if ended else 0.0,
             "frames": n, "media_seconds": 0.1 * n, "eta": None, "error_code": None, "error_message": None,
             "traceparent": None, "created_at": 200.0 + n // 2, "started_at": None,
             "finished_at": 300.0 + n if ended else None}
        )  # fmt: skip
    events = [
        {"job_id": job["id"], "owner_id": job["owner_id"], "kind": "update", "data": {"status": job["state"]},
         "created_at": 400.0} for job in made_jobs
    ]  # fmt: skip
    results = [
        {"job_id": job["id"], "attempt": 1, "worker": "somebody", "folder": f"jobs/{job['id']}/attempt-1", "bytes": 10,
         "summary": {"motion": {"rows": 3}}, "created_at": 301.0}
        for job in made_jobs if job["state"] in ("completed", "partial")
    ]  # fmt: skip
    return {
        "users": people,
        "api_keys": [{"id": "k1", "user_id": owner[0], "name": "first", "digest": "0" * 64, "scopes": ["read"],
                      "created_at": 1.0, "expires_at": None, "revoked_at": None, "last_used_at": 2.25}],
        "videos": videos,
        "uploads": [{"id": made(), "owner_id": owner[0], "name": "x.mp4", "length": 10, "received": 5, "metadata": {},
                     "video_id": videos[0]["id"] if videos else None, "error": None, "created_at": 1.0,
                     "expires_at": 2.0}],
        "batches": batches,
        "jobs": made_jobs,
        "job_results": results,
        "job_events": events,
        "templates": [{"id": made(), "owner_id": owner[0], "name": "mine", "description": None, "shared": True,
                       "request": {"pipelines": ["motion"]}, "created_at": 1.0, "updated_at": 1.0}],
        "idempotency": [{"user_id": owner[0], "route": "POST /jobs", "key": "k", "body_sha256": "1" * 64, "status": 201,
                         "response": {"id": "x"}, "created_at": 3.0}],
        "revoked_tokens": [{"id": "t1", "expires_at": 5.0}],
        "about": [{"name": "instance", "value": "here"}],
        "workers": [{"id": "here:1", "host": "here", "pid": 1, "executor": "local", "info": {"devices": ["cpu"]},
                     "started_at": 1.0, "seen_at": 2.0}],
    }  # fmt: skip


def fill(database: Database, *, jobs: int, owners: int = 3, seed: int = 0) -> Rows:
    """Put `rows` into an empty database, and give what is there then."""
    wanted = rows(jobs=jobs, owners=owners, seed=seed)
    assert wanted.keys() == metadata.tables.keys(), "a new table needs rows here"
    with database.write() as connection:
        for table in metadata.sorted_tables:
            if wanted[table.name]:
                connection.execute(insert(table), wanted[table.name])
    return everything(database)


def everything(database: Database) -> Rows:
    """All rows of all tables, as they are in the database now (with columns of later revisions)."""
    there = MetaData()
    with database.read() as connection:
        there.reflect(connection, only=sorted(metadata.tables))
        return {
            name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for name, table in sorted(there.tables.items())
        }
