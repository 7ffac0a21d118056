"""A real server in a process of its own, and Debian's Chromium in front of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import av
import httpx2 as httpx
import numpy as np
import pytest

from videoannotator.testing.clips import write_clip

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
_PLUGIN = Path(__file__).parent / "plugin"
SIZE, SIDE, RATE, FRAMES = (320, 240), 40, 10, 40
WAIT = 20_000


def left(frame: int) -> int:
    """Where the square begins, in pixels from the left; from the top it is half of that."""
    return 20 + 4 * frame


@attrs.frozen
class Site:
    """A running server: its address, the first admin's key, its data folder."""

    address: str
    key: str
    data: Path

    def api(self, method: str, path: str, *, key: str = "", **more: Any) -> Any:
        """One call of the API; the parsed answer."""
        headers = {"Authorization": f"Bearer {key or self.key}", **more.pop("headers", {})}
        answer = httpx.request(method, f"{self.address}/api/v1/{path}", headers=headers, timeout=20, **more)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def video(self, path: Path, name: str = "") -> str:
        """Upload; the video's id."""
        return str(self.api("POST", "videos", params={"name": name or path.name}, content=path.read_bytes())["id"])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server, as ``videoannotator server start`` starts it on a new machine."""
    folder = tmp_path_factory.mktemp("site")
    log = folder / "output.txt"
    program = Path(sys.executable).with_name("videoannotator")
    command = [str(program), "server", "start", "--port", "0", "--data-dir", str(folder / "d")]
    roots = os.pathsep.join(filter(None, [str(_PLUGIN), os.environ.get("PYTHONPATH", "")]))
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": roots, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield _started(server, log, folder / "d")
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _started(server: subprocess.Popen[bytes], log: Path, data: Path) -> Site:
    for _ in range(600):
        text = log.read_text()
        key, address = re.search(r"^va_\S+", text, re.M), re.search(r"http://127\.0\.0\.1:[1-9]\d*", text)
        if key and address:
            return Site(address[0], key[0], data)
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the server did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, one for all tests."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def new_page(browser: Any) -> Iterator[Any]:
    """Makes tabs with cookies of their own; a script error or a refused resource in one fails the test."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def make(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def sign_in(page: Any, site: Site, key: str = "") -> None:
    """As a person does it."""
    page.goto(site.address)
    page.get_by_label("API key").fill(key or site.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def view(page: Any, site: Site, name: str) -> None:
    """Go to a view by its address."""
    page.goto(f"{site.address}/#/{name}")
    page.get_by_role("heading", level=1).first.wait_for()


@pytest.fixture(scope="session")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of a white square that moves by four pixels a frame, right and down half as fast."""
    path = tmp_path_factory.mktemp("film") / "square.mp4"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=RATE, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(FRAMES):
            picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            x, y = left(number), left(number) // 2
            picture[y : y + SIDE, x : x + SIDE] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A playable film of more than one piece of an upload (8 MiB)."""
    path = tmp_path_factory.mktemp("large") / "large.avi"
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 48000 * 60)).astype(np.float32)
    return write_clip(path, frames=60, rate=1, sound=noise, sound_codec="pcm_s16le")
