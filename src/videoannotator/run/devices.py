"""Devices: the one place that asks what this machine has."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from videoannotator.discover.specs import Accelerator
from videoannotator.errors import DeviceError

__all__ = [
    "available",
    "check",
    "choose",
    "empty",
    "is_out_of_memory",
    "processors",
    "put_thread_counts",
    "thread_counts",
]


def processors() -> int:
    """Processor threads this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available() -> tuple[str, ...]:
    """Devices of this machine, best first: ``"cuda:0"``, ..., ``"mps"``, ``"cpu"``.

    Imports torch where it is installed, so it is asked only for pipelines that can use an accelerator.
    """
    if find_spec("torch") is None:
        return ("cpu",)
    import torch

    cards = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
    apple = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cards, *apple, "cpu")


def check(device: str) -> str:
    """``device`` if it is spelt as a device: ``auto``, ``cpu``, ``mps``, ``cuda``, ``cuda:N``. Raises `DeviceError`."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise DeviceError(f"no device {device!r}; write 'auto', 'cpu', 'mps', 'cuda' or 'cuda:N'")
    return device


def choose(device: str, accelerators: Sequence[Accelerator]) -> str:
    """The device a pipeline runs on.

    ``device``: what the user asked for. ``accelerators``: what the pipeline can use besides the CPU; a pipeline
    that can use none runs on the CPU whatever was asked for. Raises `DeviceError` when an accelerator was asked
    for by name and is not here.
    """
    if device == "cpu" or not accelerators:
        return "cpu"
    here = available()
    usable = [d for d in here if d.partition(":")[0] in accelerators]
    if device == "auto":
        return usable[0] if usable else "cpu"
    wanted = [d for d in here if d == device or d.partition(":")[0] == device]
    if not wanted:
        raise DeviceError(f"this machine has no {device!r}; it has {', '.join(here)}")
    return wanted[0] if wanted[0] in usable else "cpu"


def empty(device: str) -> None:
    """Let a device have back what nobody uses: libraries keep freed memory for themselves."""
    gc.collect()  # networks and their parts often refer to each other in circles
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif torch is not None and device == "mps":
        torch.mps.empty_cache()


def thread_counts() -> dict[str, int]:
    """How many processor threads the libraries that are imported use in this process, by name."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    counts = {}
    if torch is not None and hasattr(torch, "get_num_threads"):
        counts["torch"] = torch.get_num_threads()
    if cv2 is not None and hasattr(cv2, "getNumThreads"):
        counts["cv2"] = cv2.getNumThreads()
    return counts


def put_thread_counts(counts: Mapping[str, int]) -> None:
    """Put right what a library has changed for the whole process since `thread_counts`."""
    now = thread_counts()
    if "torch" in counts and counts["torch"] != now["torch"]:
        sys.modules["torch"].set_num_threads(counts["torch"])
    if "cv2" in counts and counts["cv2"] != now["cv2"]:
        sys.modules["cv2"].setNumThreads(counts["cv2"])


def is_out_of_memory(error: BaseException) -> bool:
    """True for what says that memory of a device, or of the machine, was too short."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
