"""Pictures of which every pixel is known, in files that keep every pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Write = Callable[..., Path]
TICKS = 600


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes grey pictures without loss, at ``rate`` or at ``times`` (in 1/600 s)."""

    def write(pictures: Iterable[Gray], rate: int = 25, times: Iterable[int] | None = None) -> Path:
        path = tmp_path / f"clip{len(list(tmp_path.iterdir()))}.mkv"
        shown = list(pictures)
        ticks = list(times) if times is not None else [n * TICKS // rate for n in range(len(shown))]
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("ffv1", rate=rate)
            stream.height, stream.width = shown[0].shape
            stream.pix_fmt = "gray"
            stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            for tick, picture in zip(ticks, shown, strict=True):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
                frame.pts, frame.time_base = tick, Fraction(1, TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


FINER = 4
"""How much finer a wall is than the pictures of it: OpenCV rounds shifts to 1/32 px when it makes them."""


def texture(width: int = 480, height: int = 400, seed: int = 0, sigma: float = 3.0) -> Gray:
    """Soft blobs, grey levels 60 to 180."""
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), sigma)
    soft = (soft - soft.min()) / (soft.max() - soft.min())
    return (60 + 120 * soft).round().astype(np.uint8)


def wall(seed: int = 0, sigma: float = 3.0) -> Gray:
    """A wall with something on it, `FINER` than pictures are."""
    return texture(480 * FINER, 400 * FINER, seed, sigma * FINER)


def window(picture: Gray, dx: float = 0, dy: float = 0, angle: float = 0, scale: float = 1) -> Gray:
    """What a camera shows of a `wall`, 320 x 240: its middle, moved right and down, turned clockwise, enlarged."""
    height, width = picture.shape
    shown = 320 * FINER, 240 * FINER
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, scale)
    matrix[:, 2] += [(shown[0] - width) / 2 + dx * FINER, (shown[1] - height) / 2 + dy * FINER]
    fine = cv2.warpAffine(picture, matrix, shown, flags=cv2.INTER_CUBIC)
    return cv2.resize(fine, (320, 240), interpolation=cv2.INTER_AREA)
