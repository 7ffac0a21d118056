"""Workers in processes of their own, started again when they die: the supervisor that every service has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import psutil

HERE = Path(__file__).parent


class Crew:
    """``number`` workers on ``bench``. Call `mend` often. ``more``: their environment, ``jobs``: their settings."""

    def __init__(self, bench: Any, number: int, log: Path, *, more: dict[str, str] | None = None, **jobs: Any) -> None:
        values = attrs.asdict(bench.settings.jobs) | {"concurrent": 1} | jobs
        url = bench.database.url.render_as_string(hide_password=False)
        self._command = [sys.executable, str(HERE / "process.py"), str(bench.settings.data_dir), url]
        self._command.append(json.dumps(values))
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | (more or {})
        self._log = log.open("ab")
        self.log = log
        self.died = 0
        self.workers = [self._start() for _ in range(number)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environment, stdout=self._log, stderr=self._log)

    def arrived(self) -> None:
        """Wait until all of them are at work."""
        until = time.monotonic() + 60
        while self.log.read_text(errors="replace").count("here\n") < len(self.workers):
            assert time.monotonic() < until
            time.sleep(0.05)

    def mend(self) -> None:
        """Start those again that have ended."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.died += 1
                self.workers[number] = self._start()

    def processes(self) -> list[tuple[int, int]]:
        """What may be killed, workers and processes of jobs: ``(pid, pid of its worker)``."""
        found = []
        for worker in self.workers:
            found.append((worker.pid, worker.pid))
            with suppress(psutil.Error):
                found += [(child.pid, worker.pid) for child in psutil.Process(worker.pid).children()]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGCONT)
            worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._log.close()
        if error is not None:
            print(self.log.read_text(errors="replace")[-20000:])
