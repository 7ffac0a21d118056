"""Routes: the web page at ``/``, the page of the API at ``/docs``, and, where its build is placed, the Video Annotation
Viewer at ``/viewer``.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from videoannotator.serve.api.asking import Serving
from videoannotator.serve.api.streaming import matches
from videoannotator.serve.errors import NotFoundError

__all__ = ["VIEWER_FOLDER", "router"]

router = APIRouter(include_in_schema=False)

VIEWER_FOLDER = "viewer"
"""Inside the data folder: where the viewer's build (its ``dist``) is looked for."""

_PAGE = Path(__file__).parent.parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
_ICON = "icon.svg"
_LOOK_AGAIN = "no-cache"
_KEEP = "max-age=86400"
"""For the icon: browsers ask for it at every view. All else must fit together, and is looked for again."""
_VIEWER_POLICY = (  # it styles its elements by script
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_ABSENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Video Annotation Viewer</title>
<link rel="stylesheet" href="/page/style.css"><main><h1>The Video Annotation Viewer is not here</h1>
<p>It is a separate program. Put its build, made for the address <code>/viewer/</code>, into the server's data folder
under the name <code>viewer</code>. Then this address shows it.</p>
<p>Until then: <a href="/">this server's own page</a>, which also gives ZIP files that the viewer opens.</p></main>
</html>
"""


@router.get("/")
def page(request: Request) -> Response:
    """The page."""
    return _file(request, _PAGE, "index.html")


@router.get("/docs")
def api_page(request: Request) -> Response:
    """The page of the API: what ``/openapi.json`` says, to be read."""
    return _file(request, _PAGE, "docs.html")


@router.get("/redoc")
def to_api_page() -> Response:
    """FastAPI's other page of the API; there is one here."""
    return RedirectResponse("/docs")


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    """Its icon."""
    return _file(request, _PAGE, _ICON)


@router.get("/page/{name}")
def part(request: Request, name: str) -> Response:
    """One of the page's files."""
    return _file(request, _PAGE, name)


@router.get("/viewer")
def to_viewer() -> Response:
    """Its links are relative to its folder."""
    return RedirectResponse("/viewer/")


@router.get("/viewer/{name:path}")
def viewer(request: Request, service: Serving, name: str) -> Response:
    """The viewer's files; its own addresses all show its page."""
    folder = service.settings.data_dir / VIEWER_FOLDER
    if not (folder / "index.html").is_file():
        return HTMLResponse(_ABSENT, status_code=404)
    try:
        answer = _file(request, folder, name or "index.html")
    except NotFoundError:
        if Path(name).suffix:
            raise
        answer = _file(request, folder, "index.html")
    answer.headers["Content-Security-Policy"] = _VIEWER_POLICY
    return answer


def _file(request: Request, folder: Path, name: str) -> Response:
    """A file of a folder, by a name that leads nowhere else."""
    if "\x00" in name:
        raise NotFoundError("there is no such file")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise NotFoundError(f"there is no file {name[:200]!r}", hint="the page is at /")
    cache = _KEEP if path == _PAGE / _ICON else _LOOK_AGAIN
    kind = _TYPES.get(path.suffix)
    answer = FileResponse(path, media_type=kind, headers={"Cache-Control": cache}, stat_result=path.stat())
    etag = answer.headers["etag"]
    if matches(request.headers.get("if-none-match"), etag.strip('"')):
        return Response(status_code=304, headers={"Cache-Control": cache, "ETag": etag})
    return answer
