"""A real server on a real socket: refusals come before the body is read, and nothing secret is in what it writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from tests.serve.access.conftest import PAGE, Somebody, with_key

from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.schema import metadata

SERVING = """
import logging, sys
import uvicorn
from videoannotator.serve.access.first import first_admin
from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
service = Service.of(ServerSettings(data_dir=sys.argv[1]))
print(first_admin(service), flush=True)
uvicorn.run(create_app(service), fd=int(sys.argv[2]), log_config=None, log_level="debug", access_log=False)
"""


@attrs.frozen
class Running:
    """A server in a process of its own. ``log``: everything it writes to standard error."""

    port: int
    secret: str
    log: Path
    service: Service

    def ask(self, head: str, body: bytes = b"", *, wait: float = 20.0) -> tuple[int, dict[str, str], bytes]:
        """Send a head and what there is of a body, and read the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            lines = head.strip().splitlines()
            text = "\r\n".join([*(line.strip() for line in lines), "Host: 127.0.0.1", "", ""])
            connection.sendall(text.encode() + body)
            answer = b""
            while True:
                part = connection.recv(65536)
                answer += part
                top, found, rest = answer.partition(b"\r\n\r\n")
                if found:
                    status, *fields = top.decode("latin-1").split("\r\n")
                    headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
                    if len(rest) >= int(headers.get("content-length", "0")):
                        return int(status.split()[1]), headers, rest
                if not part:
                    raise AssertionError(f"the server hung up: {answer!r}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Logs everything it can."""
    folder = tmp_path_factory.mktemp("server")
    service = Service.of(ServerSettings(data_dir=folder / "data"))
    metadata.create_all(service.database.engine)
    log = folder / "log.txt"
    with socket.socket() as listening, log.open("w") as written:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        process = subprocess.Popen(
            [sys.executable, "-c", SERVING, str(service.settings.data_dir), str(listening.fileno())],
            stdout=subprocess.PIPE,
            stderr=written,
            pass_fds=[listening.fileno()],
            text=True,
            env={**os.environ, "PYTHONASYNCIODEBUG": "0"},
        )
        assert process.stdout is not None
        secret = process.stdout.readline().strip()
        yield Running(listening.getsockname()[1], secret, log, service)
        process.terminate()
        process.wait(20)
        process.stdout.close()
    service.close()


FORM = """
    {method} {path} HTTP/1.1
    Content-Type: {kind}
    Content-Length: 314572800
"""
UPLOADS = [
    ("POST", "/api/v1/jobs", "multipart/form-data; boundary=x"),
    ("POST", "/api/v1/jobs/", "multipart/form-data; boundary=x"),
    ("POST", "/api/v1/videos", "video/mp4"),
    ("PUT", "/api/v1/videos/0f8f6bd2-6a4c-4f0c-9a53-1d2f6a1f7a10", "video/mp4"),
    ("PATCH", "/api/v1/uploads/0f8f6bd2-6a4c-4f0c-9a53-1d2f6a1f7a10", "application/offset+octet-stream"),
]
PART = b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + b"v" * 1000


@pytest.mark.parametrize(("method", "path", "kind"), UPLOADS)
def test_an_upload_without_a_key_is_refused_at_once(server: Running, method: str, path: str, kind: str) -> None:
    """300 MB are announced and 1 kB is sent: the answer does not wait for the rest, and the connection ends."""
    began = time.monotonic()
    status, headers, body = server.ask(FORM.format(method=method, path=path, kind=kind), PART)
    assert time.monotonic() - began < 10
    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert json.loads(body)["code"] == "NO_CREDENTIALS"


def test_a_body_that_is_announced_too_large_is_refused_at_once(server: Running) -> None:
    head = f"""
        POST /api/v1/users HTTP/1.1
        Authorization: Bearer {server.secret}
        Content-Type: application/json
        Content-Length: 314572800
    """
    status, headers, body = server.ask(head, b"{")
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body)["code"] == "TOO_LARGE"


def test_a_body_without_an_announcement_is_refused_once_it_is_too_large(server: Running) -> None:
    head = f"""
        POST /api/v1/users HTTP/1.1
        Authorization: Bearer {server.secret}
        Content-Type: application/json
        Transfer-Encoding: chunked
    """
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, _, body = server.ask(head, chunk * 20)
    assert status == 413
    assert json.loads(body)["code"] == "TOO_LARGE"


def test_nothing_is_asked_for_that_will_be_refused(server: Running) -> None:
    """A client that asks first (Expect: 100-continue) is not told to send its body."""
    head = FORM.format(method="POST", path="/api/v1/videos", kind="video/mp4").rstrip() + "\nExpect: 100-continue"
    assert server.ask(head)[0] == 401


@pytest.mark.parametrize("given_id", ["a\rSet-Cookie: x=y", "a\x00b", "a\tb"])
def test_no_header_comes_back_from_a_request_id(server: Running, given_id: str) -> None:
    head = f"GET /api/v1/users/me HTTP/1.1\r\nX-Request-ID: {given_id}\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536).decode("latin-1").lower()
    assert "set-cookie" not in answer
    assert answer.startswith(("http/1.1 400", "http/1.1 401"))


def test_nothing_secret_is_written_down(server: Running) -> None:
    """Keys, tokens and cookies go in by every way there is, right ones and wrong ones, and none is in the log."""
    who = with_key(server.service, "researcher")
    wrong = who.secret[:-4] + "AAAA"
    token = server.service.tokens.make("access", who.user.id, ("read",), 60, key_id=who.key.id).token
    stream = server.service.tokens.make("stream", who.user.id, ("read",), 60, key_id=who.key.id).token

    def sign_in(who: Somebody) -> str:
        body = json.dumps({"key": who.secret}).encode()
        head = f"""
            POST /api/v1/session HTTP/1.1
            Content-Type: application/json
            Content-Length: {len(body)}
            X-Requested-With: {PAGE["X-Requested-With"]}
        """
        return server.ask(head, body)[1]["set-cookie"].partition("=")[2].partition(";")[0]

    cookie = sign_in(who)
    broken = token[:-6] + "AAAAAA"
    carried = [
        f"GET /api/v1/users/me HTTP/1.1\nAuthorization: Bearer {text}" for text in (who.secret, wrong, token, broken)
    ]
    carried += [f"GET /api/v1/users/me HTTP/1.1\nX-API-Key: {text}" for text in (who.secret, wrong)]
    carried += [f"GET /api/v1/users/me HTTP/1.1\nAuthorization: Basic {who.secret}"]
    carried += [f"GET /api/v1/users/me HTTP/1.1\nCookie: videoannotator_session={cookie}"]
    carried += [f"GET /api/v1/users/me?token={text} HTTP/1.1" for text in (stream, token, who.secret)]
    carried += [f"GET /api/v1/events/stream?token={text} HTTP/1.1" for text in (wrong, broken, who.secret)]
    statuses = {server.ask(head)[0] for head in carried}
    assert {200, 401} <= statuses
    made = json.dumps({"name": "another"}).encode()
    head = f"""
        POST /api/v1/keys HTTP/1.1
        Authorization: Bearer {who.secret}
        Content-Type: application/json
        Content-Length: {len(made)}
    """
    status, _, body = server.ask(head, made)
    assert status == 201
    new = json.loads(body)["key"]
    log = server.log.read_text()
    assert "/api/v1/users/me" in log, "the log is the log"
    for secret in (who.secret, wrong, new, server.secret):
        assert secret[16:] not in log
    for text in (token, broken, stream, cookie):
        assert text.rpartition(".")[2] not in log
    folder = server.service.settings.data_dir
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            for secret in (who.secret, new, server.secret):
                assert secret[16:].encode() not in raw, path
