"""What the server's machine is and has, as plain values for the API. Never imports torch: a child process is asked."""

from __future__ import annotations

import platform
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from videoannotator.errors import PluginError
from videoannotator.run.devices import cards_there
from videoannotator.serve.operating.health import disk_bytes

__all__ = ["Cards", "disk", "system"]


def disk(folder: Path) -> dict[str, Any]:
    """The disk that holds a folder: bytes, and percent in use."""
    total, free = disk_bytes(folder)
    used = psutil.disk_usage(str(folder)).used
    return {"total": total, "used": used, "free": free, "percent": round(100 * used / total, 1) if total else 0.0}


def system(folder: Path) -> dict[str, Any]:
    """Platform, processors, memory and disk; ``cpu_percent`` since it was asked before."""
    memory = psutil.virtual_memory()
    return {
        "platform": platform.platform(),
        "python_version": platform.python_version(),
        "cpu_count": psutil.cpu_count(),
        "cpu_percent": psutil.cpu_percent(),
        "memory_percent": memory.percent,
        "memory": {
            "total": memory.total,
            "available": memory.available,
            "percent": memory.percent,
            "used": memory.used,
            "free": memory.free,
        },
        "disk": disk(folder),
    }


class Cards:
    """The graphics cards of this machine, as a process of this environment sees them; asked once, in the background."""

    def __init__(self) -> None:
        self._found: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def told(self, wait: float = 0.0) -> dict[str, Any]:
        """``available``, ``device_count``, ``devices``; ``reason`` where there is none, or it is not known yet."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._ask, name="videoannotator:cards", daemon=True)
                self._thread.start()
        self._thread.join(wait)
        return self._found or {"available": False, "device_count": 0, "devices": [], "reason": "being asked"}

    def _ask(self) -> None:
        try:
            found = cards_there(sys.executable)
        except PluginError as error:
            self._found = {"available": False, "device_count": 0, "devices": [], "reason": str(error)}
            return
        devices = [{"device": card.device, "name": card.model} for card in found]
        told: dict[str, Any] = {"available": bool(devices), "device_count": len(devices), "devices": devices}
        if devices:
            told |= {"current_device": 0, "device_name": devices[0]["name"]}
        else:
            told["reason"] = "no accelerator that the libraries of this environment can use"
        self._found = told
