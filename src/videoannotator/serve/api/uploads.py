"""Routes: uploads that can be resumed, by tus 1.0 (https://tus.io/protocols/resumable-upload).

Extensions: creation, creation-with-upload, expiration, termination, checksum. The database says how much of an upload
is on the disk for certain; what a broken connection or a crash left behind that is cut off before going on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from filelock import FileLock, Timeout
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Serving, Writer
from videoannotator.serve.api.models import problems_for
from videoannotator.serve.api.models_videos import UploadList, UploadShown
from videoannotator.serve.api.streaming import announced_length, in_blocks
from videoannotator.serve.errors import (
    BusyError,
    ChecksumError,
    ConflictError,
    MediaRefusedError,
    NotFoundError,
    PreconditionError,
    RequestError,
    TooLargeError,
    UnsupportedBodyError,
)
from videoannotator.serve.receiving import admit, plain_title, room_for, writing
from videoannotator.serve.service import Service
from videoannotator.serve.store.uploads import Upload

__all__ = ["router"]

router = APIRouter(tags=["uploads"])

VERSION = "1.0.0"
_EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
_ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
_CHUNK_TYPE = "application/offset+octet-stream"
_EVERY = 64 << 20
"""Bytes after which what has arrived is put on the disk for certain: no more is lost when the server dies."""

_Tus = Annotated[str | None, Header(alias="Tus-Resumable", description="the version the client speaks: 1.0.0")]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {_CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def _base(service: Service) -> dict[str, str]:
    return {"Tus-Resumable": VERSION, "Tus-Max-Size": str(service.settings.limits.upload_bytes)}


def _told(service: Service, upload: Upload) -> dict[str, str]:
    return {
        **_base(service),
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.length),
        "Upload-Expires": formatdate(upload.expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }


@router.options("/uploads", status_code=204, responses={204: {"description": "what is spoken here, in headers"}})
def uploads_options(service: Serving) -> Response:
    """What this server speaks: version, extensions, largest size."""
    told = {"Tus-Version": VERSION, "Tus-Extension": _EXTENSIONS, "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS)}
    return Response(status_code=204, headers={**_base(service), **told})


@router.get("/uploads", response_model=UploadList, responses=problems_for())
def list_uploads(service: Serving, principal: Writer) -> UploadList:
    """Uploads that have not expired, newest first: what a client can resume."""
    return UploadList(uploads=[UploadShown.of(one) for one in service.uploads.list(principal.owner)])


@router.post(
    "/uploads",
    status_code=201,
    response_class=Response,
    responses={201: {"description": "begun; `Location` says where to go on"}, **problems_for(409, 412, 415, 460, 507)},
    openapi_extra=_BODY,
)
async def begin_upload(
    request: Request,
    service: Serving,
    principal: Writer,
    upload_length: Annotated[int, Header(ge=1, le=2**62, description="bytes of the whole file")],
    upload_metadata: Annotated[
        str, Header(max_length=8000, description="`filename BASE64` and others, with commas between them")
    ] = "",
    tus_resumable: _Tus = None,
) -> Response:
    """Begin an upload. With a body of the type `application/offset+octet-stream`, its first bytes are taken at once."""
    _spoken(service, tus_resumable)
    metadata = _metadata(upload_metadata)
    upload = await run_in_threadpool(_begin, service, principal, upload_length, metadata)
    headers = {"Location": f"/api/v1/uploads/{upload.id}"}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _CHUNK_TYPE:
        upload, more = await _append(request, service, principal, upload, 0)
        headers |= more
    return Response(status_code=201, headers={**_told(service, upload), **headers})


def _begin(service: Service, principal: Principal, length: int, metadata: dict[str, str]) -> Upload:
    most = service.settings.limits.upload_bytes
    if length > most:
        raise TooLargeError(f"the file has {length:,} bytes, and {most:,} are allowed")
    room_for(service.settings, length)
    name = plain_title(metadata.get("filename") or metadata.get("name"))
    with service.database.write() as connection:
        service.quotas.require_bytes(connection, principal.user_id, length)
        upload = service.uploads.add(
            principal.user_id, name, length, metadata, seconds=_life(service), connection=connection
        )
    with writing():
        path = _path(service, upload.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return upload


@router.head(
    "/uploads/{upload_id}",
    response_class=Response,
    responses={200: {"description": "`Upload-Offset` says where to go on"}, **problems_for(404, 412)},
)
def upload_offset(service: Serving, principal: Writer, upload_id: str, tus_resumable: _Tus = None) -> Response:
    """Where to go on: `Upload-Offset`."""
    _spoken(service, tus_resumable)
    upload = service.uploads.get(upload_id, principal.user_id)
    return Response(headers={**_told(service, upload), **_video_of(upload)})


@router.get("/uploads/{upload_id}", response_model=UploadShown, responses=problems_for(404))
def show_upload(service: Serving, principal: Writer, upload_id: str) -> UploadShown:
    """The same in words, with the video once the upload is complete."""
    return UploadShown.of(service.uploads.get(upload_id, principal.user_id))


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    responses={
        204: {
            "description": "taken; `Upload-Offset` says how far it is, `Content-Location` names the video at the end"
        },
        **problems_for(404, 409, 412, 415, 423, 460, 507),
    },
    openapi_extra=_BODY,
)
async def add_to_upload(
    request: Request,
    service: Serving,
    principal: Writer,
    upload_id: str,
    upload_offset: Annotated[int, Header(ge=0, le=2**62, description="where these bytes begin")],
    content_type: Annotated[str, Header(description=_CHUNK_TYPE)] = "",
    tus_resumable: _Tus = None,
) -> Response:
    """Add bytes. With the last one the file is looked at and becomes a video, or is refused with the reason (422)."""
    _spoken(service, tus_resumable)
    if content_type.partition(";")[0].strip().lower() != _CHUNK_TYPE:
        raise UnsupportedBodyError(f"the body must be of the type {_CHUNK_TYPE}", hint="see https://tus.io")
    upload = await run_in_threadpool(service.uploads.get, upload_id, principal.user_id)
    upload, more = await _append(request, service, principal, upload, upload_offset)
    return Response(status_code=204, headers={**_told(service, upload), **more})


@router.delete("/uploads/{upload_id}", status_code=204, responses=problems_for(404, 412, 423))
def end_upload(service: Serving, principal: Writer, upload_id: str, tus_resumable: _Tus = None) -> Response:
    """Give an upload up; its bytes go. The video of a complete one stays."""
    _spoken(service, tus_resumable)
    upload = service.uploads.get(upload_id, principal.user_id)
    with _alone(service, upload):
        service.uploads.remove(upload.id)
        _path(service, upload.id).unlink(missing_ok=True)
    _lock_path(service, upload.id).unlink(missing_ok=True)
    return Response(status_code=204, headers=_base(service))


async def _append(
    request: Request, service: Service, principal: Principal, upload: Upload, offset: int
) -> tuple[Upload, dict[str, str]]:
    """Take what the body has; at the end make it a video. The upload as it is then, and headers that name the video."""
    if not upload.open:
        raise ConflictError(
            f"the upload is complete{'' if upload.error is None else f' and was refused: {upload.error}'}",
            code="UPLOAD_COMPLETE",
            hint=f"GET /api/v1/uploads/{upload.id}",
        )
    check = _Checksum.of(request.headers.get("upload-checksum"))
    length = announced_length(request)
    if length is not None and offset + length > upload.length:
        raise TooLargeError(f"{offset + length - upload.length:,} bytes more than the upload was begun for")
    lock = FileLock(_lock_path(service, upload.id), thread_local=False)
    await run_in_threadpool(_acquire, lock)
    try:
        upload = await run_in_threadpool(service.uploads.get, upload.id, principal.user_id)
        if offset != upload.received:
            raise ConflictError(
                f"the upload goes on at {upload.received}, not at {offset}",
                code="OFFSET_MISMATCH",
                hint="HEAD tells where",
                headers=_told(service, upload),
            )
        writer = await run_in_threadpool(_Writer, service, upload, check)
        try:
            await in_blocks(_whole(request.stream()), writer.write)
        finally:
            upload = await run_in_threadpool(writer.close)
        if check is not None:
            upload = await run_in_threadpool(writer.keep)
        if upload.received == upload.length:
            upload = await run_in_threadpool(_complete, service, upload)
    finally:
        await run_in_threadpool(lock.release)
    return upload, _video_of(upload)


def _video_of(upload: Upload) -> dict[str, str]:
    return {} if upload.video_id is None else {"Content-Location": f"/api/v1/videos/{upload.video_id}"}


async def _whole(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body that may break off: what came of it counts."""
    try:
        async for piece in body:
            yield piece
    except ClientDisconnect:
        return


class _Checksum:
    """What the header ``Upload-Checksum`` announces of the bytes of one request."""

    def __init__(self, algorithm: str, wanted: bytes) -> None:
        self.hash = hashlib.new(algorithm, usedforsecurity=False)
        self._wanted = wanted

    @classmethod
    def of(cls, said: str | None) -> _Checksum | None:
        if said is None:
            return None
        algorithm, _, digest = said.partition(" ")
        try:
            wanted = base64.b64decode(digest, validate=True)
        except (binascii.Error, ValueError):
            wanted = b""
        if algorithm not in _ALGORITHMS or not wanted:
            raise RequestError(
                f"Upload-Checksum must be an algorithm ({', '.join(_ALGORITHMS)}), a space and base64",
                code="INVALID_CHECKSUM",
            )
        return cls(algorithm, wanted)

    def require(self) -> None:
        if self.hash.digest() != self._wanted:
            raise ChecksumError("other bytes arrived than were announced", hint="send this part again")


class _Writer:
    """Adds to the file of an upload, behind what is certain; tells the database when more is.

    With a checksum nothing counts before all of it is here and right.
    """

    def __init__(self, service: Service, upload: Upload, check: _Checksum | None) -> None:
        self._service, self._upload, self._check = service, upload, check
        self._at = upload.received
        with writing():
            self._file = _path(service, upload.id).open("r+b" if _path(service, upload.id).exists() else "xb")
            if os.fstat(self._file.fileno()).st_size < self._at:
                raise NotFoundError(
                    "bytes of this upload are not on the disk any more",
                    code="UPLOAD_NOT_FOUND",
                    hint="begin again: POST /api/v1/uploads",
                )
            self._file.truncate(self._at)
            self._file.seek(self._at)

    def write(self, data: bytes) -> None:
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
        self._upload = self._service.uploads.received(self._upload.id, self._at, seconds=_life(self._service))

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
        self._upload = self._service.uploads.received(self._upload.id, self._at, seconds=_life(self._service))
        return self._upload


def _complete(service: Service, upload: Upload) -> Upload:
    path = _path(service, upload.id)
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


def _path(service: Service, upload_id: str) -> Path:
    return service.settings.data_dir / "uploads" / f"{upload_id}.part"


def _lock_path(service: Service, upload_id: str) -> Path:
    return service.settings.data_dir / "uploads" / f"{upload_id}.lock"


def _acquire(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=0.5)  # a connection that broke may not have been noticed yet
    except Timeout as error:
        raise BusyError(
            "somebody is sending bytes of this upload right now", hint="wait a moment, then ask HEAD where to go on"
        ) from error


@contextmanager
def _alone(service: Service, upload: Upload) -> Iterator[None]:
    lock = FileLock(_lock_path(service, upload.id), thread_local=False)
    _acquire(lock)
    try:
        yield
    finally:
        lock.release()


def _life(service: Service) -> float:
    return service.settings.retention.upload_hours * 3600.0


def _spoken(service: Service, said: str | None) -> None:
    if said is not None and said != VERSION:
        raise PreconditionError(
            f"tus {VERSION} is spoken here, not {said[:20]}",
            code="TUS_VERSION",
            headers={**_base(service), "Tus-Version": VERSION},
        )


def _metadata(said: str) -> dict[str, str]:
    """``name BASE64,name BASE64`` as texts. Raises `RequestError`."""
    found: dict[str, str] = {}
    for pair in said.split(","):
        if not pair.strip():
            continue
        key, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, ValueError) as error:
            raise RequestError(
                f"Upload-Metadata: the value of {key[:50]!r} is no base64 of text", code="INVALID_METADATA"
            ) from error
        found[key[:100]] = text.replace("\x00", "")[:2000]
    return found
