"""The tables of Procrastinate, which carries job ids on PostgreSQL: made, and kept up to date with its own scripts."""

from __future__ import annotations

import re
from importlib import metadata, util
from pathlib import Path

from sqlalchemy import Connection, text

from videoannotator.serve.errors import DatabaseVersionError

__all__ = ["apply_queue_schema"]

_MARK = "videoannotator: schema of procrastinate "


def apply_queue_schema(connection: Connection) -> str | None:
    """Make Procrastinate's tables, or run its migrations since they were made; None when it is not installed.

    Which version the tables are of is kept as the comment of its table of jobs.
    """
    if util.find_spec("procrastinate") is None:
        return None
    from procrastinate.schema import SchemaManager

    wanted = metadata.version("procrastinate")
    exists = connection.execute(text("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")).scalar_one()
    if not exists:
        connection.exec_driver_sql(_plain(SchemaManager.get_schema()))
    else:
        comment = connection.execute(
            text("SELECT obj_description('procrastinate_jobs'::regclass, 'pg_class')")
        ).scalar_one()
        if comment is None or not comment.startswith(_MARK):
            raise DatabaseVersionError(
                "the database has tables of Procrastinate that this program did not make",
                hint="give VideoAnnotator a database of its own",
            )
        made_by = comment.removeprefix(_MARK)
        if _number(made_by) >= _number(wanted):
            return wanted
        for script in sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql")):
            if _number(made_by) < _number(script.name) <= _number(wanted):
                connection.exec_driver_sql(_plain(script.read_text("utf-8")))
    connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{_MARK}{wanted}'")
    return wanted


def _number(name: str) -> tuple[int, ...]:
    """``3.10.0`` and ``03.10.00_01_pre_name.sql`` as (3, 10, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", name)[:3])


def _plain(sql: str) -> str:
    return sql.replace("%", "%%")  # the driver reads a % as the place of a value
