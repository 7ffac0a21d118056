"""``videoannotator db`` and its options; what each does is in `videoannotator.shell.databases`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from videoannotator.shell.places import Folder

__all__ = ["db"]

db = App(name="db", help="The database of this machine's server: upgrade, save, bring back.")

FOLDER = Folder()
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@db.command
def status(*, json: Flag = False, where: Folder = FOLDER) -> int:
    """Say which revision it is and what is in it. Exit code 1 when it has to be upgraded.

    Parameters
    ----------
    json
        As JSON.
    """
    from videoannotator.shell.databases import show_database

    return show_database(where, as_json=json)


@db.command
def upgrade(*, where: Folder = FOLDER) -> int:
    """Bring the tables to what this version needs. The server does that by itself when it starts."""
    from videoannotator.shell.databases import upgrade_database

    return upgrade_database(where)


@db.command
def backup(folder: Path, /, *, json: Flag = False, where: Folder = FOLDER) -> int:
    """Write everything into a folder: rows, videos, results, keys. The server may run meanwhile.

    Parameters
    ----------
    folder
        A folder that is not there yet, or empty.
    json
        What is in it, as JSON.
    """
    from videoannotator.shell.databases import backup_database

    return backup_database(where, folder, as_json=json)


@db.command
def restore(folder: Path, /, *, where: Folder = FOLDER) -> int:
    """Put a backup into an empty data folder and an empty database, of either kind.

    Parameters
    ----------
    folder
        What db backup has written.
    """
    from videoannotator.shell.databases import restore_database

    return restore_database(where, folder)
