"""Bring the tables of a database to what this version needs: Alembic's revisions, without its command line.

`upgrade` is safe to call from several servers that start together: one does the work, the others wait for it and find
it done. All of it is one transaction on both databases: an upgrade that fails leaves what was there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import attrs
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from videoannotator.serve.errors import DatabaseVersionError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.queue_schema import apply_queue_schema
from videoannotator.serve.store.schema import metadata

__all__ = ["Version", "check", "current", "make", "upgrade"]

_log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent / "store" / "migrations"
_VERSIONS = (_FOLDER / "versions",)
_LOCK = 0x766964656F616E6E  # "videoann": PostgreSQL's advisory locks are numbers
_PATIENCE = 600.0
"""Seconds that a second server waits for the one that upgrades."""


@attrs.frozen
class Version:
    """Revision of a database (None: no tables yet), and the newest that this program knows."""

    found: str | None
    newest: str

    @property
    def is_newest(self) -> bool:
        """True when there is nothing to upgrade."""
        return self.found == self.newest


def _scripts(folders: tuple[Path, ...]) -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER), version_locations=[str(folder) for folder in folders])


def _known() -> tuple[str, ...]:
    """Every revision, first to last."""
    return _revisions(_VERSIONS)


@cache
def _revisions(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Those in ``folders``, read once: it takes 3 ms, and health is asked for every few seconds."""
    return tuple(script.revision for script in _scripts(folders).walk_revisions())[::-1]


def _found(connection: Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = _known()
    if found is not None and found not in known:
        raise DatabaseVersionError(
            f"the database is of revision {found!r}, and this program knows revisions up to {known[-1]!r}: a newer "
            "version has used it",
            hint="install the newer version again, or restore a backup that was made before the upgrade",
        )
    if found is None and (there := set(metadata.tables) & set(inspect(connection).get_table_names())):
        raise DatabaseVersionError(
            f"the database has a table {sorted(there)[0]!r} that was not made by this program's migrations",
            hint="name an empty database, or move those tables away",
        )
    return found


def current(database: Database) -> Version:
    """What the database is, and what it could be. Raises `DatabaseVersionError` when it is newer than this program."""
    with database.read() as connection:
        return Version(_found(connection), _known()[-1])


def check(database: Database) -> None:
    """Raises `DatabaseVersionError` when the tables are not those of this version: for who must not upgrade itself."""
    version = current(database)
    if not version.is_newest:
        raise DatabaseVersionError(
            f"the database is of revision {version.found or 'none'}, and this program needs {version.newest}",
            hint="run 'videoannotator db upgrade', or start the server once: it upgrades by itself",
        )


def upgrade(database: Database, *, to: str | None = None) -> Version:
    """Bring the tables to the newest revision, or to ``to``. Raises `DatabaseVersionError`; never goes back.

    On PostgreSQL the tables of the job queue (Procrastinate) are made and kept up to date here, too, when it is
    installed.
    """
    known = _known()
    target = to or known[-1]
    if target not in known:
        raise DatabaseVersionError(f"there is no revision {target!r}; known are {', '.join(known)}")
    with _alone(database) as connection:
        before = _found(connection)
        if before is not None and known.index(before) > known.index(target):
            raise DatabaseVersionError(
                f"the database is of revision {before}, and going back to {target} would lose what came since",
                hint="restore a backup that was made before the upgrade",
            )
        if before != target:
            _run(connection, target)
            _log.info("the database was upgraded from revision %s to %s", before or "none", target)
        if not database.is_sqlite:
            apply_queue_schema(connection)
    return Version(target, known[-1])


def make(
    database: Database, revision: str, fill: Callable[[Connection], None], after: Callable[[Connection], None]
) -> None:
    """Tables of an earlier revision, filled, then brought to the newest; ``after`` that, one more thing.

    All of it happens, or nothing. Raises `DatabaseVersionError` when the revision is unknown, or the database
    has tables already.
    """
    known = _known()
    if revision not in known:
        raise DatabaseVersionError(
            f"there is no revision {revision!r}; known are {', '.join(known)}",
            hint="this was made by a newer version of the program: use that one",
        )
    with _alone(database) as connection:
        if _found(connection) is not None:
            raise DatabaseVersionError(f"{database!r} has tables already", hint="name a database that is empty")
        _run(connection, revision)
        fill(connection)
        if revision != known[-1]:
            _run(connection, known[-1])
        if not database.is_sqlite:
            apply_queue_schema(connection)
        after(connection)


def _run(connection: Connection, target: str) -> None:
    scripts = _scripts(_VERSIONS)

    def steps(revision: Any, context: MigrationContext) -> Any:
        return scripts._upgrade_revs(target, revision)  # what Alembic's own `upgrade` command hands over

    context = MigrationContext.configure(
        connection, opts={"fn": steps, "target_metadata": metadata, "transactional_ddl": True}
    )
    with Operations.context(context):
        context.run_migrations()


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """The transaction in which nobody else upgrades."""
    if not database.is_sqlite:
        with database.write() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection
        return
    with database.translated(), database.engine.connect() as connection:
        raw = connection.connection
        raw.execute(f"PRAGMA busy_timeout={int(_PATIENCE * 1000)}")
        raw.execute("PRAGMA foreign_keys=OFF")  # a table that is rebuilt is dropped: its children would go with it
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise DatabaseVersionError(f"the upgrade would leave rows that point nowhere: {broken[:3]}")
            connection.commit()
        finally:
            connection.rollback()
            connection.invalidate()  # its settings are not those of the others
