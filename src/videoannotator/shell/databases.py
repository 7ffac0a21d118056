"""``videoannotator db``: the database of this machine's server, upgraded, saved and brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from videoannotator.errors import UsageError
from videoannotator.serve.pid_file import find
from videoannotator.serve.settings import ServerSettings
from videoannotator.shell.extra import needing_the_server
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Folder
from videoannotator.shell.speaking import give, say

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["backup_database", "opened", "restore_database", "show_database", "upgrade_database"]


@contextmanager
def opened(where: Folder) -> Iterator[Service]:
    """The service of a database that is there and as new as this program. Nothing is made.

    Raises `UsageError` when there is none, and `ServerError` when it needs another version.
    """
    settings = where.settings()
    with needing_the_server():
        from videoannotator.serve import migrating
        from videoannotator.serve.service import Service

        _must_be_there(settings)
        service = Service.of(settings)
        try:
            migrating.check(service.database)
            yield service
        finally:
            service.close()


def _must_be_there(settings: ServerSettings) -> None:
    if settings.database is None and not (settings.data_dir / "server.db").is_file():
        raise UsageError(
            f"there is no database in {settings.data_dir}; videoannotator server start makes one. "
            "Another folder: --data-dir"
        )


def upgrade_database(where: Folder) -> int:
    """Bring the tables to what this version needs; make them where there are none."""
    settings = where.settings()
    with needing_the_server():
        from videoannotator.serve import migrating
        from videoannotator.serve.running import make_data_dir
        from videoannotator.serve.store.database import Database

        make_data_dir(settings)
        database = Database(settings.database_url)
        try:
            before = migrating.current(database)
            after = migrating.upgrade(database)
        finally:
            database.close()
    if before.found == after.found:
        say(f"the database is of the newest revision already, {after.found}")
    else:
        say(f"the database is of revision {after.found} now; it was {before.found or 'without tables'}")
    return Exit.WELL


def show_database(where: Folder, *, as_json: bool) -> int:
    """Say which revision it is, and how much is in it. Exit code 1 when it has to be upgraded."""
    settings = where.settings()
    with needing_the_server():
        from sqlalchemy import func, select

        from videoannotator.serve import migrating
        from videoannotator.serve.store.database import Database
        from videoannotator.serve.store.schema import jobs, users, videos

        _must_be_there(settings)
        database = Database(settings.database_url)
        try:
            version = migrating.current(database)
            counts = {}
            if version.is_newest:
                with database.read() as connection:
                    counts = {
                        table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                        for table in (users, videos, jobs)
                    }
            shown = database.url.render_as_string(hide_password=True)
        finally:
            database.close()
    plain = {"database": shown, "revision": version.found, "newest": version.newest, "rows": counts}
    if as_json:
        give(json.dumps(plain, indent=2))
    else:
        give(f"{shown}\trevision {version.found or 'none'}\tnewest {version.newest}")
        for name, count in counts.items():
            give(f"{name}\t{count}")
    if not version.is_newest:
        say("it has to be upgraded: videoannotator db upgrade, or start the server")
    return Exit.WELL if version.is_newest else Exit.FAILED


def backup_database(where: Folder, target: Path, *, as_json: bool) -> int:
    """Write a backup while the server runs, if it does."""
    with opened(where) as service:
        from videoannotator.serve.backup import backup

        made = backup(service.database, service.settings.data_dir, target)
    for path in made.missing:
        say(f"missing, and not in the backup: {path}")
    say(f"{sum(made.tables.values())} rows, {made.files} files, {made.bytes / 1e6:.1f} MB")
    give(json.dumps({"folder": str(target), **attrs.asdict(made)}) if as_json else target)
    return Exit.FAILED if made.missing else Exit.WELL


def restore_database(where: Folder, source: Path) -> int:
    """Put a backup into an empty data folder and an empty database."""
    settings = where.settings()
    running = find(settings.data_dir)
    if running is not None:
        raise UsageError(f"a server runs on {settings.data_dir}: process {running.pid}; stop it first")
    if not source.is_dir():
        raise UsageError(f"{source} is no folder that videoannotator db backup has written")
    with needing_the_server():
        from videoannotator.serve.restoring import restore
        from videoannotator.serve.running import make_data_dir
        from videoannotator.serve.service import Service

        make_data_dir(settings)
        service = Service.of(settings)
        try:
            made = restore(source, service.database, settings.data_dir, on_pending=service.jobs.on_pending)
        finally:
            service.close()
    say(f"{sum(made.tables.values())} rows and {made.files} files of {made.made_at} are in {settings.data_dir}")
    for path in made.missing:
        say(f"missing in the backup: {path}")
    return Exit.WELL
