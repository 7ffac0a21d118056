"""A PostgreSQL of a test's own, that may be stopped hard."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest


def _programs() -> Path:
    """The folder of the server's programs; skips, saying so, where there are none."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
    for place in [*known, *map(Path, filter(None, [os.path.dirname(shutil.which("pg_ctl") or "")]))]:
        if (place / "initdb").exists() and (place / "pg_ctl").exists():
            return place
    pytest.skip("no PostgreSQL server programs (initdb, pg_ctl) on this machine")


@attrs.frozen
class Cluster:
    """A running server. ``url``: of its database."""

    programs: Path
    folder: Path
    port: int
    more: dict[str, Any]

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # it is the programs that are stopped, not the machine: what they wrote is there without being forced onto the
        # disk, and a start need not do so with every file, which takes seconds
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.folder}"
        self._control("start", "-o", options, "-l", str(self.folder / "log"), "-w")

    def stop(self) -> None:
        """As hard as a power cut: nothing is said to anybody, and what is committed has to be found in its log."""
        self._control("stop", "-m", "immediate")

    def _control(self, *words: str) -> None:
        command = [str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self.more)


@contextmanager
def own_postgres() -> Iterator[Cluster]:
    """Made in a folder of its own, by somebody without privileges: PostgreSQL will not run as root."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="va-pg-", dir="/tmp"))
    more: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        person = pwd.getpwnam("nobody")
        os.chown(folder, person.pw_uid, person.pw_gid)
        more |= {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = Cluster(programs, folder, port, more)
    try:
        make = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, **more)
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
