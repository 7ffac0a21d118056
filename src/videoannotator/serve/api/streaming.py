"""Bodies that arrive and files that leave: in pieces, and never by the event loop's own hands."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from videoannotator.serve.errors import ChecksumError, RangeError, RequestError

__all__ = ["announced_length", "digest_announced", "in_blocks", "matches", "media_file", "require_digest"]

_BLOCK = 1 << 20
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_RANGE = re.compile(r"\s*(\d*)\s*-\s*(\d*)\s*")


def announced_length(request: Request) -> int | None:
    """Bytes that the body will have; None where it is not said."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isdecimal() else None


async def in_blocks(source: AsyncIterator[bytes], write: Callable[[bytes], object]) -> None:
    """Hand a body to ``write``, a megabyte at a time, in a thread."""
    held = bytearray()
    async for piece in source:
        held += piece
        if len(held) >= _BLOCK:
            await run_in_threadpool(write, bytes(held))
            held.clear()
    if held:
        await run_in_threadpool(write, bytes(held))


def digest_announced(request: Request) -> str | None:
    """The SHA-256 that the header ``Repr-Digest`` (RFC 9530) announces, hexadecimal; None where it has none."""
    said = request.headers.get("repr-digest")
    if said is None:
        return None
    found = _DIGEST.search(said)
    if found is None:
        raise RequestError(
            "Repr-Digest: only sha-256=:BASE64: is understood",
            code="INVALID_DIGEST",
            hint="leave it out, or correct it",
        )
    try:
        return base64.b64decode(found.group(1), validate=True).hex()
    except binascii.Error as error:
        raise RequestError("Repr-Digest is no base64", code="INVALID_DIGEST") from error


def require_digest(announced: str | None, found: str) -> None:
    """Raise `ChecksumError` when other bytes arrived than were announced."""
    if announced is not None and announced != found:
        raise ChecksumError(
            f"the bytes that arrived have the SHA-256 {found}, {announced} was announced",
            hint="send the file again; nothing of it was kept",
        )


def media_file(request: Request, path: Path, *, etag: str, media_type: str, name: str, attachment: bool) -> Response:
    """A file: whole, in part (Range), or not at all when the client has it (If-None-Match).

    ``etag``: without quotes; stands for the content. Raises `RangeError`.
    """
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    size = path.stat().st_size
    if "range" in request.headers and not _fine(request.headers["range"], size):
        # what is no range at all is not there for us (RFC 9110); Starlette would answer it with an error in plain text
        request.scope["headers"] = [(k, v) for k, v in request.scope["headers"] if k != b"range"]
    return FileResponse(
        path,
        headers=headers,
        media_type=media_type,
        filename=name,
        content_disposition_type="attachment" if attachment else "inline",
    )


def matches(said: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names the content that is here. ``etag``: without quotes."""
    return said is not None and any(one.strip().removeprefix("W/") in ("*", f'"{etag}"') for one in said.split(","))


def _fine(said: str, size: int) -> bool:
    """True for ranges that can be given, False for what is no range. Raises `RangeError` for one outside the file."""
    unit, equals, rest = said.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return False
    parts = rest.split(",")
    if len(parts) > FileResponse.max_ranges:
        return False
    inside = []
    for part in parts:
        found = _RANGE.fullmatch(part)
        if found is None or not any(found.groups()) or max(map(len, found.groups())) > 20:
            return False
        first, last = found.groups()
        if first and last and int(first) > int(last):
            return False
        inside.append(int(first) < size if first else int(last) > 0 and size > 0)
    if not all(inside):
        raise RangeError(
            f"the file has {size} bytes, and the range lies outside",
            hint="HEAD tells how many there are",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return True
