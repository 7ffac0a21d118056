"""Whether the server can work now, and if not, why.

`alive` is for whoever restarts a process (it looks at nothing else), `ready` for whoever sends work to it.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from videoannotator.serve import migrating
from videoannotator.serve.errors import RefusedError
from videoannotator.serve.store.workers import WorkerStore

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["Check", "Health", "disk_bytes", "is_ready"]

_PATIENCE = 5.0
"""Seconds that a check may take; a database that hangs would hang the answer, too."""
_FRESH = 1.0
"""Seconds for which an answer is good: who asks needs no key, so that asking often must cost next to nothing."""
_LEAST = 16 * 1024**2
"""Bytes without which the database cannot be relied on to write."""


@attrs.frozen
class Check:
    """``status``: ok; warning: works, and somebody should look; failing: does not work."""

    name: str
    status: str
    message: str

    @property
    def works(self) -> bool:
        """True unless it is failing."""
        return self.status != "failing"


def is_ready(checks: list[Check]) -> bool:
    """True when nothing fails."""
    return all(check.works for check in checks)


def disk_bytes(folder: Path) -> tuple[int, int]:
    """Bytes of the disk that holds a folder, and those that are free for us."""
    found = shutil.disk_usage(folder)
    return found.total, found.free


class Health:
    """The checks of a service. At most one of each kind runs at a time, and one a second, however often it is asked."""

    def __init__(self, service: Service, *, patience: float = _PATIENCE) -> None:
        self._service = service
        self._patience = patience
        self._workers = WorkerStore(service.database)
        self._running: dict[str, _Asked] = {}
        self._lock = threading.Lock()

    def checks(self) -> list[Check]:
        """Database, disk, workers."""
        return [
            self._asked("database", self._database),
            self._asked("disk", self._disk),
            self._asked("workers", self._any_worker),
        ]

    def _asked(self, name: str, look: Callable[[], Check]) -> Check:
        with self._lock:
            asked = self._running.get(name)
            if asked is None or asked.is_stale:
                asked = self._running[name] = _Asked(name, look)
        return asked.wait(self._patience)

    def _database(self) -> Check:
        database = self._service.database
        began = time.monotonic()
        with database.read() as connection:
            connection.execute(text("SELECT 1 FROM jobs LIMIT 1")).all()
            writes = database.is_sqlite or connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        took = time.monotonic() - began
        if not writes:
            return Check("database", "failing", "it can be read, and not written")
        version = migrating.current(database)
        if version.found is not None and not version.is_newest:
            return Check("database", "failing", f"its tables are of revision {version.found}, not {version.newest}")
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
        return Check("database", "ok", f"{kind} answers in {took * 1000:.0f} ms")

    def _disk(self) -> Check:
        folder = self._service.settings.data_dir
        if not os.access(folder, os.W_OK):
            return Check("disk", "failing", "the data folder cannot be written to")
        _, free = disk_bytes(folder)
        room = f"{free / 1e9:.1f} GB are free"
        if free < _LEAST:
            return Check("disk", "failing", f"{room}: too little to write to the database")
        if free < self._service.settings.limits.free_bytes:
            return Check("disk", "warning", f"{room}: uploads are refused")
        return Check("disk", "ok", room)

    def _any_worker(self) -> Check:
        seen = [worker.age for worker in self._workers.all()]
        # a worker says that it is there with each heartbeat; one that missed a lease is not counted
        there = [age for age in seen if age <= self._service.settings.jobs.lease]
        if there:
            one = "worker is" if len(there) == 1 else "workers are"
            return Check("workers", "ok", f"{len(there)} {one} there, seen {min(there):.0f} s ago")
        if seen:
            return Check("workers", "failing", f"no worker has been seen for {min(seen):.0f} s: jobs wait")
        return Check("workers", "failing", "no worker is there: jobs wait")


class _Asked:
    """A check in a thread of its own: one that hangs keeps nobody waiting for longer than they want."""

    def __init__(self, name: str, look: Callable[[], Check]) -> None:
        self._name = name
        self._look = look
        self._done = threading.Event()
        self._began = time.monotonic()
        self._ended = 0.0
        self.answer: Check | None = None
        threading.Thread(target=self._run, name=f"videoannotator:check:{name}", daemon=True).start()

    @property
    def is_stale(self) -> bool:
        """True when it has answered, and that was a while ago."""
        return self._done.is_set() and time.monotonic() - self._ended >= _FRESH

    def wait(self, patience: float) -> Check:
        self._done.wait(max(0.0, self._began + patience - time.monotonic()))
        if self.answer is None:
            waited = time.monotonic() - self._began
            return Check(self._name, "failing", f"no answer for {waited:.0f} s")
        return self.answer

    def _run(self) -> None:
        try:
            self.answer = self._look()
        except (RefusedError, SQLAlchemyError, OSError) as error:
            self.answer = Check(self._name, "failing", str(error))
        finally:
            if self.answer is None:
                self.answer = Check(self._name, "failing", "the check itself failed; the log has the reason")
            self._ended = time.monotonic()
            self._done.set()
