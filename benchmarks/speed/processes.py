"""Programs that are measured: each a process of its own, with nothing on its disk from an earlier one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

__all__ = ["ROOT", "Cost", "Ran", "job", "peak", "place", "timed"]

ROOT = Path(__file__).parents[2]
TIMEOUT = 3600.0  # seconds for one program


@attrs.frozen
class Cost:
    """Seconds of wall clock and of processor, and the most memory at once in bytes."""

    wall: float
    cpu: float
    peak: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


@attrs.frozen(eq=False)
class Ran:
    """A program that has run. ``told``: what it says of itself. ``found``: what it found, if it looked for anything."""

    cost: Cost
    told: Mapping[str, Any] = attrs.field(factory=dict)
    found: Any = None


@contextmanager
def place() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and an environment in which programs keep everything there and call nobody."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        kept = {"YOLO_CONFIG_DIR": name, "VIDEOANNOTATOR_CACHE": str(Path(name) / "cache")}
        yield Path(name), {**os.environ, "YOLO_OFFLINE": "true", "CI": "true", **kept}  # OpenVINO's telemetry heeds CI


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a program to its end and say what it cost. Its output is shown only when it fails."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        late = threading.Timer(TIMEOUT, process.kill)
        late.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            late.cancel()
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")
            raise SystemExit(
                f"{' '.join(command)}\nended with {process.returncode} after {wall:.0f} s:\n{said[-4000:]}"
            )
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def job(name: str, folder: Path, environment: Mapping[str, str], **arguments: Any) -> Ran:
    """Run a job of `benchmarks.speed.child`; what it tells comes with what it cost."""
    target = folder / f"{name}.json"
    command = [sys.executable, "-m", "benchmarks.speed.child", name, json.dumps(arguments), str(target)]
    cost = timed(command, environment)
    told = json.loads(target.read_text(encoding="utf-8"))
    # what the system says of a child includes the memory of who started it
    return Ran(attrs.evolve(cost, peak=told.get("peak", cost.peak)), told)


def peak() -> int:
    """The most memory that this process has had at once, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
