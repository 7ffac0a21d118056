"""What decoding hands to pipelines: batches of pictures, and the sound."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Color
from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    import torch

__all__ = ["AudioTrack", "FrameBatch", "Uploads"]


class Uploads:
    """One picture's pixels on other devices, each copied there once, whoever asks and in whichever batch."""

    __slots__ = ("_at", "_lock", "_pixels")

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self._at: dict[str, torch.Tensor] = {}
        self._lock = threading.Lock()

    def keep(self, pixels: NDArray[np.uint8]) -> None:
        """Hold on to this copy of the picture, which is kept anyhow, and let go of the other."""
        with self._lock:
            self._pixels = pixels

    def to(self, device: str) -> torch.Tensor:
        """uint8, the shape of the picture, on ``device``."""
        with self._lock:
            if device not in self._at:
                self._at[device] = _tensor(self._pixels).to(device)
            return self._at[device]


def _tensor(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """The same memory as a tensor. Torch warns of arrays that are read only, in whichever thread: hence by address."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("FrameBatch.torch needs torch; run: pip install torch") from error
    if not pixels.size:
        return torch.empty(pixels.shape, dtype=torch.uint8)
    view = np.ascontiguousarray(pixels)
    shown = _Shown(view)
    return torch.from_numpy(np.asarray(shown))


class _Shown:
    """Read-only memory that is said to be writable, as torch wants it. Nobody writes: a batch is everybody's."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels  # keeps the memory alive as long as the tensor
        address, _ = pixels.__array_interface__["data"]
        self.__array_interface__ = {**pixels.__array_interface__, "data": (address, False)}


@attrs.frozen(eq=False)
class FrameBatch:
    """Pictures that follow each other in time, all of one size.

    ``frame``: int64 (N,), 0-based index in presentation order, of the file, not of the sample.
    ``time``: float64 (N,), seconds on the file's clock.
    ``pixels``: uint8 (N, height, width, 3), or (N, height, width) for ``color="gray"``. Read only: the same
    memory is handed to every pipeline that asked for the same pictures.
    ``source_width``, ``source_height``: the picture as shown, in whose pixels results are given.
    ``uploads``: the pictures one by one, for those who share them on another device; filled by the decoder.
    """

    frame: NDArray[np.int64]
    time: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    color: Color
    source_width: int
    source_height: int
    uploads: tuple[Uploads, ...] = attrs.field(default=(), repr=False)

    def __attrs_post_init__(self) -> None:
        dimensions = 3 if self.color == "gray" else 4
        if self.pixels.ndim != dimensions or self.pixels.dtype != np.uint8:
            raise DataError(
                f"FrameBatch.pixels must be uint8 with {dimensions} dimensions for color={self.color!r}, "
                f"got {self.pixels.dtype} with shape {self.pixels.shape}"
            )
        if self.frame.shape != self.time.shape or self.frame.shape != self.pixels.shape[:1]:
            raise DataError(
                "FrameBatch.frame, .time and .pixels must have one length, "
                f"got shapes {self.frame.shape}, {self.time.shape}, {self.pixels.shape}"
            )

        if not self.uploads:
            object.__setattr__(self, "uploads", tuple(Uploads(picture) for picture in self.pixels))
        if len(self.uploads) != len(self):
            raise DataError(f"FrameBatch.uploads must have one entry per picture, got {len(self.uploads)}")

    def __len__(self) -> int:
        return int(self.frame.shape[0])

    def __getitem__(self, part: slice) -> FrameBatch:
        """Some of the pictures, in the same memory: ``batch[:4]``."""
        if not isinstance(part, slice):
            raise DataError(f"a part of a FrameBatch is a slice, batch[a:b], got {part!r}")
        return attrs.evolve(
            self,
            frame=self.frame[part],
            time=self.time[part],
            pixels=self.pixels[part],
            uploads=self.uploads[part],
        )

    def torch(self, device: str = "cpu") -> torch.Tensor:
        """The pixels as a torch tensor on ``device``: uint8, the shape of `pixels`. Never write into it.

        On the CPU it is the same memory. To another device a picture is copied once, however many pipelines ask for it.
        Raises `MissingDependencyError` where torch is not installed.
        """
        if device == "cpu":
            return _tensor(self.pixels)
        import torch

        return torch.stack([picture.to(device) for picture in self.uploads])

    @property
    def height(self) -> int:
        """Height of the pictures handed over, in pixels."""
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        """Width of the pictures handed over, in pixels."""
        return int(self.pixels.shape[2])

    @property
    def scale(self) -> tuple[float, float]:
        """Multiply x by the first and y by the second to get from these pictures to source pixels."""
        return self.source_width / self.width, self.source_height / self.height


@attrs.frozen(eq=False)
class AudioTrack:
    """The sound of a span, decoded once for every pipeline.

    ``samples``: float32 (N,), mono, in -1..1, read only; memory-mapped when long.
    ``rate``: samples per second. ``start``: the time of sample 0 on the file's clock, seconds.
    """

    samples: NDArray[np.float32]
    rate: int
    start: float = 0.0

    def __attrs_post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            raise DataError(
                f"AudioTrack.samples must be float32 with one dimension, got {self.samples.dtype} "
                f"with shape {self.samples.shape}"
            )

    def __len__(self) -> int:
        return int(self.samples.shape[0])

    @property
    def span(self) -> TimeSpan:
        """From the first sample to the end of the last."""
        return TimeSpan(self.start, self.start + len(self) / self.rate)

    def time(self, sample: float) -> float:
        """The time of a sample index on the file's clock, in seconds."""
        return self.start + sample / self.rate
