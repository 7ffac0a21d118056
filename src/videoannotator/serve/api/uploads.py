"""Routes: uploads that can be resumed, by tus 1.0 (https://tus.io/protocols/resumable-upload).

Extensions: creation, creation-with-upload, expiration, termination, checksum. The database says how much of an upload
is on the disk for certain; what a broken connection or a crash left behind that is cut off before going on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
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
    ConflictError,
    PreconditionError,
    RequestError,
    TooLargeError,
    UnsupportedBodyError,
)
from videoannotator.serve.receiving import plain_title, room_for, writing
from videoannotator.serve.resuming import ALGORITHMS, Appender, Checksum, complete, life_of, part_of
from videoannotator.serve.service import Service
from videoannotator.serve.store.uploads import Upload

__all__ = ["router"]

router = APIRouter(tags=["uploads"])

VERSION = "1.0.0"
SILENT = 30.0
"""Seconds without a byte after which a request ends: a line that is gone need not say so, and stops who goes on."""
_EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
_CHUNK_TYPE = "application/offset+octet-stream"

_Tus = Annotated[
    str | None, Header(alias="Tus-Resumable", description="the version the client speaks", examples=["1.0.0"])
]
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
    told = {"Tus-Version": VERSION, "Tus-Extension": _EXTENSIONS, "Tus-Checksum-Algorithm": ",".join(ALGORITHMS)}
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
    upload_length: Annotated[int, Header(ge=1, le=2**62, description="bytes of the whole file", examples=[11534336])],
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
            principal.user_id, name, length, metadata, seconds=life_of(service), connection=connection
        )
    with writing():
        path = part_of(service, upload.id)
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
    upload_offset: Annotated[int, Header(ge=0, le=2**62, description="where these bytes begin", examples=[0])],
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
        part_of(service, upload.id).unlink(missing_ok=True)
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
    check = Checksum.of(request.headers.get("upload-checksum"))
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
        writer = await run_in_threadpool(Appender, service, upload, check)
        try:
            await in_blocks(_whole(request.stream()), writer.write)
        finally:
            upload = await run_in_threadpool(writer.close)
        if check is not None:
            upload = await run_in_threadpool(writer.keep)
        if upload.received == upload.length:
            upload = await run_in_threadpool(complete, service, upload)
    finally:
        await run_in_threadpool(lock.release)
    return upload, _video_of(upload)


def _video_of(upload: Upload) -> dict[str, str]:
    return {} if upload.video_id is None else {"Content-Location": f"/api/v1/videos/{upload.video_id}"}


async def _whole(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body that may break off, or say nothing any more: what came of it counts."""
    pieces = aiter(body)
    while True:
        try:
            async with asyncio.timeout(SILENT):
                piece = await anext(pieces)
        except (ClientDisconnect, StopAsyncIteration, TimeoutError):
            return
        yield piece


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
