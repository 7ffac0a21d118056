"""Videos: what was uploaded, and files of server folders that somebody has chosen."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, exists, func, insert, select

from videoannotator.serve.errors import ConflictError, NotFoundError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.paging import Cursor, is_id, newest_first
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import jobs, videos

__all__ = ["NewVideo", "Video", "VideoStore"]


@attrs.frozen(kw_only=True)
class NewVideo:
    """A file that is in its place, hashed and probed. The columns of `schema.videos`."""

    owner_id: str
    name: str
    path: str
    stored: bool
    bytes: int
    sha256: str
    media: Mapping[str, Any]
    duration: float
    with_jobs: bool = False
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))


@attrs.frozen(kw_only=True)
class Video:
    """A video as it stands in the database. ``media``: see `receiving.described`."""

    id: str
    owner_id: str
    name: str
    path: str
    stored: bool
    bytes: int
    sha256: str
    media: dict[str, Any]
    duration: float
    with_jobs: bool
    created_at: float

    @classmethod
    def of(cls, row: Row[Any]) -> Video:
        """From a row of the table."""
        return made_of(cls, row)


class VideoStore:
    """Every statement about videos. ``owner``: whose; None for everybody's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, new: NewVideo, *, connection: Connection | None = None) -> Video:
        """Keep a video, in the transaction of ``connection`` if given. Raises `ConflictError` if its id is taken."""
        if connection is None:
            with self.database.write() as connection:
                return self.add(new, connection=connection)
        if connection.execute(select(videos.c.id).where(videos.c.id == new.id)).first() is not None:
            raise ConflictError(f"there is a video {new.id} already", hint="choose another id, or none")
        values = {**attrs.asdict(new, recurse=False), "media": dict(new.media)}
        added = insert(videos).values(created_at=moment(), **values)
        return Video.of(connection.execute(added.returning(*videos.c)).one())

    def find(self, video_id: str, owner: str | None) -> Video | None:
        """The video; None when it is not there, or somebody else's."""
        if not is_id(video_id):
            return None
        wanted = select(*videos.c).where(videos.c.id == video_id)
        if owner is not None:
            wanted = wanted.where(videos.c.owner_id == owner)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Video.of(row)

    def get(self, video_id: str, owner: str | None) -> Video:
        """Raises `NotFoundError`, also for somebody else's."""
        video = self.find(video_id, owner)
        if video is None:
            raise NotFoundError(
                f"there is no video {video_id}", code="VIDEO_NOT_FOUND", hint="GET /api/v1/videos lists yours"
            )
        return video

    def page(
        self, owner: str | None, *, after: Cursor | None = None, limit: int = 50, sha256: str | None = None
    ) -> list[Video]:
        """Newest first. ``sha256``: only those with this content."""
        wanted = select(*videos.c)
        if owner is not None:
            wanted = wanted.where(videos.c.owner_id == owner)
        if sha256 is not None:
            wanted = wanted.where(videos.c.sha256 == sha256)
        with self.database.read() as connection:
            rows = connection.execute(
                newest_first(wanted, videos.c.created_at, videos.c.id, after=after, limit=limit)
            ).all()
        return [Video.of(row) for row in rows]

    def count(self, owner: str | None, *, sha256: str | None = None) -> int:
        """How many there are; ``sha256``: only those with this content."""
        wanted = select(func.count()).select_from(videos)
        if owner is not None:
            wanted = wanted.where(videos.c.owner_id == owner)
        if sha256 is not None:
            wanted = wanted.where(videos.c.sha256 == sha256)
        with self.database.read() as connection:
            return int(connection.execute(wanted).scalar_one())

    def remove(self, video_id: str, owner: str | None) -> Video:
        """Forget a video, not its file. Raises `NotFoundError`, `ConflictError` while jobs use it."""
        video = self.get(video_id, owner)
        with self.database.write() as connection:
            used = connection.execute(
                select(func.count()).select_from(jobs).where(jobs.c.video_id == video_id)
            ).scalar_one()
            if used:
                raise ConflictError(
                    f"{used} job{'s use' if used > 1 else ' uses'} this video",
                    code="VIDEO_IN_USE",
                    hint=f"delete them first: GET /api/v1/jobs?video_id={video_id} lists them",
                )
            connection.execute(delete(videos).where(videos.c.id == video_id))
        return video

    def leftovers(self, *, older_than: float = 3600.0, only: str | None = None) -> list[Video]:
        """Videos that came with a job and have none any more. ``older_than``: seconds since they came."""
        wanted = select(*videos.c).where(
            videos.c.with_jobs,
            videos.c.created_at <= moment() - older_than,
            ~exists(select(jobs.c.id).where(jobs.c.video_id == videos.c.id)),
        )
        if only is not None:
            wanted = wanted.where(videos.c.id == only)
        with self.database.read() as connection:
            return [Video.of(row) for row in connection.execute(wanted).all()]
