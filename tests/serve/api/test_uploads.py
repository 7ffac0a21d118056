"""Uploads that can be resumed: tus 1.0, as its clients speak it."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from sqlalchemy import update
from starlette.testclient import TestClient
from tests.serve.api.conftest import stored_files

from videoannotator.serve.service import Service
from videoannotator.serve.store.schema import uploads

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}


def begin(client: TestClient, length: int, name: str = "session01.mp4", **more: str) -> Any:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    return client.post(
        "/api/v1/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata, **more}
    )


def add(client: TestClient, place: str, offset: int, data: bytes, **more: str) -> Any:
    return client.patch(place, content=data, headers={**CHUNK, "Upload-Offset": str(offset), **more})


def offset(client: TestClient, place: str) -> int:
    return int(client.head(place, headers=TUS).headers["upload-offset"])


def left(service: Service) -> list[str]:
    return [path.parent.name for path in stored_files(service.settings.data_dir) if path.suffix != ".lock"]


def test_what_is_spoken_here(client: TestClient) -> None:
    told = client.options("/api/v1/uploads")
    assert (told.status_code, told.headers["tus-version"]) == (204, "1.0.0")
    extensions = set(told.headers["tus-extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "expiration", "termination", "checksum"}
    assert int(told.headers["tus-max-size"]) > 0
    refused = client.post("/api/v1/uploads", headers={"Tus-Resumable": "0.2", "Upload-Length": "5"})
    assert (refused.status_code, refused.headers["tus-version"]) == (412, "1.0.0")


def test_an_upload_in_parts_becomes_a_video(client: TestClient, service: Service, clip: bytes) -> None:
    begun = begin(client, len(clip), "Mutter & Kind.mp4")
    assert begun.status_code == 201, begun.text
    place = begun.headers["location"]
    assert offset(client, place) == 0
    third = len(clip) // 3
    for start in (0, third, 2 * third):
        end = len(clip) if start == 2 * third else start + third
        part = add(client, place, start, clip[start:end])
        assert (part.status_code, part.headers["upload-offset"]) == (204, str(end)), part.text
    video = client.get(f"{part.headers['content-location']}/info").json()
    assert (video["name"], video["sha256"]) == ("Mutter & Kind.mp4", hashlib.sha256(clip).hexdigest())
    assert client.get(video["href"]).content == clip
    assert client.get(place).json()["video_id"] == video["id"]
    assert left(service) == ["videos"]
    assert add(client, place, len(clip), b"x").json()["code"] == "UPLOAD_COMPLETE"


def broken_off(address: str, key: str, method: str, path: str, body: bytes, length: int, **headers: str) -> None:
    """Send a part of a body, then let the line break."""
    host, _, port = address.removeprefix("http://").partition(":")
    lines = {"Host": host, "Authorization": f"Bearer {key}", "Content-Length": str(length), **headers}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(head.encode() + b"\r\n" + body)
        time.sleep(0.2)  # so that it is read before the line breaks


def settled(ask: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not ask():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_was_cut_off_is_gone_on_with(live: tuple[str, str], service: Service, clip: bytes) -> None:
    address, key = live
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
        place = begin(client, len(clip)).headers["location"]
        headers = {**CHUNK, "Upload-Offset": "0"}
        broken_off(address, key, "PATCH", place, clip[:1000], len(clip), **headers)
        settled(lambda: offset(client, place) == 1000)
        # a crash may leave bytes that nobody has vouched for
        file = service.settings.data_dir / "uploads" / f"{place.rpartition('/')[2]}.part"
        file.write_bytes(file.read_bytes() + b"\0" * 777)
        assert add(client, place, 1001, clip[1001:]).json()["code"] == "OFFSET_MISMATCH"
        done = add(client, place, 1000, clip[1000:])
        assert done.status_code == 204, done.text
        assert client.get(done.headers["content-location"]).content == clip


def test_a_line_that_went_without_a_word_stops_nobody(
    live: tuple[str, str], clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that is shut, a router that forgets: no end of the connection ever arrives."""
    monkeypatch.setattr("videoannotator.serve.api.uploads.SILENT", 0.5)
    address, key = live
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
        place = begin(client, len(clip)).headers["location"]
        host, _, port = address.removeprefix("http://").partition(":")
        lines = {**CHUNK, "Host": host, "Authorization": f"Bearer {key}", "Content-Length": str(len(clip))}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, "Upload-Offset": "0"}.items())
        with socket.create_connection((host, int(port)), timeout=10) as silent:
            silent.sendall(f"PATCH {place} HTTP/1.1\r\n{head}\r\n".encode() + clip[:1000])
            settled(lambda: offset(client, place) == 1000)
            done = add(client, place, 1000, clip[1000:])
            assert done.status_code == 204, done.text
            assert client.get(done.headers["content-location"]).content == clip


def test_of_a_video_that_was_cut_off_nothing_is_left(live: tuple[str, str], service: Service, clip: bytes) -> None:
    address, key = live
    broken_off(address, key, "POST", "/api/v1/videos", clip[:5000], len(clip))
    form = b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + clip[:5000]
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    broken_off(address, key, "POST", "/api/v1/jobs", form, len(clip) + 200, **kind)
    settled(lambda: left(service) == [])
    assert service.videos.count(None) == 0


def test_the_first_bytes_may_come_with_the_beginning(client: TestClient, clip: bytes) -> None:
    headers = {**CHUNK, "Upload-Length": str(len(clip))}
    begun = client.post("/api/v1/uploads", content=clip, headers=headers)
    assert (begun.status_code, begun.headers["upload-offset"]) == (201, str(len(clip)))
    assert client.get(begun.headers["content-location"]).content == clip


def test_a_checksum_that_differs_counts_nothing(client: TestClient, clip: bytes) -> None:
    def checksum(data: bytes, name: str = "sha1") -> dict[str, str]:
        return {"Upload-Checksum": f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"}

    place = begin(client, len(clip)).headers["location"]
    wrong = add(client, place, 0, clip[:500], **checksum(b"other"))
    assert (wrong.status_code, wrong.json()["code"], offset(client, place)) == (460, "CHECKSUM_MISMATCH", 0)
    assert add(client, place, 0, clip[:500], **checksum(clip[:500])).status_code == 204
    assert offset(client, place) == 500
    assert add(client, place, 500, b"x", **{"Upload-Checksum": "crc32 AAAA"}).status_code == 400


def test_what_is_no_video_is_refused_at_the_end_and_goes(client: TestClient, service: Service) -> None:
    place = begin(client, 2000, "letter.mp4").headers["location"]
    answer = add(client, place, 0, b"x" * 2000)
    assert (answer.status_code, answer.json()["code"]) == (422, "MEDIA_REFUSED")
    assert "letter.mp4" in client.get(place).json()["error"]
    assert left(service) == []


def test_refusals(client: TestClient, client_of: Callable[..., TestClient], service: Service, clip: bytes) -> None:
    place = begin(client, len(clip)).headers["location"]
    other = client_of("researcher")
    assert other.head(place, headers=TUS).status_code == 404
    assert add(other, place, 0, clip).status_code == 404
    assert add(client, place, 0, clip + b"more").status_code == 413
    assert client.patch(place, content=b"x", headers={**TUS, "Upload-Offset": "0"}).status_code == 415
    assert begin(client, service.settings.limits.upload_bytes + 1).status_code == 413
    assert begin(client, 0).status_code == 422
    assert client.post("/api/v1/uploads", headers=TUS).status_code == 422
    assert begin(client, 5, **{"Upload-Metadata": "filename ???"}).json()["code"] == "INVALID_METADATA"
    with FileLock(service.settings.data_dir / "uploads" / f"{place.rpartition('/')[2]}.lock"):
        assert add(client, place, 0, clip[:10]).status_code == 423
    assert add(client, place, 0, clip[:10]).status_code == 204


def test_giving_up_and_expiring(client: TestClient, service: Service) -> None:
    place, other = (begin(client, 5000).headers["location"] for _ in range(2))
    assert len(client.get("/api/v1/uploads").json()["uploads"]) == 2
    assert client.delete(place, headers=TUS).status_code == 204
    assert client.head(place, headers=TUS).status_code == 404
    with service.database.write() as connection:
        connection.execute(update(uploads).values(expires_at=1.0))
    assert client.head(other, headers=TUS).status_code == 404
    assert client.get("/api/v1/uploads").json()["uploads"] == []


@budget(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=8), st.data())
def test_however_it_is_cut_the_same_bytes_arrive(
    client: TestClient, service: Service, sizes: list[int], data: st.DataObject
) -> None:
    content = bytes(range(256)) * 40
    place = begin(client, len(content) + 1).headers["location"]  # one byte is never sent: no need to look at it
    at = 0
    for size in sizes:
        if data.draw(st.booleans(), "at the wrong place"):
            wrong = data.draw(st.integers(0, len(content)).filter(lambda n, at=at: n != at))
            assert add(client, place, wrong, b"zz").status_code in (409, 413)
        piece = content[at : at + size]
        assert add(client, place, at, piece).status_code == 204
        at += len(piece)
        assert offset(client, place) == at
    file = service.settings.data_dir / "uploads" / f"{place.rpartition('/')[2]}.part"
    assert file.read_bytes() == content[:at]
