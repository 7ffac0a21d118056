"""Devices: the one place that asks what this machine has."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from videoannotator.data.convert import structure, unstructure
from videoannotator.discover.asking import ask_code
from videoannotator.discover.specs import Accelerator
from videoannotator.errors import DeviceError
from videoannotator.run.hardware import AppleCard, Card, Hardware, Memory, NvidiaCard, OtherCard, Processor, processors

__all__ = ["DeviceOption", "Machine", "Memory", "candidates", "cards", "check", "is_out_of_memory"]

DeviceOption = str | Sequence[str]
"""``"auto"``, ``"cpu"``, ``"mps"``, ``"cuda"`` (every card), ``"cuda:1"``, or a list of these without ``"auto"``."""


class Machine:
    """What this machine has, asked of torch, where it is installed, and of the system.

    Subclassed where another machine is to be played (see `videoannotator.testing.simulated`).
    ``spare``: the part of a device's memory that is promised to nobody; libraries round up, and memory gets holes.
    """

    spare = 0.05

    def __init__(self) -> None:
        self._others: dict[str, Hardware] = {}

    def processors(self) -> int:
        """Processor threads this process may use."""
        return processors()

    def available(self) -> tuple[str, ...]:
        """Devices that libraries of this environment can use, best first: ``"cuda:0"``, ..., ``"mps"``, ``"cpu"``.

        Imports torch where it is installed, so it is asked only for pipelines that can use an accelerator.
        """
        if find_spec("torch") is None:
            return ("cpu",)
        import torch

        cards = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count())) if torch.cuda.is_available() else ()
        apple = ("mps",) if torch.backends.mps.is_available() else ()
        return (*cards, *apple, "cpu")

    def there(self, python: str) -> tuple[str, ...]:
        """Devices that libraries of another environment can use, by its interpreter; then they are known here, too.

        Raises `PluginLoadError` when that does not answer.
        """
        here, cards = self.available(), cards_there(python)
        for card in cards:
            if card.device not in here and card.device not in self._others:
                self._others[card.device] = OtherCard(card)
        return (*(card.device for card in cards), "cpu")

    def identity(self, device: str) -> str:
        """See `videoannotator.run.hardware.Hardware`, as for what follows."""
        return self._of(device).identity

    def model(self, device: str) -> str:
        """What kind of device it is."""
        return self._of(device).model

    def memory(self, device: str) -> Memory | None:
        """Memory of a device; None where the platform does not tell."""
        return self._of(device).memory()

    def held(self, device: str) -> int:
        """Bytes of a device that this process has in use now."""
        return self._of(device).held()

    def reserved(self, device: str) -> int:
        """Bytes of a device that this process keeps from others."""
        return self._of(device).reserved()

    def watch_peak(self, device: str) -> Callable[[], int]:
        """Begin to watch what this process has in use; the function returned tells the most there was since."""
        return self._of(device).watch_peak()

    def empty(self, device: str) -> None:
        """Let a device have back what nobody uses."""
        self._of(device).empty()

    def halves(self, device: str) -> tuple[str, ...]:
        """Types of half the size that the device multiplies at full speed, as torch names them."""
        return self._of(device).halves

    def _of(self, device: str) -> Hardware:
        if device in self._others:
            return self._others[device]
        kind = device.partition(":")[0]
        return {"cuda": NvidiaCard, "mps": AppleCard}.get(kind, Processor)(device)


def cards() -> list[dict[str, Any]]:
    """The accelerators of this environment, each a `Card` as plain data."""
    machine = Machine()
    return [
        unstructure(Card(device, machine.identity(device), machine.model(device), machine.halves(device)))
        for device in machine.available()
        if device != "cpu"
    ]


@cache
def cards_there(python: str) -> tuple[Card, ...]:
    """What `cards` says in the environment of an interpreter: its torch decides. Asked once a process.

    Raises `PluginLoadError` when it cannot answer.
    """
    code = "from videoannotator.run.devices import cards as answer"
    return tuple(structure(Card, card) for card in ask_code(python, code, f"the devices of {python}"))


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
    if python is not None:
        here, place = machine.there(python), f"the environment of {python}"
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
