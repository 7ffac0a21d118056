"""How much room videos, results and unfinished uploads take, as the database knows it, and whose they are."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import ColumnElement, Connection, func, select

from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import job_results, jobs, uploads, users, videos

__all__ = ["Storage", "storage"]


@attrs.frozen
class Storage:
    """Each with ``count`` and ``bytes``; ``users`` by what they keep, largest first."""

    videos: dict[str, int]
    results: dict[str, int]
    uploads: dict[str, int]
    users: list[dict[str, Any]]


def storage(database: Database) -> Storage:
    """Sums; files of server folders, which are not ours, are not in them."""
    stored = select(videos).where(videos.c.stored).subquery()
    unfinished = select(uploads).where(uploads.c.video_id.is_(None), uploads.c.error.is_(None)).subquery()
    with database.read() as connection:
        of_videos = _sums(connection, stored.c.bytes)
        of_results = _sums(connection, job_results.c.bytes)
        of_uploads = _sums(connection, unfinished.c.received)
        kept: dict[str, dict[str, int]] = {}
        by_owner = select(stored.c.owner_id, func.sum(stored.c.bytes)).group_by(stored.c.owner_id)
        for owner, size in connection.execute(by_owner):
            kept.setdefault(owner, {"videos": 0, "results": 0})["videos"] = int(size)
        of_jobs = select(jobs.c.owner_id, func.sum(job_results.c.bytes)).join(
            job_results, job_results.c.job_id == jobs.c.id
        )
        for owner, size in connection.execute(of_jobs.group_by(jobs.c.owner_id)):
            kept.setdefault(owner, {"videos": 0, "results": 0})["results"] = int(size)
        names = {row.id: row.name for row in connection.execute(select(users.c.id, users.c.name))}
    told = [{"user_id": owner, "name": names.get(owner, ""), **sizes} for owner, sizes in kept.items()]
    told.sort(key=lambda one: (-(kept[one["user_id"]]["videos"] + kept[one["user_id"]]["results"]), one["name"]))
    return Storage(of_videos, of_results, of_uploads, told)


def _sums(connection: Connection, column: ColumnElement[int]) -> dict[str, int]:
    row = connection.execute(select(func.count(column), func.coalesce(func.sum(column), 0))).one()
    return {"count": int(row[0]), "bytes": int(row[1])}
