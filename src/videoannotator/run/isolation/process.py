"""The process of an isolated pipeline, as the run sees it: starting it, talking to it, and ending it for sure."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import IO, Any

from videoannotator.discover.asking import variables_outside
from videoannotator.errors import IsolationError, PipelineCrashed, PipelineHung
from videoannotator.run.isolation.wire import Wire

__all__ = ["Process"]

_LOOK = 0.1
_LEAVE = 2.0
_LINES = 40
"""How many of the last lines that a process wrote are told when it ends."""
_WIDTH = 300


class Process:
    """``name``: of its pipeline, for messages. ``python``: the interpreter of its environment.

    ``timeout``: seconds without a word from it after which it is taken to hang.
    Raises `IsolationError` when it cannot be started.
    """

    def __init__(self, name: str, python: str, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._folder = Path(tempfile.mkdtemp(prefix="videoannotator-"))
        try:
            self._process = self._start(python)
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise IsolationError(f"the process of {name} could not be started with {python}: {error}") from error
        self.pid = self._process.pid
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._reader = threading.Thread(
            target=self._listen, args=(self._process.stdout,), name=f"videoannotator:{name}:output", daemon=True
        )
        self._reader.start()
        self.wire: Wire | None = None
        try:
            self.wire = self._meet()
        except BaseException:
            self.end()
            raise
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, python: str) -> subprocess.Popen[bytes]:
        environment = variables_outside()
        if python == sys.executable:
            environment["PYTHONPATH"] = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
        return subprocess.Popen(  # noqa: S603 - the interpreter is this one, or that of an environment we made
            [python, "-P", "-u", "-X", "faulthandler", "-m", "videoannotator.run.isolation.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,  # to be ended as a whole, and Ctrl-C is the run's to answer; see `serve.work.local`
        )

    def _meet(self) -> Wire:
        family = "AF_PIPE" if sys.platform == "win32" else "AF_UNIX"
        # the process makes the socket: if it dies before, nobody waits for it
        address = str(self._folder / "s") if family == "AF_UNIX" else rf"\\.\pipe\videoannotator-{secrets.token_hex(8)}"
        key = secrets.token_bytes(32)
        hello = {"address": address, "family": family, "authkey": key.hex(), "level": _lowest_level()}
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        with suppress(OSError):  # it ended at once; told below
            self._process.stdin.write(json.dumps(hello).encode() + b"\n")
            self._process.stdin.flush()
        until = time.monotonic() + self.timeout
        while True:
            try:
                connection: Any = Client(address, family, authkey=key)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if self._process.poll() is not None:
                    self.crashed("it started")
                if time.monotonic() > until:
                    self._hung("it started")
                time.sleep(0.01)
            except (EOFError, ConnectionResetError):
                self.crashed("it started")
        return Wire(_as_connection(connection))

    def wait(self, doing: str) -> None:
        """Wait until it says something. Raises `PipelineCrashed`, `PipelineHung`. ``doing``: for the message."""
        assert self.wire is not None  # noqa: S101 - made in __init__
        until = time.monotonic() + self.timeout
        while not self.wire.poll(_LOOK):
            # a process it has started may hold the connection open after its end
            if self._process.poll() is not None and not self.wire.poll(0):
                self.crashed(doing)
            if time.monotonic() > until:
                self._hung(doing)

    def crashed(self, doing: str) -> None:
        """Raise `PipelineCrashed`: it has ended, or hung up."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE)
        code = self._process.poll()
        self.end()
        if code is None:
            how = "closed its connection"
        elif code < 0:
            how = f"was ended by {_signal(-code)}"
        else:
            how = f"ended by itself with exit status {code}"
        raise PipelineCrashed(f"the process of {self.name} {how} while {doing}{self._said()}", code=code)

    def _hung(self, doing: str) -> None:
        self.end()
        raise PipelineHung(
            f"the process of {self.name} gave no answer and no progress for {self.timeout:g} s while {doing}, "
            f"and was ended{self._said()}"
        )

    def end(self, leave: float = 0.0) -> None:
        """End it and everything it has started. ``leave``: seconds that it is given to go by itself."""
        if leave:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(leave)
        if self.wire is not None:
            self.wire.close()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE)
        if sys.platform != "win32":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(_LEAVE)

    def _listen(self, output: IO[bytes]) -> None:
        """Take what it writes, so that it never waits for us; keep the last lines."""
        with output:
            for line in output:
                self._lines.append(line.decode(errors="replace").rstrip()[:_WIDTH])

    def _said(self) -> str:
        lines = [line for line in self._lines if line]
        return "; its last lines:\n" + "\n".join(lines) if lines else ""


def _as_connection(connection: Any) -> Connection:
    return connection  # type: ignore[no-any-return]  # on Windows a PipeConnection: the same methods


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (the system does that when memory is short)" if name == "SIGKILL" else name


def _lowest_level() -> int:
    """What any logger here would take: less need not be sent."""
    known: Mapping[str, Any] = logging.Logger.manager.loggerDict
    levels = [logger.level for logger in known.values() if isinstance(logger, logging.Logger) and logger.level]
    return min([logging.getLogger().level, *levels])
