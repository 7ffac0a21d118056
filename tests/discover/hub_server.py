"""A hub of one's own: as much of the Hugging Face hub's interface as its real client asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """``files``: by repository, then by path. ``gated``: repositories that want the token ``hf_good``.

    ``asked``: every request, as (method, path, headers).
    """

    def __init__(self, files: Mapping[str, Mapping[str, bytes]], gated: frozenset[str] = frozenset()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.gated = gated
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that http.server has
        """Nothing is written."""

    def _say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.asked.append((self.command, path, dict(self.headers)))
        parts = path.split("/")
        listing = parts[:2] == ["api", "models"]
        repository = "/".join(parts[2:4] if listing else parts[:2])
        files = self.server.files.get(repository)
        if files is None:
            return self._say(404, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        if listing:
            if parts[5:] not in ([COMMIT], ["v1"]):
                return self._say(404, X_Error_Code="RevisionNotFound", X_Error_Message="no such revision")
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            return self._say(200, json.dumps(entries).encode(), Content_Type="application/json")
        if repository in self.server.gated and self.headers.get("Authorization") != "Bearer hf_good":
            return self._say(403, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted")
        name = "/".join(parts[4:])
        if name not in files:
            return self._say(404, X_Error_Code="EntryNotFound", X_Error_Message="Entry not found")
        data = files[name]
        marks = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X_Repo_Commit": COMMIT}
        return self._say(200, data, **marks)


@contextmanager
def hub(files: Mapping[str, Mapping[str, bytes]], gated: frozenset[str] = frozenset()) -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    server = Hub(files, gated)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
