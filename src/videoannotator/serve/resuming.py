"""Bytes of resumable uploads: onto the disk, behind what is certain, and at last a video."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

from videoannotator.serve.errors import ChecksumError, MediaRefusedError, NotFoundError, RequestError, TooLargeError
from videoannotator.serve.receiving import admit, writing
from videoannotator.serve.service import Service
from videoannotator.serve.store.uploads import Upload

__all__ = ["ALGORITHMS", "Appender", "Checksum", "complete", "life_of", "part_of"]

ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
_EVERY = 64 << 20
"""Bytes after which what has arrived is put on the disk for certain: no more is lost when the server dies."""


class Checksum:
    """What the header ``Upload-Checksum`` announces of the bytes of one request."""

    def __init__(self, algorithm: str, wanted: bytes) -> None:
        self.hash = hashlib.new(algorithm, usedforsecurity=False)
        self._wanted = wanted

    @classmethod
    def of(cls, said: str | None) -> Checksum | None:
        """From the header. Raises `RequestError`."""
        if said is None:
            return None
        algorithm, _, digest = said.partition(" ")
        try:
            wanted = base64.b64decode(digest, validate=True)
        except (binascii.Error, ValueError):
            wanted = b""
        if algorithm not in ALGORITHMS or not wanted:
            raise RequestError(
                f"Upload-Checksum must be an algorithm ({', '.join(ALGORITHMS)}), a space and base64",
                code="INVALID_CHECKSUM",
            )
        return cls(algorithm, wanted)

    def require(self) -> None:
        """Raises `ChecksumError` when other bytes came."""
        if self.hash.digest() != self._wanted:
            raise ChecksumError("other bytes arrived than were announced", hint="send this part again")


class Appender:
    """Adds to the file of an upload, behind what is certain; tells the database when more is.

    With a checksum nothing counts before all of it is here and right.
    """

    def __init__(self, service: Service, upload: Upload, check: Checksum | None) -> None:
        self._service, self._upload, self._check = service, upload, check
        self._at = upload.received
        with writing():
            self._file = part_of(service, upload.id).open("r+b" if part_of(service, upload.id).exists() else "xb")
            if os.fstat(self._file.fileno()).st_size < self._at:
                raise NotFoundError(
                    "bytes of this upload are not on the disk any more",
                    code="UPLOAD_NOT_FOUND",
                    hint="begin again: POST /api/v1/uploads",
                )
            self._file.truncate(self._at)
            self._file.seek(self._at)

    def write(self, data: bytes) -> None:
        """Add them. Raises `TooLargeError`."""
        if self._at + len(data) > self._upload.length:
            raise TooLargeError("more bytes than the upload was begun for")
        with writing():
            self._file.write(data)
        self._at += len(data)
        if self._check is not None:
            self._check.hash.update(data)
        elif self._at - self._upload.received >= _EVERY:
            self._sync()

    def _sync(self) -> None:
        with writing():
            self._file.flush()
            os.fsync(self._file.fileno())
        self._upload = self._service.uploads.received(self._upload.id, self._at, seconds=life_of(self._service))

    def close(self) -> Upload:
        """What came is certain now, unless there is a checksum to be held against it."""
        with self._file:
            if self._check is None and self._at != self._upload.received:
                self._sync()
            elif self._check is not None:
                with writing():
                    self._file.flush()
                    os.fsync(self._file.fileno())
        return self._upload

    def keep(self) -> Upload:
        """All of it came: it counts if the checksum is right. Raises `ChecksumError`."""
        if self._check is not None:
            self._check.require()
        self._upload = self._service.uploads.received(self._upload.id, self._at, seconds=life_of(self._service))
        return self._upload


def complete(service: Service, upload: Upload) -> Upload:
    """Make a video of an upload that has all its bytes. Raises `MediaRefusedError`, and then keeps the reason."""
    path = part_of(service, upload.id)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    announced = str(upload.metadata.get("sha256", "")).lower()
    try:
        if announced and announced != sha256:
            raise MediaRefusedError(
                f"the file has the SHA-256 {sha256}, its metadata announced {announced}",
                code="CHECKSUM_MISMATCH",
                hint="send the file again",
            )
        video = admit(
            service,
            upload.owner_id,
            path,
            name=upload.name,
            size=upload.length,
            sha256=sha256,
            upload_id=upload.id,
        )
    except MediaRefusedError as error:
        service.uploads.refused(upload.id, str(error))
        path.unlink(missing_ok=True)
        raise
    return service.uploads.taken(upload.id, video.id)


def part_of(service: Service, upload_id: str) -> Path:
    """The file of an upload."""
    return service.settings.data_dir / "uploads" / f"{upload_id}.part"


def life_of(service: Service) -> float:
    """Seconds for which an upload waits for more."""
    return service.settings.retention.upload_hours * 3600.0
