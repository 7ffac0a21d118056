"""Who holds what of a machine's devices, and who waits: one book for every process of a user on this machine.

The book is a file of JSON, changed only under a file lock. What belongs to a process that is gone does not count, so
nothing has to be tidied up after one that was killed. It lies where no two machines share files.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import psutil
from filelock import FileLock

from videoannotator.data.convert import structure, unstructure
from videoannotator.errors import DataError

__all__ = ["Book", "Holding", "Ledger", "Waiting", "ledger_folder", "new_owner", "process_of"]

_log = logging.getLogger(__name__)
_GONE = 5.0
"""Seconds without a sign after which one who waits does not count: it was stopped, and would hold up all others."""

_STUCK = 30.0
"""Seconds for which one process may have the book: it takes milliseconds, so one that has it longer was stopped."""


@attrs.frozen
class Holding:
    """What one manager has of one device, in bytes.

    ``device``: its identity. ``base``: what its process had in use there without any lease and any model. ``idle``:
    models that nobody uses now. ``reserved``: what the process kept from others when it looked last. ``leases``: budget
    by who holds it, with names for people.
    """

    device: str
    base: int = 0
    idle: int = 0
    reserved: int = 0
    leases: tuple[tuple[str, int], ...] = ()

    @property
    def expected(self) -> int:
        """What it may come to use."""
        return max(self.reserved, self.base + self.idle + sum(size for _, size in self.leases))


@attrs.frozen
class Waiting:
    """Somebody waits for a device. ``since``: when it began to. ``seen``: when it last looked. Seconds of the clock."""

    device: str
    asker: str
    since: float
    seen: float


@attrs.define
class Book:
    """All of it, by manager. Each manager changes its own page."""

    holdings: dict[str, list[Holding]] = attrs.field(factory=dict)
    waiting: dict[str, list[Waiting]] = attrs.field(factory=dict)

    def first(self, device: str, asker: str, since: float) -> bool:
        """True when nobody has waited for ``device`` longer than ``asker``, who has since ``since``."""
        now = time.time()
        others = (
            (waiting.since, waiting.asker)
            for page in self.waiting.values()
            for waiting in page
            if waiting.device == device and waiting.asker != asker and now - waiting.seen < _GONE
        )
        return (since, asker) < min(others, default=(float("inf"), ""))


class Ledger:
    """The book, opened by one process at a time.

    ``folder``: where it lies; None keeps it in memory, for one process alone. One that cannot be used is said once in
    the log, and then it is kept in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: dict[str, Any] = {}  # plain pages by owner, where there is no file

    @contextmanager
    def open(self) -> Iterator[Book]:
        """The book, for reading and writing, while nobody else has it. What is changed is kept when the block ends."""
        with self._lock, self._held():
            pages = self._read()
            book = Book()
            for owner, page in pages.items():
                if not _alive(owner):
                    continue
                try:
                    book.holdings[owner] = [structure(Holding, one) for one in page["holdings"]]
                    book.waiting[owner] = [structure(Waiting, one) for one in page["waiting"]]
                except (DataError, KeyError, TypeError) as error:  # another version of this library is at work, too
                    _log.warning("what process %s holds of the devices cannot be read: %s", process_of(owner), error)
            yield book
            self._write(
                {
                    owner: {
                        "holdings": unstructure(book.holdings.get(owner, [])),
                        "waiting": unstructure(book.waiting.get(owner, [])),
                    }
                    for owner in {*book.holdings, *book.waiting}
                }
            )

    @contextmanager
    def _held(self) -> Iterator[None]:
        if self._folder is None:
            yield
            return
        lock = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._folder / "devices.lock", thread_local=False)
            lock.acquire(timeout=_STUCK)  # what is late is an OSError, too
        except OSError as error:
            _log.warning("%s cannot be used, so devices are not shared with other processes: %s", self._folder, error)
            self._folder, lock = None, None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _read(self) -> dict[str, Any]:
        if self._folder is None:
            return self._kept
        try:
            return dict(json.loads((self._folder / "devices.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):  # nobody has written yet; it is written whole or not at all
            return {}

    def _write(self, pages: dict[str, Any]) -> None:
        if self._folder is None:
            self._kept = pages
            return
        handle, working = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(pages, file)
            os.replace(working, self._folder / "devices.json")
        except OSError as error:  # a full disk: others cannot see what we hold, and nothing else is wrong
            _log.warning("who holds which device could not be written down: %s", error)
            with suppress(OSError):
                os.unlink(working)


def ledger_folder() -> Path:
    """Where the book of this user and machine lies: ``VIDEOANNOTATOR_RUNTIME``, or where such files belong."""
    chosen = os.environ.get("VIDEOANNOTATOR_RUNTIME")
    if chosen:
        return Path(chosen)
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and Path(session).is_dir():
        return Path(session) / "videoannotator"
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir()) / f"videoannotator-{user}"


def new_owner() -> str:
    """A page of its own for this process: process number, when it began, and something that nobody else has."""
    return f"{os.getpid()}-{_began(os.getpid())!r}-{uuid.uuid4().hex}"


@cache
def _began(pid: int) -> float:
    return psutil.Process(pid).create_time()


def process_of(owner: str) -> int:
    """The number of the process whose page it is."""
    return int(owner.partition("-")[0])


def _alive(owner: str) -> bool:
    pid, began, _ = owner.split("-")
    if int(pid) == os.getpid():
        return float(began) == _began(os.getpid())
    try:
        process = psutil.Process(int(pid))
        # one that has ended and was not asked for its exit status yet holds nothing any more
        return process.create_time() == float(began) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's process has that number now, or it is there and not ours to ask
        return psutil.pid_exists(int(pid))
