"""The server behind the proxies of ``deploy/``, as they stand there but for ports and the certificate."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx2 as httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.serve.operating.conftest import NAME, Running

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVER = "127.0.0.1:18011"
_PATH = f"{os.environ['PATH']}:/usr/sbin"
LARGE = 50 * 1024**2


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a certificate for `NAME` that vouches for itself, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(began).not_valid_after(began + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(plain)
    signed = made.sign(key, hashes.SHA256())
    (folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem", folder / "key.pem"


@attrs.frozen
class Proxy:
    """One that runs in front of a server."""

    port: int
    trusted: Path
    server: Running

    def connect(self, source: str = "127.0.0.1", timeout: float = 20.0) -> http.client.HTTPSConnection:
        """A connection by TLS, from an address of this machine."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        raw = socket.create_connection(("127.0.0.1", self.port), timeout, source_address=(source, 0))
        made = http.client.HTTPSConnection(NAME, self.port, context=context)
        made.sock = context.wrap_socket(raw, server_hostname=NAME)
        return made

    def ask(
        self, method: str, path: str, body: Any = None, source: str = "127.0.0.1", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request with the admin's key; its answer."""
        connection = self.connect(source)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Authorization": f"Bearer {self.server.key}"} | named)
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        return answer, told


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _nginx(folder: Path, port: int, server: Running, files: tuple[Path, Path]) -> list[str]:
    """The command; its configuration is ours, inside what Debian's says around it."""
    text = (DEPLOY / "nginx.conf").read_text().replace(SERVER, f"127.0.0.1:{server.port}")
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("listen 80", f"listen {_free()}")
    text = text.replace("/etc/ssl/annotate.lab.example.pem", str(files[0]))
    text = text.replace("/etc/ssl/private/annotate.lab.example.key", str(files[1]))
    places = "\n".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n{places}\n{text}\n}}\n"
    )
    return ["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, port: int, server: Running, files: tuple[Path, Path]) -> list[str]:
    """The command; its configuration is ours, with a certificate that nobody has to be asked for."""
    text = (DEPLOY / "Caddyfile").read_text().replace(SERVER, f"127.0.0.1:{server.port}")
    text = text.replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {files[0]} {files[1]}")
    (folder / "Caddyfile").write_text(f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module", params=[_nginx, _caddy], ids=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest,
    running: Running,
    certificate: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """Each of them, in front of a running server; skips where it is not installed."""
    folder, port = tmp_path_factory.mktemp("proxy"), _free()
    command = request.param(folder, port, running, certificate)
    found = shutil.which(command[0], path=_PATH)
    if found is None:
        pytest.skip(f"{command[0]} is not installed (Debian: apt-get install {command[0]})")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([found, *command[1:]], stdout=log, stderr=log, env={"HOME": str(folder)})
    try:
        for _ in range(200):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield Proxy(port, certificate[0], running)
    finally:
        process.kill()  # in order, Caddy waits for streams that nobody reads any more
        process.wait()


@pytest.fixture(scope="session")
def large(short_clip: Path) -> bytes:
    """A clip with a long box of nothing behind it, as some cameras leave it."""
    return short_clip.read_bytes() + struct.pack(">I4s", LARGE, b"free") + bytes(LARGE - 8)


def _received(server: Running) -> int:
    """Bytes of uploads that have not ended yet."""
    return sum(path.stat().st_size for path in (server.data / "uploads").glob("*") if path.is_file())


def test_uploads_pass_on_their_way_and_come_back_in_parts(proxy: Proxy, large: bytes) -> None:
    """What is not sent to its end yet is with the server already; Range gives what was asked for."""
    connection = proxy.connect()
    connection.putrequest("POST", "/api/v1/videos?name=large.mp4")
    for name, value in {"Authorization": f"Bearer {proxy.server.key}", "Content-Length": str(len(large))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    half = len(large) // 2
    connection.send(large[:half])
    until = time.monotonic() + 10
    while _received(proxy.server) < half - 2 * 1024**2 and time.monotonic() < until:
        time.sleep(0.02)
    assert half - 2 * 1024**2 <= _received(proxy.server) <= half
    connection.send(large[half:])
    answer = connection.getresponse()
    told = json.loads(answer.read())
    assert answer.status == 201, told
    part, body = proxy.ask("GET", f"/api/v1/videos/{told['id']}", Range="bytes=100-299")
    assert (part.status, body) == (206, large[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(large)}"
    assert part.headers["Accept-Ranges"] == "bytes"
    none, _ = proxy.ask("GET", f"/api/v1/videos/{told['id']}", Range=f"bytes={len(large)}-")
    assert none.status == 416
    proxy.ask("DELETE", f"/api/v1/videos/{told['id']}")


def test_events_come_when_they_happen(proxy: Proxy, short_clip: Path) -> None:
    """While the stream is open, and soon: a proxy that waits for a full buffer would hold them for minutes."""
    video = proxy.server.api("POST", "/api/v1/videos", params={"name": "a.mp4"}, content=short_clip.read_bytes())
    connection = proxy.connect()
    connection.request("GET", "/api/v1/events/stream", headers={"Authorization": f"Bearer {proxy.server.key}"})
    stream = connection.getresponse()
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    told = ""
    job = proxy.server.job(video["id"])
    while '"completed"' not in told:
        line = stream.readline().decode()
        assert line, "the stream has ended"
        if job in line:
            told += line
    assert proxy.server.api("GET", f"/api/v1/jobs/{job}")["status"] == "completed"
    connection.close()


def test_who_asks_and_by_which_way(proxy: Proxy) -> None:
    """The server's log and its limits know the client's address, whatever the client says; the cookie is of https."""
    answers = [proxy.ask("GET", "/api/v1/nothing", Authorization="", source="127.0.0.5")[0] for _ in range(2)]
    rest = [int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
    assert rest[1] == rest[0] - 1
    forged, _ = proxy.ask("GET", "/api/v1/nothing", Authorization="", source="127.0.0.5", X_Forwarded_For="9.9.9.9")
    assert f"r={rest[1] - 1};" in forged.headers["RateLimit"]
    other, _ = proxy.ask("GET", "/api/v1/nothing", Authorization="", source="127.0.0.6")
    assert f"r={rest[1] - 1};" not in other.headers["RateLimit"]
    said = proxy.server.said("/api/v1/nothing", other.headers["X-Request-ID"])
    assert [line.rpartition(" at ")[2] for line in said[-4:]] == ["127.0.0.5"] * 3 + ["127.0.0.6"]
    own = {"Content_Type": "application/json", "X_Requested_With": "videoannotator", "Authorization": ""}
    given = json.dumps({"key": proxy.server.key})
    signed, told = proxy.ask("POST", "/api/v1/session", given, Origin=f"https://{NAME}:{proxy.port}", **own)
    assert signed.status == 200, told
    assert "Secure" in signed.headers["Set-Cookie"]
    strange, _ = proxy.ask("POST", "/api/v1/session", given, Origin="https://elsewhere.example", **own)
    assert strange.status == 403


def test_other_names_and_websockets_do_not_come_in(proxy: Proxy) -> None:
    """A name that is not the server's gets nothing of it, and neither does who wants another protocol."""
    answer, body = proxy.ask("GET", "/api/v1/users/me", Host="evil.example")
    assert b"admin" not in body
    assert answer.status == 421 or (answer.status, body) == (200, b""), "Caddy itself has nothing for that name"
    wanted = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    answer, _ = proxy.ask("GET", "/api/v1/events/socket", Sec_WebSocket_Key="x3JJHMbDL1EzLkh9GBhXDw==", **wanted)
    assert answer.status in (400, 403, 404, 426)


def test_believed_is_only_a_proxy_that_is_named(running: Running) -> None:
    """Who comes from elsewhere can say what they like: the log has the address they come from."""
    transport = httpx.HTTPTransport(local_address="127.0.0.9")
    with httpx.Client(transport=transport) as client:
        answer = client.get(f"{running.address}/api/v1/elsewhere", headers={"X-Forwarded-For": "9.9.9.9"})
    assert running.said("/api/v1/elsewhere", answer.headers["X-Request-ID"])[-1].endswith("at 127.0.0.9")
