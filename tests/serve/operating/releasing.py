"""What a release leaves for the tests of all later ones: ``python -m tests.serve.operating.releasing``.

Into ``released/REVISION/`` go a dump of a SQLite and of a PostgreSQL database of the newest revision, with rows in
every table; those rows as JSON; and a backup, zipped. Until its release a revision follows ``schema.py``; from then on
nothing of it may change, and `test_released.py` brings what is here up to the newest revision.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg
from tests.serve.operating import filling
from tests.serve.work.own_postgres import own_postgres

from videoannotator.serve import migrating
from videoannotator.serve.backup import backup
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import metadata

__all__ = ["RELEASED", "load", "rows", "write"]

RELEASED = Path(__file__).parent / "released"
_DUMPS = {True: "sqlite.sql", False: "postgresql.sql"}


def write(folder: Path, database: Database) -> None:
    """Make ``database``, which is empty, one of the newest revision with rows, and leave its dump in ``folder``.

    For SQLite, with the rows and the backup: they are the same for both.
    """
    migrating.upgrade(database)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        filled = filling.fill_with_files(database, Path(made) / "data")
        if not database.is_sqlite:
            (folder / _DUMPS[False]).write_text(_dump_of_postgres(database), "utf-8")
            return
        backup(database, Path(made) / "data", Path(made) / "backup")
        shutil.make_archive(str(folder / "backup"), "zip", Path(made) / "backup")
    (folder / "rows.json").write_text(json.dumps(filled, ensure_ascii=False, indent=1) + "\n", "utf-8")
    with closing(sqlite3.connect(str(database.url.database))) as connection:
        (folder / _DUMPS[True]).write_text("\n".join(connection.iterdump()) + "\n", "utf-8")


def _dump_of_postgres(database: Database) -> str:
    """Our tables; those of the queue are brought up by its own scripts."""
    tables = [f"--table=public.{name}" for name in (*metadata.tables, "alembic_version")]
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [_program("pg_dump"), "--no-owner", "--no-privileges", "--inserts", *tables, url]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # lines for psql alone, of newer versions, and the comments, which name versions
    return "".join(line for line in dumped.splitlines(True) if not line.startswith(("\\", "--")) and line.strip())


def _program(name: str) -> str:
    known = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda place: int(place.parts[-3]))
    return str(known[-1]) if known else name


def load(folder: Path, database: Database) -> None:
    """Put the dump of a released revision into an empty database."""
    script = (folder / _DUMPS[database.is_sqlite]).read_text("utf-8")
    if database.is_sqlite:
        with closing(sqlite3.connect(str(database.url.database))) as connection:
            connection.executescript(script)
        return
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute(script.encode())


def rows(folder: Path) -> filling.Rows:
    """What is in it."""
    found: filling.Rows = json.loads((folder / "rows.json").read_text("utf-8"))
    return found


def main() -> int:
    """Write those of the newest revision, once."""
    folder = RELEASED / migrating._known()[-1]
    if folder.exists():
        print(f"{folder} is there: what was released does not change; write a new revision", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name, own_postgres() as cluster:
        made = Path(name)
        for url in (f"sqlite:///{made / 'server.db'}", cluster.url):
            database = Database(url)
            write(made / "released", database)
            database.close()
        shutil.copytree(made / "released", folder)
    print(f"written: {', '.join(sorted(path.name for path in folder.iterdir()))} in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
