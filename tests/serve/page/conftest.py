"""A real server in a process of its own, and Debian's Chromium in front of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
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


@attrs.define
class Site:
    """A server on this machine: its address, the first admin's key, its folder of everything."""

    folder: Path
    address: str = ""
    key: str = ""
    server: subprocess.Popen[bytes] | None = None
    env: dict[str, str] = attrs.field(factory=dict)
    films: int = 0

    @property
    def shelf(self) -> Path:
        """A folder that is opened to jobs: one of the server's roots."""
        return self.folder / "shelf"

    @property
    def hold(self) -> Path:
        """While this file is there, the pipeline ``slow_square`` is slow."""
        return self.folder / "hold"

    def start(self, port: int = 0) -> None:
        """As ``videoannotator server start`` starts it on a new machine."""
        log = self.folder / "output.txt"
        program = Path(sys.executable).with_name("videoannotator")
        command = [program, "server", "start", "--port", port, "--data-dir", self.folder / "d"]
        command += ["--set", f"roots={self.shelf}", "--set", "jobs.poll=0.1"]
        # the same at each start: tests have folders of their own in it, one of them for what runs took
        paths = os.pathsep.join(filter(None, [str(_PLUGIN), os.environ.get("PYTHONPATH", "")]))
        self.env = self.env or {
            **os.environ,
            "PYTHONPATH": paths,
            "PYTHONUNBUFFERED": "1",
            "VA_TEST_HOLD": str(self.hold),
        }
        with log.open("w") as output:
            self.server = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.env,
            )
        for _ in range(600):
            text = log.read_text()
            key, address = re.search(r"^va_\S+", text, re.M), re.search(r"http://127\.0\.0\.1:[1-9]\d*", text)
            if address and (key or self.key):
                self.address, self.key = address[0], key[0] if key else self.key
                return
            try:
                self.server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"the server did not start: {log.read_text()}")

    def stop(self) -> None:
        """As ``videoannotator server stop`` does; killed when it takes too long."""
        assert self.server is not None
        self.server.terminate()
        try:
            self.server.wait(15)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def api(self, method: str, path: str, *, key: str = "", **more: Any) -> Any:
        """One call of the API; the parsed answer."""
        headers = {"Authorization": f"Bearer {key or self.key}", **more.pop("headers", {})}
        answer = httpx.request(method, f"{self.address}/api/v1/{path}", headers=headers, timeout=20, **more)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def video(self, path: Path, name: str = "") -> str:
        """Upload; the video's id."""
        return str(self.api("POST", "videos", params={"name": name or path.name}, content=path.read_bytes())["id"])

    def another(self, path: Path) -> str:
        """Upload it as a film that nobody had before: what was found in others is kept, and found again at once."""
        self.films += 1
        content = path.read_bytes() + bytes([0, 0, 0, 8 + self.films, *b"free", *bytes(self.films)])
        return str(self.api("POST", "videos", params={"name": path.name}, content=content)["id"])

    def job(self, video: str, pipeline: str) -> str:
        """Submit; the job's id."""
        return str(self.api("POST", "jobs", json={"video_id": video, "pipelines": [pipeline]})["id"])

    def ended(self, job: str, state: str = "completed") -> str:
        """Wait until a job has ended in ``state``; its id."""
        until = time.monotonic() + 60
        while not (told := self.api("GET", f"jobs/{job}"))["completed_at"]:
            assert time.monotonic() < until, told
            time.sleep(0.1)
        assert told["state"] == state, told
        return job


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, square: Path) -> Iterator[Site]:
    """The server; on its shelf is a folder ``day one`` with two films, and a text that is no film."""
    made = Site(tmp_path_factory.mktemp("site"))
    day = made.shelf / "day one"
    day.mkdir(parents=True)
    for name in ("kitchen.mp4", "garden.mp4"):
        (day / name).write_bytes(square.read_bytes())
    (day / "broken.mp4").write_text("no film at all")
    (day / "notes.txt").write_text("no film, and not called one")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def film(site: Site, square: Path) -> str:
    """The id of an uploaded `square`."""
    return site.video(square)


@pytest.fixture(scope="session")
def done(site: Site, film: str) -> str:
    """The id of a job that has found the square."""
    return site.ended(site.job(film, "bright_square"))


@pytest.fixture
def held(site: Site) -> Iterator[Path]:
    """``slow_square`` is slow until this file is removed, or the test has ended."""
    site.hold.touch()
    yield site.hold
    site.hold.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, one for all tests of a file. As long as it is there, an event loop runs in this thread."""
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


@pytest.fixture(scope="module")
def cookies(site: Site, browser: Any) -> Any:
    """What a browser keeps that has signed in."""
    context = browser.new_context()
    signing = {"X-Requested-With": "videoannotator"}
    answer = context.request.post(f"{site.address}/api/v1/session", data={"key": site.key}, headers=signing)
    assert answer.ok, answer.text()
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def page(new_page: Any, cookies: Any) -> Any:
    """A tab of somebody who has signed in."""
    return new_page(storage_state=cookies)


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
