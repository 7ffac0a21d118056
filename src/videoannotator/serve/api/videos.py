"""Routes: videos, and the server folders they may come from."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from videoannotator.discover.hashing import known_sha256
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Reader, Serving, Writer
from videoannotator.serve.api.models import After, Limit, problems_for
from videoannotator.serve.api.models_videos import (
    FolderEntry,
    FolderList,
    FolderShown,
    FromFolder,
    VideoList,
    VideoShown,
    VideosMade,
)
from videoannotator.serve.api.quick import quick
from videoannotator.serve.api.streaming import (
    announced_length,
    digest_announced,
    in_blocks,
    media_file,
    require_digest,
)
from videoannotator.serve.errors import ConflictError, NotFoundError, RefusedError, RequestError
from videoannotator.serve.receiving import (
    Part,
    admit,
    described,
    is_media_name,
    looked_at,
    plain_title,
    video_path,
)
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.service import Service
from videoannotator.serve.store.paging import Cursor, is_id
from videoannotator.serve.store.videos import NewVideo, Video

__all__ = ["media_type_of", "named_by", "router"]

router = APIRouter(tags=["videos"])

_MOST_ENTRIES = 2000
_RAW: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the file itself, as it is; not a form",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the file",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "the part that was asked for"},
    304: {"description": "the client has it already"},
}


@router.post(
    "/videos", status_code=201, response_model=VideoShown, responses=problems_for(460, 507), openapi_extra=_RAW
)
async def upload_video(
    request: Request,
    response: Response,
    service: Serving,
    principal: Writer,
    name: Annotated[str | None, Query(description="what it is called; else from Content-Disposition")] = None,
) -> VideoShown:
    """Send a video as the body of the request, in one go.

    It is hashed while it arrives, and looked at before it is kept: what is no media file is refused with the reason.
    A header `Repr-Digest: sha-256=:BASE64:` makes sure that nothing was lost on the way. For large files over bad lines
    see `POST /uploads`.
    """
    video = await _received(request, service, principal, named_by(request, name))
    response.headers["Location"] = f"/api/v1/videos/{video.id}"
    return VideoShown.of(video)


@router.put(
    "/videos/{video_id}",
    status_code=201,
    response_model=VideoShown,
    responses={200: {"description": "it was here already", "model": VideoShown}, **problems_for(409, 460, 507)},
    openapi_extra=_RAW,
)
async def put_video(
    request: Request,
    response: Response,
    service: Serving,
    principal: Writer,
    video_id: str,
    name: Annotated[str | None, Query(description="what it is called; else from Content-Disposition")] = None,
) -> VideoShown:
    """Send a video under an id of one's own choice (a UUID): sending it again makes no second one.

    The same content again is answered with 200, other content with 409.
    """
    if not is_id(video_id):
        raise RequestError(
            "the id must be a UUID in lower case", code="INVALID_ID", hint="or let us choose: POST /api/v1/videos"
        )
    try:
        video = await _received(request, service, principal, named_by(request, name), video_id)
    except _AlreadyHere as here:
        response.status_code = 200
        return VideoShown.of(here.video)
    response.headers["Location"] = f"/api/v1/videos/{video.id}"
    return VideoShown.of(video)


class _AlreadyHere(Exception):  # noqa: N818 - no error: what was sent is here
    def __init__(self, video: Video) -> None:
        super().__init__(video.id)
        self.video = video


async def _received(
    request: Request, service: Service, principal: Principal, name: str, video_id: str | None = None
) -> Video:
    announced = digest_announced(request)
    part = await run_in_threadpool(Part, service.settings, announced_length(request))
    try:
        await in_blocks(request.stream(), part.write)
        sha256 = await run_in_threadpool(part.finish)
        require_digest(announced, sha256)
        if part.bytes == 0:
            raise RequestError(
                "the body is empty", code="EMPTY_BODY", hint="send the file itself as the body, not a form"
            )
        return await run_in_threadpool(_admitted, service, principal, part, name, sha256, video_id)
    finally:
        await run_in_threadpool(part.discard)


def _admitted(
    service: Service, principal: Principal, part: Part, name: str, sha256: str, video_id: str | None
) -> Video:
    if video_id is not None:
        here = service.videos.find(video_id, principal.user_id)
        if here is not None and here.sha256 == sha256:
            raise _AlreadyHere(here)
    return admit(service, principal.user_id, part.path, name=name, size=part.bytes, sha256=sha256, video_id=video_id)


def named_by(request: Request, name: str | None) -> str:
    """What the client calls the file: the query first, then ``Content-Disposition``, then ``X-Filename``."""
    if name is None:
        said = Message()
        said["Content-Disposition"] = request.headers.get("content-disposition", "")
        name = said.get_filename()
    if name is None and "x-filename" in request.headers:
        name = unquote(request.headers["x-filename"])
    return plain_title(name)


@router.get("/videos", response_model=VideoList, responses=problems_for())
@quick
def list_videos(
    service: Serving,
    principal: Reader,
    cursor: After = None,
    limit: Limit = 50,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="only with this content")] = None,
) -> VideoList:
    """Videos, newest first."""
    found = service.videos.page(principal.owner, after=Cursor.of(cursor), limit=limit, sha256=sha256)
    after = Cursor.after(found, limit)
    return VideoList(
        videos=[VideoShown.of(video) for video in found],
        total=service.videos.count(principal.owner, sha256=sha256),
        next_cursor=None if after is None else str(after),
    )


@router.post("/videos/from-folder", status_code=201, response_model=VideosMade, responses=problems_for(404))
def videos_from_folder(service: Serving, principal: Writer, asked: FromFolder) -> VideosMade:
    """Take files of a server folder as they lie there: they are neither copied nor ever deleted.

    Each is hashed and looked at first. What cannot be taken is told with its reason; the others are taken.
    """
    made, refused = [], []
    for path in asked.paths:
        try:
            made.append(VideoShown.of(_from_folder(service, principal, path)))
        except RefusedError as error:
            refused.append({"path": path, "reason": str(error), "code": error.stable_code})
    return VideosMade(videos=made, refused=refused)


def _from_folder(service: Service, principal: Principal, given: str) -> Video:
    place = inside_roots(service.settings, given, what="path")
    if not place.is_file():
        raise NotFoundError(f"there is no file {given}", code="FILE_NOT_FOUND", hint="GET /api/v1/folders lists them")
    name = plain_title(place.name)
    try:
        media = looked_at(service.settings, place, name)
        sha256 = known_sha256(place)
    except OSError as error:
        raise RequestError(f"{given} cannot be read: {error.strerror}", code="FILE_NOT_READABLE") from error
    for video in service.videos.page(principal.user_id, sha256=sha256, limit=200):
        if video.path == str(place):  # chosen before, and the file is the same
            return video
    new = NewVideo(
        owner_id=principal.user_id,
        name=name,
        path=str(place),
        stored=False,
        bytes=media.size,
        sha256=sha256,
        media=described(media),
        duration=media.duration,
    )
    return service.videos.add(new)


@router.get(
    "/videos/{video_id}", response_class=Response, responses={**_FILE, **problems_for(404, 416)}, summary="The file"
)
@router.head("/videos/{video_id}", response_class=Response, include_in_schema=False)
def video_file(request: Request, service: Serving, principal: Reader, video_id: str) -> Response:
    """The video's file, whole or a `Range` of it, so that a player can jump. `GET /videos/{id}/info` tells about it."""
    video = service.videos.get(video_id, principal.owner)
    path = video_path(service.settings, video)
    if not path.is_file():
        raise NotFoundError(
            f"the file of video {video_id} is not there any more", code="FILE_NOT_FOUND", hint="upload it again"
        )
    kind = media_type_of(path)
    return media_file(request, path, etag=video.sha256, media_type=kind, name=video.name, attachment=False)


def media_type_of(path: Path) -> str:
    """``video/...`` or ``audio/...`` by the ending, or plain bytes: never anything that a browser would run."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    return kind if kind.startswith(("video/", "audio/")) else "application/octet-stream"


@router.get("/videos/{video_id}/info", response_model=VideoShown, responses=problems_for(404))
@quick
def video_info(service: Serving, principal: Reader, video_id: str) -> VideoShown:
    """What is known of a video."""
    return VideoShown.of(service.videos.get(video_id, principal.owner))


@router.delete("/videos/{video_id}", status_code=204, responses=problems_for(404, 409))
def delete_video(service: Serving, principal: Writer, video_id: str) -> None:
    """Delete a video that no job uses any more. Of a file in a server folder only our note of it goes."""
    forget(service, service.videos.remove(video_id, principal.owner))


def forget(service: Service, video: Video) -> None:
    """Delete the file of a video that is in the database no more, if it is ours."""
    if video.stored:
        video_path(service.settings, video).unlink(missing_ok=True)


@router.get("/folders", response_model=FolderList, responses=problems_for())
def folders(service: Serving, principal: Writer) -> FolderList:
    """The server folders that an operator has opened (setting `roots`)."""
    return FolderList(roots=[str(root) for root in service.settings.roots])


@router.get("/folders/look", response_model=FolderShown, responses=problems_for(404))
def look_into_folder(
    service: Serving,
    principal: Writer,
    path: Annotated[str, Query(description="absolute, inside one of the roots", examples=["/data/study"])],
) -> FolderShown:
    """What is in a server folder. Hidden files are left out."""
    folder = inside_roots(service.settings, path, what="path")
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {path}", code="FOLDER_NOT_FOUND", hint="GET /api/v1/folders")
    try:
        entries = sorted(_entries(service, folder), key=lambda entry: (entry.kind != "folder", entry.name.lower()))
    except OSError as error:
        raise ConflictError(f"{path} cannot be read: {error.strerror}", code="FOLDER_NOT_READABLE") from error
    return FolderShown(path=str(folder), entries=entries[:_MOST_ENTRIES], truncated=len(entries) > _MOST_ENTRIES)


def _entries(service: Service, folder: Path) -> Iterator[FolderEntry]:
    for place in folder.iterdir():
        if place.name.startswith(".") or not place.name.isprintable():
            continue
        try:
            inside_roots(service.settings, str(place), what="path")  # a link may lead out
            if place.is_dir():
                yield FolderEntry(name=place.name, path=str(place), kind="folder", bytes=None)
            elif is_media_name(place.name) and place.is_file():
                yield FolderEntry(name=place.name, path=str(place), kind="file", bytes=place.stat().st_size)
        except (RequestError, OSError):
            continue
