"""Devices: the one place that asks what this machine has."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from videoannotator.discover.specs import Accelerator
from videoannotator.errors import DeviceError

__all__ = ["available", "check", "choose", "processors"]


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


def is_out_of_memory(error: BaseException) -> bool:
    """True for what says that memory of a device, or of the machine, was too short."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
