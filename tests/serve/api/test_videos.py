"""Videos: sent in one go, looked at before they are kept, given back in parts, deleted."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from starlette.testclient import TestClient

from videoannotator.serve.errors import RequestError
from videoannotator.serve.receiving import plain_title, suffix_of
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

Clients = Callable[..., TestClient]


def files_in(service: Service) -> list[Path]:
    """Every file of the data folder that is no database."""
    return sorted(p for p in service.settings.data_dir.rglob("*") if p.is_file() and not p.name.startswith("server.db"))


def test_a_video_is_kept_as_it_was_sent(client: TestClient, service: Service, clip: bytes) -> None:
    answer = client.post("/api/v1/videos?name=Mutter%20%26%20Kind.mp4", content=clip)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"] == f"/api/v1/videos/{told['id']}"
    assert told["name"] == "Mutter & Kind.mp4"
    assert told["sha256"] == hashlib.sha256(clip).hexdigest()
    assert told["bytes"] == len(clip)
    assert told["media"]["video"]["width"] == 160
    assert told["duration"] == pytest.approx(1.6, abs=0.1)
    assert files_in(service) == [service.settings.data_dir / "videos" / f"{told['id']}.mp4"]
    assert client.get(told["href"]).content == clip
    assert client.get(f"{told['href']}/info").json() == told
    assert client.get("/api/v1/videos").json()["videos"] == [told]


def test_no_path_of_the_server_is_told(client: TestClient, service: Service, clip: bytes) -> None:
    place = str(service.settings.data_dir)
    assert place not in client.post("/api/v1/videos?name=a.mp4", content=clip).text
    refused = client.post("/api/v1/videos?name=letter.mp4", content=b"dear all, this is no video\n" * 50)
    assert refused.status_code == 422
    assert refused.json()["code"] == "MEDIA_REFUSED"
    assert "letter.mp4" in refused.json()["detail"]
    assert place not in refused.text


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"no video", 422), (b"#EXTM3U\n/etc/passwd\n", 422), (b"\x00" * 4096, 422)]
)
def test_of_what_is_refused_nothing_is_left(client: TestClient, service: Service, body: bytes, status: int) -> None:
    answer = client.post("/api/v1/videos?name=x.mp4", content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert files_in(service) == []
    assert client.get("/api/v1/videos").json()["total"] == 0


def test_a_digest_that_differs_is_told_and_nothing_is_kept(client: TestClient, service: Service, clip: bytes) -> None:
    def digest(data: bytes) -> dict[str, str]:
        return {"Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}

    wrong = client.post("/api/v1/videos", content=clip, headers=digest(b"other"))
    assert (wrong.status_code, wrong.json()["code"]) == (460, "CHECKSUM_MISMATCH")
    assert files_in(service) == []
    assert client.post("/api/v1/videos", content=clip, headers=digest(clip)).status_code == 201


def test_a_video_that_is_too_long_or_too_large_is_refused_before_it_is_decoded(
    settings: ServerSettings, clip: bytes, service_with: Callable[[ServerSettings], TestClient]
) -> None:
    short = attrs.evolve(settings, limits=attrs.evolve(settings.limits, duration=1.0))
    answer = service_with(short).post("/api/v1/videos?name=long.mp4", content=clip)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["limit"] == "duration"
    small = attrs.evolve(settings, limits=attrs.evolve(settings.limits, pixels=1000))
    assert service_with(small).post("/api/v1/videos", content=clip).json()["errors"][0]["limit"] == "pixels"
    light = attrs.evolve(settings, limits=attrs.evolve(settings.limits, upload_bytes=1000))
    assert service_with(light).post("/api/v1/videos", content=clip).status_code == 413

    def pieces() -> Any:
        yield from (clip[i : i + 700] for i in range(0, len(clip), 700))

    assert service_with(light).post("/api/v1/videos", content=pieces()).status_code == 413  # no length announced
    full = attrs.evolve(settings, limits=attrs.evolve(settings.limits, free_bytes=2**62))
    assert service_with(full).post("/api/v1/videos", content=clip).status_code == 507


def test_putting_the_same_video_twice_makes_one(client: TestClient, clip: bytes, other_clip: bytes) -> None:
    place = "/api/v1/videos/7b0e8a52-0f63-4d60-9f0a-9d2c3f5a1b10"
    assert client.put(place, content=clip).status_code == 201
    assert client.put(place, content=clip).status_code == 200
    assert client.put(place, content=other_clip).status_code == 409
    assert client.get(place).content == clip
    assert client.get("/api/v1/videos").json()["total"] == 1
    of_another = hashlib.sha256(other_clip).hexdigest()
    assert client.get(f"/api/v1/videos?sha256={of_another}").json()["total"] == 0
    assert client.put("/api/v1/videos/mine", content=clip).status_code == 400


def test_ranges_and_conditions(client: TestClient, clip: bytes) -> None:
    href = client.post("/api/v1/videos?name=a.mp4", content=clip).json()["href"]
    size = len(clip)

    def get(said: str, **more: str) -> Any:
        return client.get(href, headers={"Range": said, **more})

    part = get("bytes=10-19")
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        clip[10:20],
        f"bytes 10-19/{size}",
    )
    assert get("bytes=-5").content == clip[-5:]
    assert get(f"bytes={size - 3}-").content == clip[-3:]
    several = get("bytes=0-1,5-6")
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    outside = get(f"bytes={size}-")
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{size}")
    assert outside.headers["content-type"] == "application/problem+json"
    for none in ("bytes=9-2", "pictures=1-2", "bytes=", "bytes=a-b", "bytes=0-0," * 200 + "1-1"):
        assert (get(none).status_code, len(get(none).content)) == (200, size), none
    etag = client.head(href).headers["etag"]
    assert client.head(href).headers["content-length"] == str(size)
    assert client.get(href, headers={"If-None-Match": etag}).status_code == 304
    assert get("bytes=0-0", **{"If-Range": etag}).status_code == 206
    assert get("bytes=0-0", **{"If-Range": '"other"'}).status_code == 200


def test_a_video_of_somebody_else_is_not_there(client_of: Clients, clip: bytes) -> None:
    one, other = client_of("researcher"), client_of("researcher")
    href = one.post("/api/v1/videos", content=clip).json()["href"]
    assert [other.get(href).status_code, other.get(f"{href}/info").status_code, other.delete(href).status_code] == [
        404,
        404,
        404,
    ]
    assert client_of("analyst").get(href).status_code == 200
    assert other.get("/api/v1/videos").json()["total"] == 0


def test_deleting_takes_the_file(client: TestClient, service: Service, clip: bytes) -> None:
    href = client.post("/api/v1/videos", content=clip).json()["href"]
    assert client.delete(href).status_code == 204
    assert files_in(service) == []
    assert client.get(href).status_code == 404
    assert client.delete(href).status_code == 404


def test_pages_follow_each_other_without_gaps(client: TestClient, clip: bytes) -> None:
    made = [client.post(f"/api/v1/videos?name={n}.mp4", content=clip).json()["id"] for n in range(5)]
    found, cursor = [], None
    while True:
        page = client.get("/api/v1/videos", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [video["id"] for video in page["videos"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
    assert client.get("/api/v1/videos?cursor=nonsense").json()["code"] == "INVALID_CURSOR"


@given(st.text(max_size=400))
def test_names_are_data_and_can_be_shown(name: str) -> None:
    title = plain_title(name)
    assert 0 < len(title) <= 255
    assert title.isprintable()
    assert not set(title) & {"/", "\\", "\x00"}
    assert title not in (".", "..")
    title.encode("utf-8")
    suffix = suffix_of(name)
    assert suffix == ".media" or (suffix[1:].isalnum() and len(suffix) <= 6)


_HARD = ["../../etc/passwd", "..%2f..%2fx.mp4", "a/../../b.mp4", "C:\\x\\y.mp4", "-i", ";rm -rf", "\u202egpj.mp4"]


@pytest.mark.parametrize("name", [*_HARD, "x" * 4000 + ".mp4", "a\nb.mp4", "."])
def test_no_name_leads_out_of_the_folder(client: TestClient, service: Service, clip: bytes, name: str) -> None:
    told = client.post("/api/v1/videos", params={"name": name}, content=clip).json()
    assert [p.parent.name for p in files_in(service)] == ["videos"]
    assert files_in(service)[0].stem == told["id"]
    assert client.get(told["href"]).content == clip  # also with such a name in its headers


@pytest.fixture
def study(tmp_path: Path, clip: bytes) -> Path:
    """A server folder with a clip, a letter, a folder, and links that lead out of it."""
    folder = tmp_path / "study"
    (folder / "day1").mkdir(parents=True)
    (folder / "day1" / "session.mp4").write_bytes(clip)
    (folder / "letter.mp4").write_text("no video")
    (folder / "notes.txt").write_text("x")
    (tmp_path / "secret.mp4").write_bytes(clip)
    (folder / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder / "outside").symlink_to(tmp_path)
    return folder


def test_server_folders(
    settings: ServerSettings, study: Path, service_with: Callable[[ServerSettings], TestClient], clip: bytes
) -> None:
    client = service_with(attrs.evolve(settings, roots=(study,)))
    assert client.get("/api/v1/folders").json() == {"roots": [str(study)]}
    seen = client.get("/api/v1/folders/look", params={"path": str(study)}).json()["entries"]
    assert [(entry["name"], entry["kind"]) for entry in seen] == [("day1", "folder"), ("letter.mp4", "file")]
    paths = [str(study / name) for name in ("day1/session.mp4", "letter.mp4", "out.mp4", "day1/none.mp4")]
    made = client.post("/api/v1/videos/from-folder", json={"paths": [*paths, "/etc/passwd"]}).json()
    assert [video["name"] for video in made["videos"]] == ["session.mp4"]
    assert [one["code"] for one in made["refused"]] == [
        "MEDIA_REFUSED",
        "OUTSIDE_ROOTS",
        "FILE_NOT_FOUND",
        "OUTSIDE_ROOTS",
    ]
    again = client.post("/api/v1/videos/from-folder", json={"paths": paths[:1]}).json()["videos"]
    assert [video["id"] for video in again] == [made["videos"][0]["id"]]
    href = made["videos"][0]["href"]
    assert client.get(href).content == clip
    assert client.delete(href).status_code == 204
    assert (study / "day1" / "session.mp4").exists()


_PART = st.one_of(st.sampled_from(["..", ".", "day1", "outside", "out.mp4", "~", "", "a\x00b"]), st.text(max_size=8))


@budget(deadline=None)
@given(st.lists(_PART, max_size=6), st.booleans())
def test_no_path_leads_out_of_the_roots(tmp_path_factory: Any, parts: list[str], absolute: bool) -> None:
    top = tmp_path_factory.getbasetemp() / "roots-test"
    root = top / "root"
    (root / "day1").mkdir(parents=True, exist_ok=True)
    if not (root / "outside").is_symlink():
        (root / "outside").symlink_to(top)
    settings = ServerSettings(data_dir=top / "data", roots=(root,))
    given_path = (f"{root}/" if absolute else "/") + "/".join(parts)
    with suppress(RequestError):
        found = inside_roots(settings, given_path, what="path")
        assert Path(os.path.realpath(found)).is_relative_to(root.resolve())
