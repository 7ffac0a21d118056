"""Pictures to batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.frames import FrameBatch, Uploads
from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Frames
from videoannotator.decode.passes import Picture
from videoannotator.errors import DataError, NoVideoError

__all__ = ["Batcher"]


class Batcher:
    """Collects the pictures of one need into batches of at most ``size``.

    ``index``: which of the pass's needs this is. ``add`` takes every picture of the pass and ignores those that this
    need does not sample.
    """

    def __init__(self, media: MediaInfo, need: Frames, index: int, size: int) -> None:
        if media.video is None:
            raise NoVideoError("there are no pictures in this file.", path=media.path)
        if size < 1:
            raise DataError(f"Batcher.size must be at least 1, got {size!r}")
        self._video = media.video
        self._need = need
        self._index = index
        self._size = size
        self._frames: list[int] = []
        self._times: list[float] = []
        self._pixels: list[NDArray[np.uint8]] = []
        self._uploads: list[Uploads] = []

    def add(self, picture: Picture) -> FrameBatch | None:
        """Take a picture; a batch when it is full."""
        if self._index not in picture.wanted:
            return None
        self._frames.append(picture.frame)
        self._times.append(picture.time)
        self._pixels.append(picture.pixels(self._index))
        self._uploads.append(picture.uploads(self._index))
        return self.flush() if len(self._frames) == self._size else None

    def flush(self) -> FrameBatch | None:
        """What is left; None when nothing is."""
        if not self._frames:
            return None
        pixels = np.stack(self._pixels)
        pixels.flags.writeable = False
        for upload, copy in zip(self._uploads, pixels, strict=True):
            upload.keep(copy)  # else every picture would be in memory twice as long as the batch is
        batch = FrameBatch(
            frame=np.array(self._frames, dtype=np.int64),
            time=np.array(self._times, dtype=np.float64),
            pixels=pixels,
            color=self._need.color,
            source_width=self._video.width,
            source_height=self._video.height,
            uploads=tuple(self._uploads),
        )
        self._frames, self._times, self._pixels, self._uploads = [], [], [], []
        return batch
