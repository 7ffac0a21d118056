"""Exports of results: made once, kept beside the result, counted, and gone when nobody needs them."""

from __future__ import annotations

import http.client
import io
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.formats.examples import a_result

from videoannotator.serve import instance, keeping
from videoannotator.serve.cleaning import Cleaned, clean
from videoannotator.serve.request import JobRequest
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.jobs import Ended, NewJob
from videoannotator.serve.store.schema import job_results, jobs
from videoannotator.serve.sweeping import DAY, size_of
from videoannotator.serve.work.executing import summary_of
from videoannotator.serve.work.messages import Task
from videoannotator.serve.work.writing import write_result

Clients = Callable[..., TestClient]


@pytest.fixture
def settings(settings: ServerSettings, tmp_path: Path) -> ServerSettings:
    """With a folder that jobs may write to."""
    return attrs.evolve(settings, roots=(tmp_path / "root",))


def _ended(service: Service, video_id: str, target: Path | None = None) -> str:
    """A job whose result is on the disk, as an attempt at it leaves it."""
    with service.database.read() as connection:
        owner = service.videos.get(video_id, None).owner_id
        assert connection.execute(select(jobs.c.id).where(jobs.c.state == "pending")).first() is None
    job = service.jobs.submit(NewJob(owner_id=owner, video_id=video_id, request=JobRequest().plain()))
    claim = service.jobs.claim("me", 30.0)
    assert claim is not None
    folder = service.settings.data_dir / "jobs" / job.id
    task = Task(
        job=job.id,
        attempt=1,
        max_attempts=3,
        media="x.mp4",
        name="session01.mp4",
        request=JobRequest(formats=()),
        device="cpu",
        folder=str(folder),
        target=str(target or folder / "attempt-1"),
        cache="",
    )
    result = a_result()
    written = write_result(result, task)
    kept = task.target if target else f"jobs/{job.id}/attempt-1"
    summary = summary_of(result, {}, written)
    service.jobs.finish(claim, Ended(state="completed", folder=kept, bytes=written.bytes, summary=summary))
    return job.id


@pytest.fixture
def job_id(service: Service, video_id: str) -> str:
    """An ended job of the admin who is `client`."""
    return _ended(service, video_id)


@pytest.fixture
def exports(service: Service, job_id: str) -> Path:
    """Where exports of it are."""
    return service.settings.data_dir / "jobs" / job_id / keeping.EXPORTS


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats that are really written, in turn."""
    names: list[str] = []
    real = keeping.export

    def export(result: Any, folder: Path, formats: list[str]) -> list[Path]:
        names.extend(formats)
        return real(result, folder, formats)

    monkeypatch.setattr(keeping, "export", export)
    return names


def _bytes(service: Service, job_id: str) -> int:
    row = service.listing.result(job_id)
    assert row is not None
    return row.bytes


def _on_disk(service: Service, job_id: str) -> int:
    return size_of(service.settings.data_dir / "jobs" / job_id)


def test_made_once_and_counted(
    client: TestClient, service: Service, job_id: str, exports: Path, made: list[str], clip: bytes
) -> None:
    """The second request gets the same bytes, and nothing is written for it."""
    path = f"/api/v1/jobs/{job_id}/artifacts"
    before = _bytes(service, job_id)
    first, second = client.get(path), client.get(path)
    assert (first.status_code, first.content) == (200, second.content)
    with zipfile.ZipFile(io.BytesIO(first.content)) as opened:
        assert opened.testzip() is None
        assert opened.read("session01.mp4") == clip
        assert "session01_scene_detection.json" in opened.namelist()
    assert made == ["viewer"]
    assert _bytes(service, job_id) == _on_disk(service, job_id) > before
    both = client.get(f"{path}?format=viewer&format=csv&video=false")
    with zipfile.ZipFile(io.BytesIO(both.content)) as opened:
        assert {name.partition(".")[2].partition("/")[0] for name in opened.namelist()} >= {"viewer", "csv"}
    for _ in range(2):
        assert client.get(f"/api/v1/jobs/{job_id}/results/scene_detection?format=csv").status_code == 200
        assert client.get(f"/api/v1/jobs/{job_id}/results/files/scene_detection").json()[0]["scene_type"]
    assert made == ["viewer", "csv", "csv", "viewer"], "a part of a result is an export of its own"
    assert _bytes(service, job_id) == _on_disk(service, job_id)
    assert [path for path in exports.iterdir() if path.name.endswith(".part")] == []
    assert client.delete(f"/api/v1/jobs/{job_id}").status_code == 204
    assert not exports.parent.exists()


def test_another_version_of_a_format_is_another_export(
    client: TestClient, service: Service, job_id: str, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade nobody gets what an older version wrote."""
    path = f"/api/v1/jobs/{job_id}/artifacts?video=false"
    client.get(path)
    entry = service.catalog.formats["viewer"]
    newer = attrs.evolve(entry, plugin=attrs.evolve(entry.plugin, version="99.0"))
    monkeypatch.setitem(service.catalog.formats, "viewer", newer)
    client.get(path)
    client.get(path)
    assert made == ["viewer", "viewer"]


def test_result_in_a_folder_of_its_owner(client: TestClient, service: Service, video_id: str, tmp_path: Path) -> None:
    """Exports stay out of it, and are counted all the same."""
    target = tmp_path / "root" / "session01-x"
    job_id = _ended(service, video_id, target)
    before = sorted(target.rglob("*"))
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts?video=false&format=csv").status_code == 200
    assert sorted(target.rglob("*")) == before
    assert _bytes(service, job_id) == size_of(target) + _on_disk(service, job_id)


@pytest.mark.parametrize(
    ("query", "code"), [("format=nonsense", "UNKNOWN_FORMAT"), ("format=csv&format=..%2f..", "UNKNOWN_FORMAT")]
)
def test_a_format_that_is_none(client: TestClient, job_id: str, query: str, code: str) -> None:
    answer = client.get(f"/api/v1/jobs/{job_id}/artifacts?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("name", ["nonsense", "%2e%2e", "%00", "a%0ab"])
def test_a_pipeline_that_is_not_there(client: TestClient, job_id: str, exports: Path, name: str) -> None:
    for path in (f"results/{name}?format=csv", f"results/files/{name}"):
        answer = client.get(f"/api/v1/jobs/{job_id}/{path}")
        assert answer.status_code == 404, path
    assert not exports.exists()


def test_of_an_export_that_fails_nothing_is_left(
    client: TestClient, service: Service, job_id: str, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next request tries again."""
    before = _bytes(service, job_id)

    def full(result: Any, folder: Path, formats: list[str]) -> list[Path]:
        (folder / "half").write_bytes(b"x" * 1000)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "export", full)
        assert client.get(f"/api/v1/jobs/{job_id}/artifacts").status_code >= 500
    assert list(exports.iterdir()) == []
    assert _bytes(service, job_id) == before
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts").status_code == 200


def test_two_at_once(
    client: TestClient, service: Service, job_id: str, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second uses what the first one has made; nothing is there twice, or counted twice."""
    real, answers = keeping.export, []

    def meanwhile(result: Any, folder: Path, formats: list[str]) -> list[Path]:
        monkeypatch.setattr(keeping, "export", real)
        answers.append(client.get(f"/api/v1/jobs/{job_id}/artifacts").content)
        return real(result, folder, formats)

    monkeypatch.setattr(keeping, "export", meanwhile)
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts").content == answers[0]
    assert len(list(exports.iterdir())) == 1
    assert _bytes(service, job_id) == _on_disk(service, job_id)


def test_a_job_that_is_deleted_while_it_is_exported(
    client: TestClient, service: Service, job_id: str, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept for a job that is gone."""
    real = keeping.export

    def slow(result: Any, folder: Path, formats: list[str]) -> list[Path]:
        service.jobs.request_delete(job_id)
        return real(result, folder, formats)

    monkeypatch.setattr(keeping, "export", slow)
    answer = client.get(f"/api/v1/jobs/{job_id}/artifacts")
    assert (answer.status_code, answer.json()["code"]) == (404, "JOB_NOT_FOUND")
    assert list(exports.iterdir()) == []


def test_a_client_that_breaks_off_leaves_nothing_unfinished(
    live: tuple[str, str], service: Service, clip: bytes, made: list[str]
) -> None:
    """The export is whole before the first byte leaves; what was sent as an archive is nowhere on the disk."""
    address, secret = live
    headers = {"Authorization": f"Bearer {secret}"}

    def asked(method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
        connection.request(method, f"/api/v1/{path}", body, headers)
        return connection.getresponse()

    video = json.loads(asked("POST", "videos?name=session01.mp4", clip).read())["id"]
    job_id = _ended(service, video)
    broken = asked("GET", f"jobs/{job_id}/artifacts")
    assert broken.read(10)
    broken.close()
    assert asked("GET", f"jobs/{job_id}/artifacts").read()
    assert made == ["viewer"]
    folder = service.settings.data_dir
    assert [path.name for path in (folder / "jobs" / job_id / keeping.EXPORTS).iterdir()] != []
    assert [path for path in folder.rglob("*") if path.name.endswith(".part") or path.name == "tmp"] == []


def _aged(path: Path, age: float) -> None:
    for there in (*path.rglob("*"), path):
        os.utime(there, (time.time() - age,) * 2)


@pytest.fixture
def cleaning(service: Service) -> Callable[..., Cleaned]:
    """The clean-up of this data folder."""
    instance.join(service.database, service.settings.data_dir)
    return lambda **more: clean(service, **more)


def test_the_clean_up_takes_what_nobody_asks_for(
    client: TestClient, service: Service, job_id: str, exports: Path, cleaning: Callable[..., Cleaned]
) -> None:
    """Exports of yesterday, and what a process that died was making; never one that somebody asked for today."""
    before = _bytes(service, job_id)
    for name in ("viewer", "csv"):
        client.get(f"/api/v1/jobs/{job_id}/artifacts?format={name}&video=false")
    old, used = sorted(exports.iterdir())
    for path in (old, used):
        _aged(path, DAY + 60)
    half = exports / "6f1c.part"
    half.mkdir()
    (half / "x").write_bytes(b"x" * 1000)
    fresh = exports / "7a2d.part"
    fresh.mkdir()
    _aged(half, 2 * 3600.0)
    name = used.name.split("=")[1]
    client.get(f"/api/v1/jobs/{job_id}/artifacts?format={name}&video=false")
    told = cleaning(dry_run=True).removals
    assert {path.name for path in exports.iterdir()} == {old.name, used.name, half.name, fresh.name}
    assert cleaning().removals == told
    assert {Path(removal.name).name for removal in told} == {old.name, half.name}
    assert {path.name for path in exports.iterdir()} == {used.name, fresh.name}
    assert _bytes(service, job_id) == _on_disk(service, job_id) > before
    with service.database.read() as connection:
        assert connection.execute(select(job_results.c.bytes)).scalars().all() == [_bytes(service, job_id)]
