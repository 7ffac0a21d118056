"""A backup of a server that works, given to another machine: everything is there, and what was going on goes on."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import httpx2 as httpx
from tests.serve.operating import filling
from tests.serve.operating.conftest import Running, start, stop

from videoannotator.serve.backup import backup
from videoannotator.serve.restoring import restore
from videoannotator.serve.store.database import Database


def _content(server: Running, path: str) -> bytes:
    answer = httpx.get(f"{server.address}{path}", headers={"Authorization": f"Bearer {server.key}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def _artifacts(server: Running, job: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(_content(server, f"/api/v1/jobs/{job}/artifacts"))) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_at_another_place(running: Running, short_clip: Path, tmp_path: Path) -> None:
    """Nothing of it is tied to the folder it was in; jobs that waited or ran at the time of the backup end there."""
    video = running.api("POST", "/api/v1/videos", params={"name": "a.mp4"}, content=short_clip.read_bytes())["id"]
    done = running.job(video)
    assert running.ended(done)["status"] == "completed"
    going = [running.job(video) for _ in range(2)]
    source = Database(f"sqlite:///{running.data / 'server.db'}")
    note = backup(source, running.data, tmp_path / "backup")
    source.close()
    assert note.missing == ()
    states = {job: running.api("GET", f"/api/v1/jobs/{job}")["status"] for job in going}
    target = Database(f"sqlite:///{tmp_path / 'other' / 'data' / 'server.db'}")
    restore(tmp_path / "backup", target, tmp_path / "other" / "data")
    rows = filling.everything(target)
    assert str(running.data) not in json.dumps(rows, default=str)
    assert any(row["state"] in ("pending", "running") for row in rows["jobs"]), states
    target.close()
    other = start(tmp_path / "other", key=running.key)
    try:
        assert _content(other, f"/api/v1/videos/{video}") == short_clip.read_bytes()
        for path in (f"/api/v1/jobs/{done}/results/motion", f"/api/v1/jobs/{done}/results/motion?format=csv"):
            assert _content(other, path) == _content(running, path)
        artifacts = _artifacts(running, done)
        assert artifacts
        assert _artifacts(other, done) == artifacts
        assert {other.ended(job)["status"] for job in going} == {"completed"}
    finally:
        stop(other)
