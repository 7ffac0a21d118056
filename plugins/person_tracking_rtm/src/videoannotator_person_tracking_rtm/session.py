"""An ONNX network on the processor: one picture per thread, so that a batch gives the bits that its pictures give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.onnx import opened, refusals
from videoannotator.discover.workers import Workers
from videoannotator.errors import DeviceError, ModelError

__all__ = ["Network"]

_MOST = 8  # as many as there are frames in a batch of the pipeline
T = TypeVar("T")
R = TypeVar("R")


class Network:
    """An ONNX file with one input, float32 ``(1, 3, height, width)``.

    ``threads``: of the processor, at most. Raises `ModelError` for a file that is no such network, `DeviceError` for
    another device than the processor.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if device != "cpu":
            raise DeviceError(f"person_tracking with the backend rtmlib runs on the processor, not on {device!r}")
        count = max(1, min(threads, _MOST))
        self._session = opened(path, device=device, threads=max(1, threads // count))
        inputs = self._session.get_inputs()
        self.path = path
        shape: list[Any] = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] not in (3, None):
            raise ModelError(f"{path} has the inputs {[(i.name, i.shape) for i in inputs]}, not one of (N, 3, H, W)")
        self._input = inputs[0].name
        self.outputs = [output.name for output in self._session.get_outputs()]
        self.size: tuple[int, int] | None = None
        """Height and width of the input where the file fixes them."""
        if isinstance(shape[2], int) and isinstance(shape[3], int):
            self.size = (shape[2], shape[3])
        self._workers = Workers("rtm", count)

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[Any]]:
        """The outputs for one picture, float32 ``(3, height, width)``, from any thread. Raises `ModelError`."""
        try:
            outputs: list[NDArray[Any]] = self._session.run(self.outputs, {self._input: picture[None]})
        except refusals() as error:
            raise ModelError(f"{self.path} does not take pictures of {picture.shape}: {error}") from error
        return outputs

    def map(self, work: Callable[[T], R], parts: Sequence[T]) -> list[R]:
        """``work`` on all parts, in threads of this network, answers in order."""
        if self._workers.count == 1 or len(parts) < 2:
            return [work(part) for part in parts]
        return list(self._workers.map(work, parts))

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
