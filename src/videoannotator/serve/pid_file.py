"""Which server works on a data folder: ``server.pid``, so that it can be found and stopped. Nothing of the extra.

A file whose process is gone, or whose number another process has now (they differ in when they began), is no server.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import filelock
import psutil

from videoannotator.errors import ServerError

__all__ = ["Running", "claimed", "find"]

NAME = "server.pid"


@attrs.frozen
class Running:
    """A server that runs, or did. ``started``: when its process began, seconds since 1970; ``host``: the machine."""

    pid: int
    started: float
    host: str
    address: str

    @classmethod
    def here(cls, address: str) -> Running:
        """This process."""
        own = psutil.Process()
        return cls(own.pid, own.create_time(), socket.gethostname(), address)

    @property
    def is_here(self) -> bool:
        """True on the machine of the server."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """True while that very process is there. Of another machine this cannot be told: then True."""
        if not self.is_here:
            return True
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def find(data_dir: Path) -> Running | None:
    """The server of this folder, if one runs."""
    found = _read(data_dir / NAME)
    return found if found is not None and found.alive else None


def _read(file: Path) -> Running | None:
    try:
        plain: Any = json.loads(file.read_text(encoding="utf-8"))
        return Running(int(plain["pid"]), float(plain["started"]), str(plain["host"]), str(plain["address"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none there, or one that was cut off while it was written: nobody's


@contextmanager
def claimed(data_dir: Path, address: str, *, shared: bool = False) -> Iterator[Running]:
    """Be the server of this folder while the block lasts. Raises `ServerError` when another one is.

    ``shared``: servers of other machines may work on this folder, too (with PostgreSQL as their database).
    """
    file, mine = data_dir / NAME, Running.here(address)
    with filelock.FileLock(data_dir / f"{NAME}.lock", timeout=10):
        other = find(data_dir)
        if other is not None and other != mine and not (shared and not other.is_here):
            where = "" if other.is_here else f" on {other.host}"
            raise ServerError(
                f"a server runs on {data_dir} already{where}: process {other.pid}, {other.address}; stop it with: "
                "videoannotator server stop, or give this one another --data-dir"
            )
        part = file.with_name(f"{NAME}.{os.getpid()}")
        part.write_text(json.dumps(attrs.asdict(mine)), encoding="utf-8")
        part.replace(file)
    try:
        yield mine
    finally:
        if _read(file) == mine:
            file.unlink(missing_ok=True)
