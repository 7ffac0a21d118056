"""What tests of the API share: clips as bytes, and services with other settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient
from tests.serve.conftest import Acting, add_user

from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.schema import metadata
from videoannotator.testing.clips import write_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """40 numbered pictures with a tone, 1.6 s, MP4."""
    return write_clip(tmp_path_factory.mktemp("api") / "clip.mp4", frames=40, rate=25, sound="tone").read_bytes()


@pytest.fixture(scope="session")
def other_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten pictures without sound, MP4."""
    return write_clip(tmp_path_factory.mktemp("api") / "other.mp4", frames=10, rate=25).read_bytes()


@pytest.fixture
def service_with() -> Iterator[Callable[[ServerSettings], TestClient]]:
    """``service_with(settings)``: a client that acts as an admin of a service with these settings."""
    with ExitStack() as stack:

        def make(settings: ServerSettings) -> TestClient:
            service = Service.of(settings)
            stack.callback(service.close)
            metadata.create_all(service.database.engine)
            acting = Acting(create_app(service), add_user(service, "admin"))
            return stack.enter_context(TestClient(acting, raise_server_exceptions=False))

        yield make


@pytest.fixture
def live(service: Service) -> Iterator[tuple[str, str]]:
    """A server that listens: its address, and the key of an admin."""
    principal = add_user(service, "admin")
    _, secret = service.keys.create(principal.user_id, "live", ["read", "write", "admin"], expires_in=None)
    config = uvicorn.Config(create_app(service), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", secret
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def video_id(client: TestClient, clip: bytes) -> str:
    """A video of the admin who is `client`."""
    told: str = client.post("/api/v1/videos?name=session01.mp4", content=clip).json()["id"]
    return told


def stored_files(folder: Path) -> list[Path]:
    """Every file of a data folder that is no database."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("server.db"))
