"""Which data folder and which database belong together.

Files of which the database knows nothing are removed by the clean-up. A server that was pointed at another database
would take every video for such a file; so both carry the same random id, written when they first meet.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from sqlalchemy import insert, select

from videoannotator.serve.errors import DataFolderError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import about

__all__ = ["FILE", "NAME", "join"]

FILE = "instance"
NAME = "instance"


def join(database: Database, data_dir: Path) -> str:
    """The id of both; written where it is missing. Raises `DataFolderError` when they belong to others."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = data_dir / FILE
    known = select(about.c.value).where(about.c.name == NAME)
    with database.read() as connection:
        of_database = connection.execute(known).scalar_one_or_none()
    of_folder = file.read_text("utf-8").strip() if file.exists() else None
    if of_database is None:
        with database.write() as connection:
            of_database = connection.execute(known).scalar_one_or_none()
            if of_database is None:
                if of_folder is not None:
                    raise DataFolderError(
                        f"the data folder {data_dir} belongs to another database than {database!r}, which is new",
                        hint="name the database it was used with, another data folder, or restore a backup",
                    )
                of_database = uuid.uuid4().hex
                connection.execute(insert(about).values(name=NAME, value=of_database))
    if of_folder is None:
        _write(file, of_database)
    elif of_folder != of_database:
        raise DataFolderError(
            f"the data folder {data_dir} belongs to another database than {database!r}",
            hint="name the database it was used with, or another data folder",
        )
    return str(of_database)


def _write(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(f"{text}\n", "utf-8")
    part.replace(file)
