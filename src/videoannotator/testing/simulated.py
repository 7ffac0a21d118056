"""Memory of a device that is not there, as small as a test wants it: what asks for more gets a real error."""

from __future__ import annotations

import threading
import weakref

__all__ = ["Buffer", "SimulatedMemory"]


class Buffer:
    """Some of a `SimulatedMemory`; given back by `close`, or when nobody has it any more. ``size``: bytes."""

    def __init__(self, memory: SimulatedMemory, size: int) -> None:
        self.size = size
        self._close = weakref.finalize(self, memory._give_back, size)

    def close(self) -> None:
        """Give it back. More than once is once."""
        self._close()


class SimulatedMemory:
    """``total`` bytes. `allocated` and `peak` tell what is in use, and was at most."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.allocated = 0
        self.peak = 0
        self._lock = threading.RLock()  # a buffer may be given back by the collector in the middle of `allocate`

    def allocate(self, size: int) -> Buffer:
        """Take ``size`` bytes. Raises `MemoryError`, as a processor does, when there are not so many."""
        with self._lock:
            if self.allocated + size > self.total:
                raise MemoryError(
                    f"{size} bytes were asked for, {self.total - self.allocated} of {self.total} are free"
                )
            self.allocated += size
            self.peak = max(self.peak, self.allocated)
        return Buffer(self, size)

    def _give_back(self, size: int) -> None:
        with self._lock:
            self.allocated -= size
