"""The rows of a result as tables of an SQLite file that the client names: many jobs side by side, ready for SQL.

``runs`` has a line for each job: ``job_id``, ``media``, ``media_sha256``, ``created``, ``provenance`` (JSON). Each
output has a table ``{pipeline}_{output}`` with ``job_id`` and the columns of its rows; lists are JSON text. What a
job wrote before is replaced, so that an attempt that is repeated leaves nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from videoannotator.data.convert import unstructure
from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.errors import FormatError

__all__ = ["add_tables"]

_WAIT = 60.0
"""Seconds to wait for others who write into the same file."""
_BLOCK = 10_000


def add_tables(result: Result, file: Path, job_id: str) -> None:
    """Add a result to the file, in one transaction. Raises `FormatError`, and then the file is as it was."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=_WAIT, isolation_level=None)) as book:
            book.execute("BEGIN IMMEDIATE")
            _add(book, result, job_id)
            book.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise FormatError(f"db_location {file.name} could not be written: {error}") from error


def _add(book: sqlite3.Connection, result: Result, job_id: str) -> None:
    made = result.provenance
    run = {
        "job_id": [job_id],
        "media": [made.media_name],
        "media_sha256": [made.media_sha256],
        "created": [made.created],
        "provenance": [json.dumps(unstructure(made), ensure_ascii=False)],
    }
    _put(book, "runs", run, job_id)
    for pipeline, output, table in result.tables():
        for number, columns in enumerate(_blocks(table)):
            rows = len(next(iter(columns.values()), []))
            _put(book, f"{pipeline}_{output}", {"job_id": [job_id] * rows, **columns}, job_id, fresh=number == 0)


def _blocks(table: Table[Any]) -> Iterator[dict[str, list[Any]]]:
    """The columns of so many rows at a time; once, and empty, for a table without rows."""
    arrow = table.to_arrow()
    for start in range(0, max(1, len(table)), _BLOCK):
        yield arrow.slice(start, _BLOCK).to_pydict()


def _put(
    book: sqlite3.Connection, name: str, columns: dict[str, list[Any]], job_id: str, *, fresh: bool = True
) -> None:
    table = _quoted(name)
    if fresh:
        book.execute(f"CREATE TABLE IF NOT EXISTS {table} (job_id TEXT NOT NULL)")
        there = {row[1] for row in book.execute(f"PRAGMA table_info({table})")}
        for column in columns:
            if column not in there:  # another version of the pipeline had other columns
                book.execute(f"ALTER TABLE {table} ADD COLUMN {_quoted(column)}")
        book.execute(f"DELETE FROM {table} WHERE job_id = ?", (job_id,))  # noqa: S608 - quoted names of ours
    names, marks = ", ".join(map(_quoted, columns)), ", ".join("?" * len(columns))
    rows = zip(*([_plain(value) for value in values] for values in columns.values()), strict=True)
    book.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - quoted names of ours


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(unstructure(value))
