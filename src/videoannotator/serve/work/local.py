"""Jobs in processes of this machine: one process a job at a time, kept warm for the next, in a group of its own."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from videoannotator.errors import DataError
from videoannotator.run.memory import memory_of_tree
from videoannotator.serve.operating import logs
from videoannotator.serve.work.messages import STOP, Done, Gone, Message, Task, packed, unpacked

__all__ = ["LocalExecutor"]

_log = logging.getLogger(__name__)
_LINES = 200
_TOLD = 10
_WIDTH = 300
_LEAVE = 2.0


class _Process:
    """A child, and the threads that listen to it. ``heard``: called when there is something to take."""

    def __init__(self, nice: int, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._messages: deque[Message] = deque()
        self._lines: deque[str] = deque(maxlen=_LINES)
        self.served = 0
        self.known: dict[str, object] = {}
        self.idle_since = time.monotonic()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(place or str(Path.cwd()) for place in sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-X", "faulthandler", "-m", "videoannotator.serve.work.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self.pid = self._process.pid
        # at once: what it loads first is a good part of its work
        os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
        self.created = psutil.Process(self.pid).create_time()
        assert self._process.stdout is not None and self._process.stderr is not None  # noqa: S101, PT018 - pipes
        told = threading.Thread(target=self._told, args=(self._process.stderr,), daemon=True)
        told.start()
        threading.Thread(target=self._listen, args=(self._process.stdout, told), daemon=True).start()

    def send(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        with suppress(OSError, ValueError):  # it has ended: that is told by `take`
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def take(self) -> list[Message]:
        taken = []
        while self._messages:
            taken.append(self._messages.popleft())
        return taken

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """To the whole group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it, and what it has started in groups of their own as well."""
        started = []
        with suppress(psutil.Error):
            started = psutil.Process(self.pid).children(recursive=True)
        self.signal(signal.SIGKILL)
        for process in started:
            with suppress(psutil.Error):
                process.kill()  # psutil makes sure that it is still the same one

    def memory(self, above: int) -> int:
        """Bytes that it and all it has started have in memory: exact where they are more than ``above``."""
        return memory_of_tree(self.pid, above)

    def end(self) -> None:
        """Let it go: it ends by itself when its input does; soon, or else it is made to."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _listen(self, output: IO[bytes], told: threading.Thread) -> None:
        with output:
            for line in output:
                try:
                    self._messages.append(unpacked(line))
                except (DataError, ValueError, KeyError):
                    _log.warning("the process %d said what is no message: %r", self.pid, line[:_WIDTH])
                self._heard()
        code = self._process.wait()
        told.join(_LEAVE)  # what it started may hold its standard error open
        self._messages.append(Gone(message=f"its process {_how(code)}{self._said()}"))
        self._heard()

    def _told(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode(errors="replace").rstrip()[:_WIDTH]
                self._lines.append(text)
                with logs.about(**self.known):
                    _log.info("process %d: %s", self.pid, text)

    def _said(self) -> str:
        lines = [line for line in self._lines if line and not line.startswith("Extension modules")]
        fatal = next((n for n, line in enumerate(lines) if line.startswith("Fatal Python error")), None)
        told = lines[-_TOLD:] if fatal is None else lines[fatal : fatal + _TOLD]
        return "; its last lines:\n" + "\n".join(told) if told else ""


class _LocalExecution:
    """A task in a process."""

    def __init__(self, process: _Process, task: Task, over: Callable[[], None]) -> None:
        self._process = process
        self._over: Callable[[], None] | None = over
        self._note = _note(task)
        with suppress(OSError):  # without the note, what a stopped worker has left is found by its lease only
            self._note.parent.mkdir(parents=True, exist_ok=True)
            told = {"pid": process.pid, "created": process.created, "host": socket.gethostname()}
            self._note.write_text(json.dumps(told), encoding="utf-8")
        process.served += 1
        process.known = {"job_id": task.job, "attempt": task.attempt}
        process.send(packed(task))

    @property
    def pid(self) -> int:
        """Of the process, which leads its group."""
        return self._process.pid

    def take(self) -> Sequence[Message]:
        """See `Execution`."""
        if self._over is None:
            return []
        taken = self._process.take()
        for number, message in enumerate(taken):
            if isinstance(message, Done | Gone):
                self._note.unlink(missing_ok=True)
                self._over()
                self._over = None
                return taken[: number + 1]
        return taken

    def ask_to_stop(self) -> None:
        """See `Execution`."""
        if self._over is not None:
            self._process.send(STOP)

    def terminate(self) -> None:
        """See `Execution`."""
        if self._over is not None:
            self._process.signal(signal.SIGTERM)

    def kill(self) -> None:
        """See `Execution`."""
        if self._over is not None:
            self._process.kill()

    def memory(self, above: int) -> int | None:
        """See `Execution`."""
        return self._process.memory(above) if self._over is not None else None


class LocalExecutor:
    """``slots``: jobs at once. ``nice``: added to the priority number. ``idle``: seconds that a process without work
    is kept, with its models. ``heard``: called, from any thread, when an execution has something to tell.
    """

    name = "local"

    def __init__(
        self, slots: int = 1, *, nice: int = 19, idle: float = 600.0, heard: Callable[[], None] | None = None
    ) -> None:
        self.slots = slots
        self._nice = nice
        self._idle_for = idle
        self._heard = heard or (lambda: None)
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()

    def on_news(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` when an execution has something to tell."""
        self._heard = heard

    def start(self, task: Task) -> _LocalExecution:
        """Begin, in a process that is warm, if there is one. Raises OSError."""
        _end_older(task)
        process = None
        while self._idle and process is None:
            process = self._idle.pop()  # the one that worked last: its models are those that are asked for
            if not process.alive:
                process = None
        if process is None:
            process = _Process(self._nice, lambda: self._heard())
        self._busy.add(process)

        def over() -> None:
            self._busy.discard(process)
            process.idle_since = time.monotonic()
            if process.alive:
                self._idle.append(process)

        return _LocalExecution(process, task, over)

    def tidy(self) -> None:
        """End processes that had nothing to do for long, so that their memory is given back."""
        before = time.monotonic() - self._idle_for
        for process in [one for one in self._idle if one.idle_since < before or not one.alive]:
            self._idle.remove(process)
            process.end()

    def close(self) -> None:
        """End all processes."""
        for process in self._busy:
            process.kill()
        for process in (*self._idle, *self._busy):
            process.end()
        self._idle.clear()
        self._busy.clear()


def _note(task: Task) -> Path:
    return Path(task.folder) / f"attempt-{task.attempt}.process"


def _end_older(task: Task) -> None:
    """End what earlier attempts have left on this machine: a worker that was stopped may hold the engine's locks."""
    for note in Path(task.folder).glob("attempt-*.process"):
        with suppress(OSError, ValueError, KeyError, psutil.Error):
            told = json.loads(note.read_text(encoding="utf-8"))
            if told["host"] != socket.gethostname():
                continue
            process = psutil.Process(told["pid"])
            if abs(process.create_time() - told["created"]) < 1.0 and process.pid != os.getpid():
                _log.warning("process %d of an earlier attempt at job %s is ended", process.pid, task.job)
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(OSError):
            note.unlink(missing_ok=True)


def _how(code: int) -> str:
    if code >= 0:
        return f"ended by itself with exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (the system does that when memory is short)" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
