"""Kinds of devices: how each tells what it is, what memory it has, and what of it this process uses."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import attrs
import psutil

__all__ = ["AppleCard", "Card", "Hardware", "Memory", "NvidiaCard", "OtherCard", "Processor", "processors"]

_PROCESSOR_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""How Linux calls it on x86 and on Arm when the processor multiplies bfloat16."""
_FRESH = 1.0
"""Seconds for which the answer of the driver's tool, a process of its own, is taken for now."""


@attrs.frozen
class Memory:
    """Of a device, in bytes. ``free``: for everybody, now."""

    total: int
    free: int


@attrs.frozen
class Card:
    """What is known of an accelerator, as plain data. ``identity``: a UUID. ``halves``: see `Hardware.halves`."""

    device: str
    identity: str
    model: str
    halves: tuple[str, ...]


class Hardware(ABC):
    """A device. ``name``: as in `Context.device`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def identity(self) -> str:
        """What tells it from every other device of this machine, for whoever shares it."""
        return self.name

    @property
    @abstractmethod
    def model(self) -> str:
        """What kind of device it is: figures measured on one hold for others of that name."""

    @abstractmethod
    def memory(self) -> Memory | None:
        """None where the platform does not tell."""

    @abstractmethod
    def held(self) -> int:
        """Bytes that this process has in use now."""

    def reserved(self) -> int:
        """Bytes that this process keeps from others: in use, or freed and not given back yet."""
        return self.held()

    def watch_peak(self) -> Callable[[], int]:
        """Begin to watch what this process has in use; the function returned tells the most there was since.

        Where no such record is kept (processor, MPS), it is what is in use when the function is called.
        """
        return self.held

    def empty(self) -> None:
        """Let it have back what nobody uses: libraries keep freed memory for themselves."""
        gc.collect()  # networks and their parts often refer to each other in circles

    @property
    def halves(self) -> tuple[str, ...]:
        """Types of half the size that it multiplies at full speed, as torch names them."""
        return ()


class Processor(Hardware):
    """The processor, with the memory of the machine, or of the container this process is in."""

    @property
    def model(self) -> str:
        """Its name, and how many threads of it this process may use."""
        return f"{self.name}, {platform.machine()}, {_processor_name()}, {processors()} threads"

    def memory(self) -> Memory:
        """As the system counts what is available without swapping."""
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

    def held(self) -> int:
        """Resident memory."""
        return int(psutil.Process().memory_info().rss)

    def empty(self) -> None:
        """glibc keeps what was freed; in a notebook that looks like memory that never comes back."""
        super().empty()
        if sys.platform == "linux":
            try:
                ctypes.CDLL("libc.so.6").malloc_trim(0)
            except (OSError, AttributeError):  # another C library, which gives back by itself
                return

    @property
    def halves(self) -> tuple[str, ...]:
        """bfloat16, where the processor has it."""
        return ("bfloat16",) if _processor_flags().intersection(_PROCESSOR_BF16) else ()


class NvidiaCard(Hardware):
    """A card that torch sees here, ``"cuda:0"``. What other libraries take of it counts as another program's."""

    @property
    def _cuda(self) -> Any:
        import torch

        return torch.cuda

    @property
    def identity(self) -> str:
        """Its UUID."""
        return str(self._cuda.get_device_properties(self.name).uuid)

    @property
    def model(self) -> str:
        """As the driver calls it."""
        return str(self._cuda.get_device_name(self.name))

    def memory(self) -> Memory:
        """As the driver tells."""
        free, total = self._cuda.mem_get_info(self.name)
        return Memory(total, free)

    def held(self) -> int:
        """Of torch's tensors."""
        return int(self._cuda.memory_allocated(self.name))

    def reserved(self) -> int:
        """Of torch's allocator, with what it keeps for later."""
        return int(self._cuda.memory_reserved(self.name))

    def watch_peak(self) -> Callable[[], int]:
        """Torch keeps the record."""
        cuda = self._cuda
        cuda.reset_peak_memory_stats(self.name)
        return lambda: int(cuda.max_memory_allocated(self.name))

    def empty(self) -> None:
        """What torch keeps for later is given back."""
        super().empty()
        self._cuda.empty_cache()

    @property
    def halves(self) -> tuple[str, ...]:
        """float16, and bfloat16 from Ampere on."""
        return ("bfloat16", "float16") if self._cuda.get_device_capability(self.name) >= (8, 0) else ("float16",)


class AppleCard(Hardware):
    """``"mps"``: shares the memory of the processor; the system recommends how much of it to use."""

    @property
    def _torch(self) -> Any:
        import torch

        return torch

    @property
    def model(self) -> str:
        """That of the processor it is part of."""
        return f"{self.name}, {_processor_name()}"

    def memory(self) -> Memory:
        """As the system recommends."""
        mps = self._torch.mps
        total = int(mps.recommended_max_memory())
        return Memory(total, max(0, total - int(mps.driver_allocated_memory())))

    def held(self) -> int:
        """Of torch's tensors."""
        return int(self._torch.mps.current_allocated_memory())

    def empty(self) -> None:
        """What torch keeps for later is given back."""
        super().empty()
        self._torch.mps.empty_cache()

    @property
    def halves(self) -> tuple[str, ...]:
        """float16."""
        return ("float16",)


class OtherCard(Hardware):
    """A card that no library of this process can use, but one of another environment can.

    Nothing of it is ever held here. Its memory is asked of ``nvidia-smi``, which comes with the driver.
    """

    def __init__(self, card: Card) -> None:
        super().__init__(card.device)
        self._card = card
        self._asked = float("-inf")
        self._told: Memory | None = None

    @property
    def identity(self) -> str:
        """As the other environment tells."""
        return self._card.identity

    @property
    def model(self) -> str:
        """As the other environment tells."""
        return self._card.model

    def memory(self) -> Memory | None:
        """As it was a second ago at most."""
        if time.monotonic() - self._asked > _FRESH:
            self._told = _of_driver(self._card.identity)
            self._asked = time.monotonic()
        return self._told

    def held(self) -> int:
        """Nothing."""
        return 0

    def empty(self) -> None:
        """There is nothing to give back."""

    @property
    def halves(self) -> tuple[str, ...]:
        """As the other environment tells."""
        return self._card.halves


def processors() -> int:
    """Processor threads this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _of_driver(identity: str) -> Memory | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    question = ["--query-gpu=uuid,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own tool
            [program, *question], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    for line in done.stdout.splitlines():
        uuid, _, rest = line.partition(",")
        if uuid.strip().removeprefix("GPU-") == identity.removeprefix("GPU-"):
            try:
                total, free = (int(part) << 20 for part in rest.split(","))
            except ValueError:  # "[N/A]", as cards that share the processor's memory say
                return None
            return Memory(total, free)
    return None


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
