"""A server of its own process, started by its command, and the command called in the process of the tests."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import attrs
import psutil
import pytest

from videoannotator.discover.known import distributions
from videoannotator.shell.main import Exit, main

Ended = subprocess.CompletedProcess[str]
KEY = re.compile(r"va_[0-9a-f]{12}_[\w-]{43}")


def environment(plugins: Path, folder: Path, **variables: str) -> dict[str, str]:
    """Of a command that finds the tests' plugins and no shipped pipeline, and keeps what it keeps in ``folder``."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("VIDEOANNOTATOR_")},
        "PYTHONPATH": str(plugins),
        "VIDEOANNOTATOR_BLOCK_PLUGINS": ",".join(distributions().values()),
        "VIDEOANNOTATOR_CACHE": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "NO_COLOR": "1",
        **variables,
    }


def caller(plugins: Path, folder: Path) -> Callable[..., Ended]:
    """The command, called in ``folder`` in this process; what it starts are real processes."""

    def call(*words: object, **variables: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        wanted = environment(plugins, folder, **variables)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in set(os.environ) - set(wanted):
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            patch.chdir(folder)
            code = main([str(word) for word in words])
        return Ended(words, code, out.getvalue(), err.getvalue())

    return call


@attrs.frozen
class Running:
    """A server that was started by its command, and its command line."""

    data: Path
    key: str
    address: str
    call: Callable[..., Ended]

    @classmethod
    def start(cls, call: Callable[..., Ended], data: Path, *words: object, key: str | None = None) -> Running:
        """On a free port. ``key``: that of the first start; None: this is it, and a key is made."""
        started = call("server", "start", "--background", "--port", 0, "--data-dir", data, *words)
        assert started.returncode == Exit.WELL, started.stderr
        made = KEY.findall(started.stdout)
        assert len(made) == (key is None), "the first key is made once"
        address = re.search(r"http://127\.0\.0\.1:(\d+)", started.stderr)
        assert address is not None
        assert address[1] != "18011", "a port that was given is the one that is listened at"
        return cls(data, key or made[0], address[0], call)

    @property
    def pid(self) -> int:
        """Of its process."""
        return int(json.loads((self.data / "server.pid").read_text(encoding="utf-8"))["pid"])

    def client(self, *words: object, **variables: str) -> Ended:
        """A command that speaks with it."""
        told = {"VIDEOANNOTATOR_SERVER": self.address, "VIDEOANNOTATOR_KEY": self.key, **variables}
        return self.call(*words, **told)

    def stop(self, *words: object) -> None:
        """And nothing of it is left."""
        server = psutil.Process(self.pid)
        everything = [server, *server.children(recursive=True)]
        stopped = self.call("server", "stop", "--data-dir", self.data, *words)
        assert stopped.returncode == Exit.WELL, stopped.stderr
        _, left = psutil.wait_procs(everything, timeout=5)
        assert not left
