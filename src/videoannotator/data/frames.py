"""What decoding hands to pipelines: batches of pictures, and the sound."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Color
from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError

__all__ = ["AudioTrack", "FrameBatch"]


@attrs.frozen(eq=False)
class FrameBatch:
    """Pictures that follow each other in time, all of one size.

    ``frame``: int64 (N,), 0-based index in presentation order, of the file, not of the sample.
    ``time``: float64 (N,), seconds on the file's clock.
    ``pixels``: uint8 (N, height, width, 3), or (N, height, width) for ``color="gray"``. Read only: the same
    memory is handed to every pipeline that asked for the same pictures.
    ``source_width``, ``source_height``: the picture as shown, in whose pixels results are given.
    """

    frame: NDArray[np.int64]
    time: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    color: Color
    source_width: int
    source_height: int

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

    def __len__(self) -> int:
        return int(self.frame.shape[0])

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
