"""Devices: the one place that asks what this machine has."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import attrs
import psutil

from videoannotator.discover.asking import ask_code
from videoannotator.discover.specs import Accelerator
from videoannotator.errors import DeviceError

__all__ = ["DeviceOption", "Machine", "Memory", "available_there", "candidates", "check", "is_out_of_memory"]

DeviceOption = str | Sequence[str]
"""``"auto"``, ``"cpu"``, ``"mps"``, ``"cuda"`` (every card), ``"cuda:1"``, or a list of these without ``"auto"``."""

_PROCESSOR_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""How Linux calls it on x86 and on Arm when the processor multiplies bfloat16."""


@attrs.frozen
class Memory:
    """Of a device, in bytes. ``free``: for everybody, now."""

    total: int
    free: int


class Machine:
    """What this machine has, asked of torch, where it is installed, and of the system.

    Subclassed where another machine is to be played (see `videoannotator.testing.simulated`).
    ``spare``: the part of a device's memory that is promised to nobody; libraries round up, and memory gets holes.
    """

    spare = 0.05

    def processors(self) -> int:
        """Processor threads this process may use."""
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def available(self) -> tuple[str, ...]:
        """Devices, best first: ``"cuda:0"``, ..., ``"mps"``, ``"cpu"``.

        Imports torch where it is installed, so it is asked only for pipelines that can use an accelerator.
        """
        if find_spec("torch") is None:
            return ("cpu",)
        import torch

        cards = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
        apple = ("mps",) if torch.backends.mps.is_available() else ()
        return (*cards, *apple, "cpu")

    def identity(self, device: str) -> str:
        """What tells a device from every other of this machine, for whoever shares it: a card's UUID."""
        if device.startswith("cuda"):
            import torch

            return str(torch.cuda.get_device_properties(device).uuid)
        return device

    def model(self, device: str) -> str:
        """What kind of device it is: figures measured on one hold for others of that name."""
        if device.startswith("cuda"):
            import torch

            return str(torch.cuda.get_device_name(device))
        return f"{device}, {platform.machine()}, {_processor_name()}, {self.processors()} threads"

    def memory(self, device: str) -> Memory | None:
        """Memory of a device; None where the platform does not tell."""
        if device == "cpu":
            return _processor_memory()
        torch = _torch()
        if device.startswith("cuda"):
            free, total = torch.cuda.mem_get_info(device)
            return Memory(total, free)
        total = int(torch.mps.recommended_max_memory())
        return Memory(total, max(0, total - int(torch.mps.driver_allocated_memory())))

    def held(self, device: str) -> int:
        """Bytes of a device that this process has in use now."""
        if device == "cpu":
            return int(psutil.Process().memory_info().rss)
        torch = _torch()
        if device.startswith("cuda"):
            return int(torch.cuda.memory_allocated(device))
        return int(torch.mps.current_allocated_memory())

    def reserved(self, device: str) -> int:
        """Bytes of a device that this process keeps from others: in use, or freed and not given back yet."""
        if device.startswith("cuda"):
            return int(_torch().cuda.memory_reserved(device))
        return self.held(device)

    def watch_peak(self, device: str) -> Callable[[], int]:
        """Begin to watch what this process has in use; the function returned tells the most there was since.

        Where a platform keeps no such record (processor, MPS), it is what is in use when the function is called.
        """
        if device.startswith("cuda"):
            cuda = _torch().cuda
            cuda.reset_peak_memory_stats(device)
            return lambda: int(cuda.max_memory_allocated(device))
        return lambda: self.held(device)

    def empty(self, device: str) -> None:
        """Let a device have back what nobody uses: libraries keep freed memory for themselves."""
        gc.collect()  # networks and their parts often refer to each other in circles
        torch = sys.modules.get("torch")
        if device == "cpu":
            _trim()
        elif torch is not None and device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif torch is not None and device == "mps":
            torch.mps.empty_cache()

    def half(self, device: str) -> str | None:
        """The type of half the size that the device multiplies at full speed, as torch names it; None without one."""
        if device.startswith("cuda"):
            capable = _torch().cuda.get_device_capability(device) >= (8, 0)  # from Ampere on
            return "bfloat16" if capable else "float16"
        if device == "mps":
            return "float16"
        return "bfloat16" if _processor_flags().intersection(_PROCESSOR_BF16) else None


def _torch() -> Any:
    import torch

    return torch


def _processor_memory() -> Memory:
    """Of the machine, or of the container this process is in, where that has less."""
    told = psutil.virtual_memory()
    total, free = int(told.total), int(told.available)
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            most, now = int(_first_line(limit)), int(_first_line(used))
        except (OSError, ValueError):  # no such control group, or "max"
            continue
        if most < total:
            return Memory(most, min(free, max(0, most - now)))
    return Memory(total, free)


def _first_line(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.readline().strip()


def _processor_lines() -> list[tuple[str, str]]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            pairs = (line.partition(":") for line in file)
            return [(key.strip(), value.strip()) for key, _, value in pairs]
    except OSError:
        return []


def _processor_name() -> str:
    return next((value for key, value in _processor_lines() if key == "model name"), platform.processor())


def _processor_flags() -> set[str]:
    told = next((value for key, value in _processor_lines() if key in ("flags", "Features")), "")
    return set(told.split())


def _trim() -> None:
    """glibc keeps what was freed; in a notebook that looks like memory that never comes back."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another C library, which gives back by itself
            return


def check(option: DeviceOption) -> tuple[str, ...]:
    """``option`` as a tuple of devices, if it is spelt as `DeviceOption` says. Raises `DeviceError`."""
    devices = (option,) if isinstance(option, str) else tuple(option)
    for device in devices:
        if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise DeviceError(
                f"no device {device!r}; write 'auto', 'cpu', 'mps', 'cuda' or 'cuda:N', or a list of them"
            )
    if not devices or ("auto" in devices and len(devices) > 1):
        raise DeviceError(f"device={option!r}: give 'auto' alone, or a list of devices")
    return devices


@cache
def available_there(python: str) -> tuple[str, ...]:
    """What `Machine.available` says in the environment of an interpreter: its torch decides. Asked once a process.

    Raises `PluginLoadError` when it cannot answer.
    """
    code = "from videoannotator.run.devices import Machine\nanswer = Machine().available"
    return tuple(ask_code(python, code, f"the devices of {python}"))


def candidates(
    machine: Machine, wanted: Sequence[str], accelerators: Sequence[Accelerator], python: str | None = None
) -> tuple[str, ...]:
    """The devices, of those that were asked for, that a pipeline can run on, best first.

    ``wanted``: from `check`. ``accelerators``: what the pipeline can use besides the processor; one that can use none
    runs on the processor whatever was asked for. ``python``: of its own environment, where it has one; what that does
    not see it cannot use. Raises `DeviceError` when an accelerator was asked for by name and is not here.
    """
    if tuple(wanted) == ("cpu",) or not accelerators:
        return ("cpu",)
    here, place = machine.available(), "this machine"
    if python is not None and here != ("cpu",):
        there = available_there(python)
        here, place = tuple(device for device in here if device in there), f"the environment of {python}"
    usable = [device for device in here if device.partition(":")[0] in accelerators]
    if tuple(wanted) == ("auto",):
        best = usable[0].partition(":")[0] if usable else "cpu"
        return tuple(device for device in usable if device.partition(":")[0] == best) or ("cpu",)
    found: list[str] = []
    for name in wanted:
        matching = [device for device in here if device == name or device.partition(":")[0] == name]
        if not matching:
            raise DeviceError(f"{place} has no {name!r}; it has {', '.join(here)}")
        found += [device for device in matching if (device in usable or device == "cpu") and device not in found]
    return tuple(found) or ("cpu",)


_SAYS_SHORT = re.compile(
    r"out of memory|can't allocate memory|bad allocation|std::bad_alloc|failed to allocate|insufficient memory"
    r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)
"""What libraries write who raise an error of their own: torch on the processor and on MPS, CTranslate2, onnxruntime,
OpenVINO, OpenCV."""


def is_out_of_memory(error: BaseException) -> bool:
    """True for what says that memory of a device, or of the machine, was too short."""
    if isinstance(error, MemoryError):
        return True
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    kinds: tuple[type[BaseException], ...] = (RuntimeError,)
    if cv2 is not None:
        kinds += (cv2.error,)
    if type(error).__module__.startswith("onnxruntime"):
        kinds += (type(error),)
    return isinstance(error, kinds) and _SAYS_SHORT.search(str(error)) is not None
