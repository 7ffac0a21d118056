"""Memory that a run and the process of a pipeline share: pixels and sound are copied into it once, and never sent."""

from __future__ import annotations

import mmap
import os
import secrets
import shutil
import sys
import tempfile
import weakref
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Attached", "Block"]

_SHARED = Path("/dev/shm")  # noqa: S108 - asked only for its room: where it is full, writing ends the process
_SPARE = 1 << 20


class Block:
    """Memory of the run that its pipeline's process reads. ``size``: bytes.

    It has a name only until the other side has it: after `unlink` it goes when both processes have let go of it, or
    have ended, in whatever way. Where shared memory is too small (containers often have 64 MB), it is a file.
    """

    def __init__(self, size: int) -> None:
        self.size = max(1, size)
        self._shared: SharedMemory | None = None
        self._path: Path | None = None
        if not _SHARED.is_dir() or shutil.disk_usage(_SHARED).free > self.size + _SPARE:
            # whose it is can be read from its name, which systems other than Linux want short
            name = f"va-{os.getpid()}-{secrets.token_hex(8)}"
            self._shared = SharedMemory(name, create=True, size=self.size)
            self._buffer: Any = self._shared.buf
        else:
            with tempfile.NamedTemporaryFile(prefix="videoannotator-", delete=False) as file:
                self._path = Path(file.name)
                file.truncate(self.size)
                self._buffer = mmap.mmap(file.fileno(), self.size)
        self._named = True

    def header(self) -> dict[str, Any]:
        """Where the other side finds it."""
        if self._shared is not None:
            return {"shared": self._shared.name, "size": self.size}
        return {"file": str(self._path), "size": self.size}

    def write(self, values: NDArray[Any]) -> None:
        """Copy ``values`` to its beginning."""
        room = np.frombuffer(self._buffer, values.dtype, values.size).reshape(values.shape)
        np.copyto(room, values)

    def unlink(self) -> None:
        """Take its name away: who has it keeps it, nobody else can find it."""
        if self._named:
            self._named = False
            with suppress(FileNotFoundError):
                if self._shared is not None:
                    self._shared.unlink()
                elif self._path is not None:
                    self._path.unlink()

    def close(self) -> None:
        """Give it up."""
        self.unlink()
        with suppress(BufferError):
            (self._shared or self._buffer).close()


class _Borrowed(SharedMemory):
    """Memory of another process. The library's tracker would remove it when this process ends, and warn."""

    def __init__(self, name: str) -> None:
        if sys.version_info >= (3, 13):
            super().__init__(name, track=False)
            return
        register, wanted = resource_tracker.register, name

        def others(name: Any, rtype: str) -> None:
            if name.lstrip("/") != wanted:
                register(name, rtype)

        resource_tracker.register = others
        try:
            super().__init__(name)
        finally:
            resource_tracker.register = register

    def close(self) -> None:
        """Let go of it, unless arrays still stand on it."""
        with suppress(BufferError):
            super().close()


class Attached:
    """A `Block`, seen from the process of the pipeline: read only, not copied."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.header = header
        if "shared" in header:
            self._memory: Any = _Borrowed(header["shared"])
            self._whole: Any = self._memory.buf
        else:
            with Path(header["file"]).open("rb") as file:
                self._memory = mmap.mmap(file.fileno(), header["size"], access=mmap.ACCESS_READ)
            self._whole = self._memory
        self._base: weakref.ref[NDArray[Any]] | None = None

    def array(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array at its beginning, read only."""
        base = np.asarray(memoryview(self._whole).toreadonly())
        self._base = weakref.ref(base)  # every array made from it, and every tensor, holds it
        kind = np.dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        return base[: count * kind.itemsize].view(kind).reshape(shape)

    def free(self) -> bool:
        """True when no array stands on it any more, so that it may be written anew."""
        return self._base is None or self._base() is None

    def close(self) -> None:
        """Let go of it, if nobody else holds it."""
        if self.free():
            with suppress(BufferError):
                self._memory.close()
