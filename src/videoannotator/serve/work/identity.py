"""Who a worker is, and whether one that was on this machine is still there."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import psutil

__all__ = ["Identity"]


@attrs.frozen
class Identity:
    """A worker process. ``id``: never used twice. ``place``: what it shares with processes it can see."""

    id: str
    host: str
    pid: int
    place: str
    created: float

    @classmethod
    def of_this_process(cls) -> Identity:
        """A new one."""
        host, pid = socket.gethostname(), os.getpid()
        name = f"{host[:60]}:{pid}:{uuid.uuid4().hex[:8]}"
        return cls(name, host, pid, _place(), psutil.Process(pid).create_time())

    @property
    def info(self) -> dict[str, Any]:
        """For the table of workers."""
        return {"place": self.place, "created": self.created}

    def knows_dead(self, host: str, pid: int, info: Mapping[str, Any]) -> bool:
        """True when another worker was on this machine, and is there no more. False also where nobody can tell."""
        if host != self.host or info.get("place") != self.place:
            return False
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
            return abs(process.create_time() - float(info.get("created", 0.0))) > 1.0  # the number was given anew
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


def _place() -> str:
    """This boot of this machine, and the part of it whose processes can be seen (a container is one)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():x} {psutil.boot_time():.0f}"
