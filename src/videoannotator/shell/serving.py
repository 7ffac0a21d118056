"""``videoannotator server`` and ``worker``: start, stop, look."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from videoannotator.errors import ServerError, UsageError
from videoannotator.serve.pid_file import Running, find
from videoannotator.serve.settings import ServerSettings
from videoannotator.shell.configuring import say_outdated
from videoannotator.shell.extra import needing_the_server
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Folder
from videoannotator.shell.speaking import give, say

__all__ = ["show_server", "start_server", "start_worker", "stop_server"]

LOG = Path("logs") / "server.log"
START = 120.0  # s; an upgrade of a large database takes its time


def start_server(where: Folder, host: str | None, port: int | None, *, background: bool) -> int:
    """Run a server until a signal ends it, or leave it running in the background."""
    settings = where.settings(host=host, port=port)
    say_outdated()
    if background:
        return _start_in_background(_words(where, host, port), settings)
    with needing_the_server():
        from videoannotator.serve.running import serve

        serve(settings, key=_give_key, ready=_say_ready)
    return Exit.WELL


def _words(where: Folder, host: str | None, port: int | None) -> list[str]:
    """The same options, to be typed again."""
    words = [] if where.config is None else ["--config", str(where.config.absolute())]
    typed = {"server.host": host, "server.port": port}
    for key, value in (where.flags() | {key: value for key, value in typed.items() if value is not None}).items():
        words += ["--set", f"{key.removeprefix('server.')}={value}"]
    return words


def _give_key(secret: str) -> None:
    say("The first admin's key. It is shown this once, and kept nowhere:")
    give(secret)
    sys.stdout.flush()


def _say_ready(address: str) -> None:
    say(f"videoannotator listens at {address}")


def _start_in_background(words: list[str], settings: ServerSettings) -> int:
    """A process of its own; what it prints before it is ready, the first key among it, is printed here."""
    running = find(settings.data_dir)
    if running is not None:
        raise ServerError(f"a server runs on {settings.data_dir} already: process {running.pid}, {running.address}")
    with needing_the_server():
        from videoannotator.serve.running import make_data_dir
    make_data_dir(settings)
    log = settings.data_dir / LOG
    keys = settings.data_dir / "logs" / f"first-key-{os.getpid()}"
    command = [sys.executable, "-m", "videoannotator.shell", "server", "start", *words]
    descriptor = os.open(keys, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with log.open("ab") as said, os.fdopen(descriptor, "r+b") as printed:
            began = said.tell()
            process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=subprocess.DEVNULL, stdout=printed, stderr=said, start_new_session=True
            )
            address = _wait_until_ready(process, settings)
            printed.seek(0)
            secret = printed.read().decode().strip()
    finally:
        keys.unlink(missing_ok=True)
    if secret:
        _give_key(secret)
    if address is None:
        with log.open("rb") as said:
            said.seek(began)
            last = said.read().decode(errors="replace").strip().splitlines()[-3:]
        raise ServerError("the server did not start: " + ("\n".join(last) or f"see {log}"))
    say(f"videoannotator listens at {address} (process {process.pid}); its log: {log}")
    return Exit.WELL


def _wait_until_ready(process: subprocess.Popen[bytes], settings: ServerSettings) -> str | None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        running = find(settings.data_dir)
        if running is not None and running.pid == process.pid and _answers(running.address, "/healthz")[0] == 200:
            return running.address
        time.sleep(0.1)
    if process.poll() is None:
        process.terminate()
    return None


def stop_server(where: Folder, *, now: bool, wait: float) -> int:
    """End the server of a data folder."""
    settings = where.settings()
    running = find(settings.data_dir)
    if running is None:
        say(f"no server runs on {settings.data_dir}")
        return Exit.FAILED
    if not running.is_here:
        raise UsageError(f"the server of {settings.data_dir} runs on {running.host}: stop it there")
    for _ in range(2 if now else 1):  # a second signal means at once
        try:
            os.kill(running.pid, signal.SIGTERM)
        except ProcessLookupError:
            break
        except PermissionError as error:
            raise UsageError(f"process {running.pid} belongs to another user; stop it as that user") from error
        time.sleep(0.2)
    try:
        psutil.Process(running.pid).wait(wait)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired:
        say(f"process {running.pid} has not ended within {wait:g} s; with --now it waits for nothing")
        return Exit.FAILED
    say(f"the server, process {running.pid}, has ended")
    return Exit.WELL


def show_server(where: Folder, *, as_json: bool) -> int:
    """Say how the server of a data folder is."""
    settings = where.settings()
    running = find(settings.data_dir)
    code, answer = (0, {}) if running is None else _answers(running.address, "/readyz")
    if as_json:
        give(json.dumps(_state(settings, running, code, answer), indent=2))
    elif running is None:
        say(f"no server runs on {settings.data_dir}")
        if _taken(settings):
            say(
                f"somebody else listens at {settings.host} port {settings.port}: another data folder's server, or "
                "another program; a server on this folder needs another --port"
            )
    else:
        give(f"{running.address}\tprocess {running.pid}\t{'ready' if code == 200 else 'not ready'}")
        if code == 0:
            say("it does not answer")
        elif code != 200:
            say(answer.get("detail") or json.dumps(answer))
    return Exit.WELL if code == 200 else Exit.FAILED


def _state(settings: ServerSettings, running: Running | None, code: int, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "data_dir": str(settings.data_dir),
        "running": running is not None,
        "port_taken": running is None and _taken(settings),
        "ready": code == 200,
        "pid": None if running is None else running.pid,
        "host": None if running is None else running.host,
        "address": None if running is None else running.address,
        "answer": answer or None,
    }


def _taken(settings: ServerSettings) -> bool:
    """True when something listens where a server would."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((host, settings.port), timeout=1.0):
            return True
    except (OSError, OverflowError):
        return False


def _answers(address: str, path: str) -> tuple[int, dict[str, Any]]:
    """Status and document of a server's answer; 0 when there is none."""
    import urllib.error
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine's own server needs no proxy
    try:
        with direct.open(f"{address}{path}", timeout=5.0) as answer:
            return answer.status, _document(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _document(error.read())
    except OSError:
        return 0, {}


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def start_worker(where: Folder) -> int:
    """Execute jobs until a signal ends it."""
    settings = where.settings()
    if settings.database is None or settings.database.startswith("sqlite"):
        raise UsageError(
            "a worker of its own needs the server's database in PostgreSQL: give --database, or set server.database. "
            "With SQLite the server executes jobs itself; --set jobs.concurrent=N lets it do several at once"
        )
    with needing_the_server():
        from videoannotator.serve.running import work

        work(settings)
    return Exit.WELL
