"""Workers: who is there, where, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import delete, insert, select, update

from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.schema import jobs, workers

__all__ = ["WorkerRow", "WorkerStore"]


@attrs.frozen
class WorkerRow:
    """A worker, as it was written down last. ``age``: seconds since then, by the database's clock."""

    id: str
    host: str
    pid: int
    executor: str
    info: dict[str, Any]
    started_at: float
    seen_at: float
    age: float


class WorkerStore:
    """Every statement about workers."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def arrive(self, worker: str, host: str, pid: int, executor: str, info: Mapping[str, Any]) -> None:
        """Write down that a worker is there: now, and again whenever its row may have been removed."""
        with self.database.write() as connection:
            seen = update(workers).where(workers.c.id == worker).values(seen_at=moment())
            if connection.execute(seen).rowcount:
                return
            connection.execute(
                insert(workers).values(
                    id=worker,
                    host=host,
                    pid=pid,
                    executor=executor,
                    info=dict(info),
                    started_at=moment(),
                    seen_at=moment(),
                )
            )

    def leave(self, worker: str) -> None:
        """A worker is gone, or goes; jobs that it may have are not touched by this."""
        with self.database.write() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker))

    def all(self) -> list[WorkerRow]:
        """Everybody who is written down."""
        with self.database.read() as connection:
            found = connection.execute(select(*workers.c, (moment() - workers.c.seen_at).label("age")))
            return [WorkerRow(**row._mapping) for row in found]

    def forget(self, unseen: float) -> int:
        """Remove those that nobody has seen for so many seconds, and that have no job; returns how many."""
        has_jobs = select(jobs.c.id).where(jobs.c.worker == workers.c.id).exists()
        gone = delete(workers).where(workers.c.seen_at < moment() - unseen, ~has_jobs)
        with self.database.write() as connection:
            return connection.execute(gone).rowcount
