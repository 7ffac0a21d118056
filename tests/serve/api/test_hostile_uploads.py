"""Hostile files, sent to a server: each becomes a video or a refusal that says why, and tells nothing of the server."""

from __future__ import annotations

import os
import sys
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.decode.canary import Canary, Listener

from videoannotator.serve.service import Service
from videoannotator.testing.hostile import HostileFile, Kind, write_hostile

EACH = int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "1"))
"""How many files of each kind are sent; four times as many lists."""

GOOD: set[Kind] = {"sound", "odd", "disguised", "name"}


def _some(files: list[HostileFile]) -> list[HostileFile]:
    chosen = []
    for kind in dict.fromkeys(file.kind for file in files):
        same = [file for file in files if file.kind == kind]
        count = EACH * (4 if kind == "list" else 1)
        chosen += same[:: max(1, len(same) // count)][:count]
    return chosen


@pytest.mark.skipif(sys.platform != "linux", reason="inotify, which watches the canary, is Linux's")
def test_each_becomes_a_video_or_a_refusal(client: TestClient, service: Service) -> None:
    folder = service.settings.data_dir / "uploads"  # where a relative path in a list would lead
    with Listener() as listener:
        files = _some(write_hostile(folder, address=listener.address, damaged=14))
        assert len({file.kind for file in files}) == 9
        with Canary(folder / "canary") as canary:
            for file in files:
                name = quote(file.path.name, safe="")
                answer = client.post(f"/api/v1/videos?name={name}", content=file.path.read_bytes())
                if file.kind in GOOD:
                    assert answer.status_code == 201, (file, answer.text)
                elif answer.status_code != 201:
                    assert answer.status_code in (400, 422), (file, answer.text)
                    assert answer.json()["code"]
                    assert answer.json()["detail"]
                assert (file.kind == "list") <= (answer.status_code == 422), file
                assert str(service.settings.data_dir) not in answer.text
                assert "Traceback" not in answer.text
            assert canary.opened() == []
        assert listener.calls == 0
    assert not list(folder.rglob("*.part"))
