"""Videos on their way to a server: lines that break, commands that are killed and typed again. A real server."""

from __future__ import annotations

import os
import pty
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.shell.serving import Running, environment

from videoannotator.shell import sending
from videoannotator.shell.main import Exit
from videoannotator.testing.clips import write_clip as write_numbers

SIZE = 12 << 20


class Line:
    """What lies between a client and a server: counts what goes to the server, slows it down, and breaks.

    ``breaks``: after so many bytes of a connection, once for each number. ``pause``: seconds for each 64 KiB.
    ``mended``: new connections come through afterwards.
    """

    def __init__(self, address: str, breaks: tuple[int, ...], pause: float, mended: bool) -> None:
        self._far = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._breaks, self._pause, self._mended = list(breaks), pause, mended
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.sent = 0
        self.broken = 0
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(self._far)
                threading.Thread(target=self._hand_on, args=(near, far), daemon=True).start()
                threading.Thread(target=self._hand_back, args=(far, near), daemon=True).start()

    def _hand_on(self, near: socket.socket, far: socket.socket) -> None:
        here = 0
        with suppress(OSError), near, far:
            while data := near.recv(1 << 16):
                far.sendall(data)
                self.sent += len(data)
                here += len(data)
                time.sleep(self._pause)
                if self._breaks and here >= self._breaks[0]:
                    self._breaks.pop(0)
                    self.broken += 1
                    if not self._mended:
                        self.end()
                    for end in (near, far):  # closing them would not: somebody waits for what they say
                        end.shutdown(socket.SHUT_RDWR)
                    return
            far.shutdown(socket.SHUT_WR)

    def _hand_back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError), near, far:
            while data := far.recv(1 << 16):
                near.sendall(data)

    def end(self) -> None:
        with suppress(OSError):  # it was ended before
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def line(server: Running) -> Iterator[Callable[..., Line]]:
    made: list[Line] = []

    def make(*breaks: int, pause: float = 0.0, mended: bool = True) -> Line:
        made.append(Line(server.address, breaks, pause, mended))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A film, and behind it what players skip: as large as films are, in no time."""
    clip = write_numbers(tmp_path_factory.mktemp("large") / "clip.mp4", frames=10, rate=10)
    film = clip.read_bytes()
    rest = SIZE - len(film)
    return film + rest.to_bytes(4, "big") + b"free" + random.Random(6).randbytes(rest - 8)


@pytest.fixture
def film(large: bytes, tmp_path: Path) -> Path:
    file = tmp_path / "Mutter & Kind.mp4"
    file.write_bytes(large)
    return file


def remembered(server: Running) -> list[Path]:
    return list((server.data.parent / "cache" / "uploads").glob("*"))


def test_a_line_that_breaks_goes_on_where_it_was(server: Running, line: Callable[..., Line], film: Path) -> None:
    bad = line(3 << 20, 4 << 20)
    done = server.client("job", "submit", film, "--pipelines", "grey", VIDEOANNOTATOR_SERVER=bad.address)
    assert done.returncode == Exit.WELL, done.stderr
    assert bad.broken == 2
    assert done.stderr.count("tried again in") >= 2
    assert bad.sent < SIZE + (4 << 20), "only what was under way is sent twice"
    watched = server.client("job", "watch", done.stdout.strip())
    assert watched.returncode == Exit.WELL, "the server holds the file against its SHA-256"
    assert remembered(server) == []


def test_a_command_that_is_ended_and_typed_again_goes_on(
    server: Running, line: Callable[..., Line], film: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = line(pause=0.005)
    first = film.with_name("first.mp4")
    first.write_bytes(film.read_bytes()[:-1] + b"x")
    words = ("job", "submit", first, film, "--pipelines", "grey")
    told = {"VIDEOANNOTATOR_SERVER": slow.address, "VIDEOANNOTATOR_KEY": server.key}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "videoannotator.shell", *map(str, words)],
        env=environment(plugins, server.data.parent, TERM="xterm", COLUMNS="100", **told),
        cwd=server.data.parent,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    with _read(master) as said:
        while slow.sent < SIZE + (SIZE >> 1):
            assert process.poll() is None, bytes(said)
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == Exit.INTERRUPTED
    shown = said.decode()
    assert "the same command goes on there" in shown
    assert re.search(r"Mutter & Kind.mp4: sending .* \d+%", shown), "a bar"
    assert "Traceback" not in shown
    assert len(remembered(server)) == 2

    before = slow.sent
    again = server.client(*words, VIDEOANNOTATOR_SERVER=slow.address)
    assert again.returncode == Exit.WELL, again.stderr
    assert re.search(r"Mutter & Kind.mp4: goes on at [3-9]\d %", again.stderr)
    assert slow.sent - before < SIZE * 0.7, "the first file is there, and some of the second one"
    assert len(again.stdout.splitlines()) == 2
    assert remembered(server) == []


def test_a_command_ended_before_it_knew_of_its_job_does_not_make_a_second_one(
    server: Running, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videoannotator.shell.sending import Sent

    def killed(sent: Sent) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Sent, "forget", killed)
        lost = server.client("job", "submit", film, "--pipelines", "grey", "--json")
    assert lost.returncode == Exit.INTERRUPTED
    newest = server.client("job", "list", "--limit", 1).stdout.split("\t")[0]
    again = server.client("job", "submit", film, "--pipelines", "grey")
    assert again.stdout.strip() == newest
    later = server.client("job", "submit", film, "--pipelines", "grey")
    assert later.returncode == Exit.WELL, later.stderr
    assert later.stdout.strip() != newest, "who wants it again gets it again"


def test_what_the_server_does_not_know_any_more_begins_anew(server: Running, film: Path) -> None:
    from videoannotator.shell.client import Client
    from videoannotator.shell.sending import send

    with pytest.MonkeyPatch.context() as patch, Client(server.address, server.key) as client:
        patch.setenv("VIDEOANNOTATOR_CACHE", str(film.parent / "cache"))
        first = send(client, film)
        assert send(client, film).video == first.video, "kept until it is forgotten"
        client.ask("DELETE", f"/videos/{first.video}")
        second = send(client, film)
        assert second.video != first.video
        upload = next((film.parent / "cache" / "uploads").iterdir()).read_text("utf-8").strip()
        client.ask("DELETE", f"/uploads/{upload}")
        assert send(client, film).video not in (first.video, second.video)


def test_a_server_that_stays_away_ends_it_with_the_reason_and_the_rest_is_sent_later(
    server: Running, line: Callable[..., Line], film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from videoannotator.errors import ServerError
    from videoannotator.shell.client import Client
    from videoannotator.shell.sending import send

    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(film.parent / "cache"))
    monkeypatch.setattr(sending, "PIECE", 4 << 20)
    gone = line(6 << 20, mended=False)
    with (
        Client(gone.address, server.key, patience=1.0) as client,
        pytest.raises(ServerError, match="no server answers"),
    ):
        send(client, film)
    back = line()
    with Client(server.address, server.key) as client:
        client.address = gone.address  # the same server, which is there again
        monkeypatch.setattr(client, "_http", type(client._http)(base_url=back.address, auth=client._http.auth))
        assert send(client, film).video
    assert back.sent < SIZE - (4 << 20)


def test_a_file_that_changes_on_the_way_is_refused(server: Running, line: Callable[..., Line], film: Path) -> None:
    slow = line(pause=0.005)

    def change() -> None:
        _until(lambda: slow.sent > 4 << 20)
        with film.open("r+b") as stream:
            stream.seek(SIZE - 1000)
            stream.write(b"other bytes")

    changing = threading.Thread(target=change)
    changing.start()
    ended = server.client("job", "submit", film, "--pipelines", "grey", VIDEOANNOTATOR_SERVER=slow.address)
    changing.join()
    assert ended.returncode == Exit.FAILED
    assert "SHA-256" in ended.stderr
    assert remembered(server) == []


def test_an_empty_file_is_said_to_be_one(server: Running, tmp_path: Path) -> None:
    (tmp_path / "none.mp4").touch()
    ended = server.client("job", "submit", tmp_path / "none.mp4", "--pipelines", "grey")
    assert ended.returncode == Exit.USAGE
    assert "none.mp4: is empty" in ended.stderr


def _until(there: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def _read(master: int) -> Iterator[bytearray]:
    """Everything that comes from a terminal while the block lasts."""
    said = bytearray()

    def read() -> None:
        with suppress(OSError):  # its other end is closed
            while data := os.read(master, 65536):
                said.extend(data)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        yield said
    finally:
        reading.join(10)
        os.close(master)
