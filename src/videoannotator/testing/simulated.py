"""A machine that is not there, with devices as small as a test wants them: what asks for more gets a real error."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping

from videoannotator.run.devices import Machine, Memory

__all__ = ["Buffer", "SimulatedMachine", "SimulatedMemory"]


class Buffer:
    """Some of a `SimulatedMemory`; given back by `close`, or when nobody has it any more. ``size``: bytes."""

    def __init__(self, memory: SimulatedMemory, size: int) -> None:
        self.size = size
        self._close = weakref.finalize(self, memory._give_back, size)

    def close(self) -> None:
        """Give it back. More than once is once."""
        self._close()


class SimulatedMemory:
    """``total`` bytes. `allocated` and `peak` tell what is in use, and was at most.

    ``others``: bytes that programs use which know nothing of us. ``error``: made with a message when there is too
    little: `MemoryError`, as a processor does, or ``torch.OutOfMemoryError``, as a card does.
    """

    def __init__(self, total: int, error: Callable[[str], BaseException] = MemoryError) -> None:
        self.total = total
        self.others = 0
        self.allocated = 0
        self.peak = 0
        self._error = error
        self._lock = threading.RLock()  # a buffer may be given back by the collector in the middle of `allocate`

    @property
    def free(self) -> int:
        """Bytes."""
        return max(0, self.total - self.others - self.allocated)

    def allocate(self, size: int) -> Buffer:
        """Take ``size`` bytes. Raises ``error`` when there are not so many."""
        with self._lock:
            if size > self.free:
                raise self._error(f"{size} bytes were asked for, {self.free} of {self.total} are free")
            self.allocated += size
            self.peak = max(self.peak, self.allocated)
        return Buffer(self, size)

    def watch_peak(self) -> Callable[[], int]:
        """See `videoannotator.run.devices.Machine.watch_peak`."""
        with self._lock:
            self.peak = self.allocated
        return lambda: self.peak

    def _give_back(self, size: int) -> None:
        with self._lock:
            self.allocated -= size


class SimulatedMachine(Machine):
    """``devices``: memory by name, best device first; ``"cpu"`` without a limit is there by itself.

    ``threads``: of its processor. ``name``: its devices are told from those of another simulated machine by it.
    """

    spare = 0.0

    def __init__(self, devices: Mapping[str, SimulatedMemory], threads: int = 2, name: str = "simulated") -> None:
        super().__init__()
        self.devices = dict(devices)
        self.threads = threads
        self.name = name

    def processors(self) -> int:
        """As it was made."""
        return self.threads

    def available(self) -> tuple[str, ...]:
        """As it was made, and the processor."""
        return (*(device for device in self.devices if device != "cpu"), "cpu")

    def identity(self, device: str) -> str:
        """Its own name and the device's."""
        return f"{self.name}/{device}"

    def model(self, device: str) -> str:
        """The same as `identity`."""
        return self.identity(device)

    def memory(self, device: str) -> Memory | None:
        """None for a processor without a limit."""
        memory = self.devices.get(device)
        return None if memory is None else Memory(memory.total, memory.free)

    def held(self, device: str) -> int:
        """What is allocated."""
        memory = self.devices.get(device)
        return 0 if memory is None else memory.allocated

    def reserved(self, device: str) -> int:
        """What is allocated: nothing is kept beyond that."""
        return self.held(device)

    def watch_peak(self, device: str) -> Callable[[], int]:
        """Of the simulated memory."""
        memory = self.devices.get(device)
        return (lambda: 0) if memory is None else memory.watch_peak()

    def empty(self, device: str) -> None:
        """Nothing is kept, so nothing can be given back."""

    def halves(self, device: str) -> tuple[str, ...]:
        """float16, on everything but the processor."""
        return () if device == "cpu" else ("float16",)
