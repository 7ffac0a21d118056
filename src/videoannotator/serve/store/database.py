"""One door to the database, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Double, create_engine, event, exc, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from videoannotator.serve.errors import DatabaseUnavailable, StorageFullError

__all__ = ["Database", "moment"]


_THREADS = 60
_NO_ROOM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,  # also what a limit on the size of files gives
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
}


class moment(GenericFunction[float]):  # noqa: N801 - reads like the SQL function it is
    """Now, in seconds since 1970 by the clock of the database, for use inside statements."""

    type = Double()
    inherit_cache = True


@compiles(moment, "sqlite")
def _sqlite_moment(element: Any, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"  # unixepoch('subsec') needs SQLite 3.42


@compiles(moment, "postgresql")
def _postgresql_moment(element: Any, compiler: Any, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


class Database:
    """The engine and its transactions. Safe to share between threads, not across a fork.

    ``url``: ``sqlite:///path/to/server.db`` or ``postgresql+psycopg://user@host/name`` (``postgresql://`` is taken as
    that). SQLite is opened with WAL, foreign keys on, five seconds of patience, ``synchronous=FULL``, and every
    writing transaction is ``BEGIN IMMEDIATE``; the file belongs on a local disk (WAL does not work on NFS).
    """

    def __init__(self, url: str, *, pool: int = 10) -> None:
        self.url = _normal(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            # as many as threads that answer requests: one beyond the pool is opened anew, with its settings, each time
            self.engine = create_engine(
                self.url, pool_size=_THREADS, connect_args={"timeout": 5.0, "check_same_thread": False}
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
        else:
            self.engine = create_engine(
                self.url, pool_size=pool, max_overflow=pool, pool_pre_ping=True, connect_args={"connect_timeout": 5}
            )
        self._process = os.getpid()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent view, nothing locked."""
        with self.translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed when the block ends, taken back when it raises."""
        with self.translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # else two readers that turn writers lock each other out
            yield connection
            connection.commit()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection for reading everything as it is at the first statement, however long that takes."""
        if self.is_sqlite:
            with self.read() as connection:
                yield connection
            return
        with self.translated(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def serialise(self, connection: Connection, name: str) -> None:
        """Until the transaction ends, nobody else gets past this line with the same ``name``, on any machine.

        On SQLite every writing transaction is alone anyway.
        """
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})

    def size(self) -> int:
        """Bytes of it on the disk."""
        asked = (
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            if self.is_sqlite
            else "SELECT pg_database_size(current_database())"
        )
        with self.read() as connection:
            return int(connection.exec_driver_sql(asked).scalar_one())

    def now(self) -> float:
        """Seconds since 1970 by the database's clock."""
        with self.read() as connection:
            return float(connection.execute(select(moment())).scalar_one())

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose(close=os.getpid() == self._process)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the drivers raise when they cannot work, as errors of ours."""
        try:
            yield
        except exc.OperationalError as error:
            if _is_full(error.orig):
                raise StorageFullError(
                    f"the database could not be written: {error.orig}", hint="make room on its disk, then try again"
                ) from error
            if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                raise  # SQLite's word for a statement that is wrong: a fault of ours
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
        except exc.InterfaceError as error:
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"


def _is_full(error: BaseException | None) -> bool:
    """True when there was no room to write: SQLite's codes, PostgreSQL's state."""
    code = getattr(error, "sqlite_errorcode", None)
    return code in _NO_ROOM or getattr(error, "sqlstate", None) == "53100"


def _normal(url: str) -> URL:
    made = make_url(url)
    return made.set(drivername="postgresql+psycopg") if made.drivername in ("postgresql", "postgres") else made


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `read` and `write` do
    for setting in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=5000", "synchronous=FULL"):
        connection.execute(f"PRAGMA {setting}")
