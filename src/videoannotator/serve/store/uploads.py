"""Uploads that can be resumed: how much of each is safe on the disk."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, insert, select, update

from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.paging import is_id
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import uploads

__all__ = ["Upload", "UploadStore"]


@attrs.frozen(kw_only=True)
class Upload:
    """An upload. ``received``: bytes that are on the disk for certain. ``video_id``: once it is complete and taken.

    ``error``: why the complete file was refused; its bytes are gone then.
    """

    id: str
    owner_id: str
    name: str
    length: int
    received: int
    metadata: dict[str, Any]
    video_id: str | None
    error: str | None
    created_at: float
    expires_at: float

    @classmethod
    def of(cls, row: Row[Any]) -> Upload:
        """From a row of the table."""
        return made_of(cls, row)

    @property
    def open(self) -> bool:
        """True while bytes may be added."""
        return self.video_id is None and self.error is None


class UploadStore:
    """Every statement about uploads. ``owner``: whose; None for everybody's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(
        self,
        owner_id: str,
        name: str,
        length: int,
        metadata: Mapping[str, Any],
        *,
        seconds: float,
        connection: Connection,
    ) -> Upload:
        """Begin an upload that lives for so many seconds after its last byte, in a transaction."""
        added = insert(uploads).values(
            id=str(uuid.uuid4()),
            owner_id=owner_id,
            name=name,
            length=length,
            received=0,
            metadata=dict(metadata),
            created_at=moment(),
            expires_at=moment() + seconds,
        )
        return Upload.of(connection.execute(added.returning(*uploads.c)).one())

    def get(self, upload_id: str, owner: str | None) -> Upload:
        """Raises `NotFoundError`, also for somebody else's and for one that has expired."""
        wanted = select(*uploads.c).where(uploads.c.id == upload_id, uploads.c.expires_at > moment())
        if owner is not None:
            wanted = wanted.where(uploads.c.owner_id == owner)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none() if is_id(upload_id) else None
        if row is None:
            raise NotFoundError(
                f"there is no upload {upload_id}, or it has expired",
                code="UPLOAD_NOT_FOUND",
                hint="begin again: POST /api/v1/uploads",
            )
        return Upload.of(row)

    def list(self, owner: str | None, *, limit: int = 100) -> list[Upload]:
        """Those that have not expired, newest first."""
        wanted = select(*uploads.c).where(uploads.c.expires_at > moment())
        if owner is not None:
            wanted = wanted.where(uploads.c.owner_id == owner)
        with self.database.read() as connection:
            rows = connection.execute(
                wanted.order_by(uploads.c.created_at.desc(), uploads.c.id.desc()).limit(limit)
            ).all()
        return [Upload.of(row) for row in rows]

    def received(self, upload_id: str, received: int, *, seconds: float) -> Upload:
        """So many bytes are safe now; the upload lives for so many seconds more."""
        return self._changed(upload_id, received=received, expires_at=moment() + seconds)

    def taken(self, upload_id: str, video_id: str) -> Upload:
        """It is complete, and this video."""
        return self._changed(upload_id, video_id=video_id)

    def refused(self, upload_id: str, error: str) -> Upload:
        """It is complete, and no video that is taken."""
        return self._changed(upload_id, error=error)

    def remove(self, upload_id: str) -> None:
        """Forget it; the file is the caller's to delete."""
        with self.database.write() as connection:
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))

    def _changed(self, upload_id: str, **values: Any) -> Upload:
        changed = update(uploads).where(uploads.c.id == upload_id).values(values).returning(*uploads.c)
        with self.database.write() as connection:
            row = connection.execute(changed).one_or_none()
        if row is None:
            raise NotFoundError(
                f"the upload {upload_id} was given up meanwhile",
                code="UPLOAD_NOT_FOUND",
                hint="begin again: POST /api/v1/uploads",
            )
        return Upload.of(row)
