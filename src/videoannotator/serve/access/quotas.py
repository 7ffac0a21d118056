"""How much one user may have: stored bytes, jobs that wait or run, open event streams."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, func, select

from videoannotator.serve.errors import QuotaError
from videoannotator.serve.settings import Limits
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import job_results, jobs, uploads, users, videos

__all__ = ["Quotas", "Streams"]


class Quotas:
    """Asks the database what a user has. A user's own quota goes before the server's; without either, all is allowed.

    Call these in the transaction that adds something: it then holds the user's row, so that two requests at the same
    time cannot both take the last place.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def require_bytes(self, connection: Connection, user_id: str, more: int, *, besides: str | None = None) -> None:
        """Raises `QuotaError` when the user's files and ``more`` bytes are above the quota.

        ``besides``: an upload not to count, because ``more`` is its file.
        """
        allowed = self._allowed(connection, user_id, "quota_bytes", self._limits.user_bytes)
        if allowed is None:
            return
        stored = self.stored(connection, user_id, besides=besides)
        if stored + more > allowed:
            raise QuotaError(
                f"{_size(more)} more is above the quota: {_size(stored)} of {_size(allowed)} are in use",
                hint="delete videos or jobs that are not needed any more, or ask an admin for more",
                code="QUOTA_BYTES",
            )

    def require_jobs(self, connection: Connection, user_id: str, more: int = 1) -> None:
        """Raises `QuotaError` when the user's waiting and running jobs and ``more`` are above the quota."""
        allowed = self._allowed(connection, user_id, "quota_jobs", self._limits.user_jobs)
        if allowed is None:
            return
        active = self.active(connection, user_id)
        if active + more > allowed:
            raise QuotaError(
                f"{active} jobs are waiting or running, and {allowed} are allowed at once: no place for {more} more",
                hint="wait until some have ended, or cancel some",
                code="QUOTA_JOBS",
                headers={"Retry-After": "30"},
            )

    def stored(self, connection: Connection, user_id: str, *, besides: str | None = None) -> int:
        """Bytes of the user's stored videos, results and unfinished uploads (these count with their whole length)."""
        owned = jobs.c.owner_id == user_id
        waiting = select(func.sum(uploads.c.length)).where(
            uploads.c.owner_id == user_id, uploads.c.video_id.is_(None), uploads.c.error.is_(None)
        )
        if besides is not None:
            waiting = waiting.where(uploads.c.id != besides)
        sums: list[Any] = [
            select(func.sum(videos.c.bytes)).where(videos.c.owner_id == user_id, videos.c.stored),
            select(func.sum(job_results.c.bytes)).join_from(job_results, jobs).where(owned),
            waiting,
        ]
        return sum(int(connection.execute(one).scalar_one() or 0) for one in sums)

    def active(self, connection: Connection, user_id: str) -> int:
        """How many of the user's jobs wait or run."""
        wanted = select(func.count()).where(jobs.c.owner_id == user_id, jobs.c.state.in_(("pending", "running")))
        return int(connection.execute(wanted).scalar_one())

    def _allowed(self, connection: Connection, user_id: str, column: str, default: int | None) -> int | None:
        wanted = select(users.c[column]).where(users.c.id == user_id)
        own = connection.execute(
            wanted if self._database.is_sqlite else wanted.with_for_update(key_share=True)
        ).scalar_one_or_none()
        return default if own is None else int(own)


class Streams:
    """Counts the event streams that are open in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        """Of everybody."""
        return self._open.total()

    @contextmanager
    def place(self, user_id: str) -> Iterator[None]:
        """Holds a place while the stream is open. Raises `QuotaError`."""
        with self._lock:
            if self._open[user_id] >= self._most:
                raise QuotaError(
                    f"{self._most} event streams are open already",
                    hint="close one, or follow all jobs with one stream: leave out job_id",
                    code="QUOTA_STREAMS",
                    headers={"Retry-After": "10"},
                )
            self._open[user_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[user_id] -= 1
                if not self._open[user_id]:
                    del self._open[user_id]


def _size(count: int) -> str:
    units = ("bytes", "kB", "MB", "GB", "TB")
    power = 0 if count < 1000 else min(len(units) - 1, int(math.log10(count) // 3))
    return f"{count / 1000**power:.3g} {units[power]}"
