"""Every list of the server over 100 000 jobs: ``python -m benchmarks.listing``; ``--postgres URL`` for that as well.

Prints one JSON object: by database and list, milliseconds of the median call and of the slowest but five of a hundred.
Ends with 1 when one of these is above ``--limit`` milliseconds. What the plans are is the business of
``tests/serve/operating/test_many_jobs.py``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.listing.asking import asked
from benchmarks.listing.filling import JOBS, fill
from sqlalchemy import create_engine, make_url, text

from videoannotator.serve import migrating
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

__all__ = ["failings", "measure"]

Times = dict[str, dict[str, float]]
"""By list: milliseconds, ``p50`` and ``p95``."""


def measure(service: Service, rounds: int) -> Times:
    """Each list so many times, in turn: what else the machine does falls on all of them."""
    lists = asked(service)
    for ask in lists.values():
        ask()
    gc.collect()
    gc.freeze()  # as the server does when it begins
    times: dict[str, list[float]] = {name: [] for name in lists}
    for _ in range(rounds):
        for name, ask in lists.items():
            times[name].append(_seconds(ask))
    return {name: {"p50": _at(taken, 0.5), "p95": _at(taken, 0.95)} for name, taken in times.items()}


def _seconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _at(times: list[float], part: float) -> float:
    """Milliseconds that ``part`` of them keep to."""
    return round(sorted(times)[min(len(times) - 1, int(len(times) * part))] * 1000, 2)


def failings(found: dict[str, Times], limit: float) -> list[str]:
    """Lists whose p95 is above ``limit`` milliseconds."""
    return [
        f"{database}: {name}: p95 is {took['p95']} ms"
        for database, times in found.items()
        for name, took in times.items()
        if took["p95"] > limit
    ]


@contextmanager
def _postgres(url: str) -> Iterator[str]:
    """A database of our own on that server."""
    there = make_url(url).set(drivername="postgresql+psycopg")
    server = create_engine(there, isolation_level="AUTOCOMMIT")
    name = f"va_listing_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield there.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


def _measured(folder: Path, database: str | None, rounds: int) -> Times:
    with closing(Service.of(ServerSettings(data_dir=folder, database=database))) as service:
        migrating.upgrade(service.database)
        fill(service)
        return measure(service, rounds)


def main() -> int:
    """As the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="calls of each list")
    parser.add_argument("--limit", type=float, default=20.0, help="milliseconds")
    parser.add_argument(
        "--postgres",
        default=os.environ.get("VIDEOANNOTATOR_TEST_POSTGRES"),
        help="postgresql://USER@HOST/NAME: a database is made beside that one, and removed",
    )
    told = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as made:
        found["sqlite"] = _measured(Path(made), None, told.rounds)
        if told.postgres:
            with _postgres(told.postgres) as url:
                found["postgresql"] = _measured(Path(made), url, told.rounds)
    print(json.dumps({"jobs": JOBS, "rounds": told.rounds, "load": os.getloadavg()[0], "ms": found}, indent=2))
    wrong = failings(found, told.limit)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
