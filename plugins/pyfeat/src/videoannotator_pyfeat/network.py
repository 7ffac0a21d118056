"""Py-Feat's multitask network, on faces whose boxes are known: its own code, from the crop to the outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import MissingDependencyError, ModelError

__all__ = ["Network", "Readings", "threads_left_alone"]

_THREADS = "OMP_NUM_THREADS"
_AT_ONCE = 32  # faces that are cut out and computed together; on the processor each in a pass of its own


@contextmanager
def threads_left_alone() -> Iterator[None]:
    """Importing ``feat`` sets OMP_NUM_THREADS=1, which every process that is started later would obey: put it back."""
    before = os.environ.get(_THREADS)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_THREADS, None)


@attrs.frozen(eq=False)
class Readings:
    """What was read from N faces, all float32.

    ``units``: (N, A), probabilities. ``emotions``: (N, E), probabilities. ``affect``: (N, 2), valence and arousal.
    ``gaze``: (N, 2), yaw and pitch in degrees. ``pose``: (N, 3), yaw, pitch and roll of the head in degrees.
    Signs are those of `videoannotator.Face`.
    """

    units: NDArray[np.float32]
    emotions: NDArray[np.float32]
    affect: NDArray[np.float32]
    gaze: NDArray[np.float32]
    pose: NDArray[np.float32]


class Network:
    """Reads action units, gaze, head pose and expressions from faces.

    ``path``: a ``.safetensors`` file with the network's layout in its metadata, as Py-Feat publishes them.
    ``device``: ``"cpu"``, ``"cuda:N"`` or ``"mps"``. It computes in float32 (Py-Feat itself takes bfloat16 on a card).
    ``threads``: of the processor; there each face is computed in one thread, for its bits depend on how many there are,
    and on how many faces are computed with it.

    ``units``, ``emotions``: what it knows, in the order of its outputs, in small letters.
    Raises `ModelError` for a file that is something else, `MissingDependencyError` where Py-Feat is not installed.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        if path.suffix != ".safetensors":
            raise ModelError(
                f"{path} is no .safetensors file; weights in other formats may run code when they are loaded"
            )
        try:
            import torch  # before feat, whose OMP_NUM_THREADS it would obey
            from safetensors import SafetensorError

            with threads_left_alone():
                from feat.multitask.inference import CHIP_SIZE, EXPAND_BBOX, MultitaskModel
                from feat.utils.image_operations import extract_face_square_pad_torch
        except ImportError as error:
            raise MissingDependencyError(
                f"pyfeat needs {error.name or 'py-feat'}; run: pip install videoannotator-pyfeat"
            ) from error
        self._torch, self._cut_out = torch, extract_face_square_pad_torch
        self._size, self._wider = CHIP_SIZE, EXPAND_BBOX
        self._device = torch.device(device)
        try:
            self._model: Any = MultitaskModel(device, weights_path=str(path), amp=False)
        except (RuntimeError, SafetensorError, json.JSONDecodeError, KeyError, TypeError, ValueError, OSError) as error:
            raise ModelError(f"{path} is no multitask network of this Py-Feat: {error}") from error
        self.units = tuple(name.lower() for name in self._model.au_names)
        self.emotions = tuple(name.lower() for name in self._model.emotion_names)
        self._workers = TorchWorkers("pyfeat", threads) if self._device.type == "cpu" else None

    def cut_out(self, picture: NDArray[np.uint8], boxes: NDArray[np.floating]) -> Any:
        """Faces as Py-Feat's ``Detectorv2`` cuts them out: a torch tensor, float32 (N, 3, 256, 256), 0..1.

        ``picture``: uint8 (H, W, 3), red first. ``boxes``: (N, 4), x1, y1, x2, y2. Squares around the boxes, a fifth
        wider, mirrored where they reach out of the picture.
        """
        torch = self._torch
        frame = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).to(self._device)[None] / 255.0
        at = torch.from_numpy(np.array(boxes, dtype=np.float32))
        none = torch.zeros(len(at), dtype=torch.long, device=self._device)
        faces, _ = self._cut_out(frame, at, face_size=self._size, expand_bbox=self._wider, frame_idx=none)
        return faces

    def read(self, pictures: NDArray[np.uint8], which: NDArray[np.integer], boxes: NDArray[np.floating]) -> Readings:
        """What it reads from N faces.

        ``pictures``: uint8 (P, H, W, 3), red first. ``which``: int (N,), ascending, the picture that shows each face.
        ``boxes``: (N, 4), x1, y1, x2, y2 in it.
        """
        outputs: list[Any] = []
        for first in range(0, len(boxes), _AT_ONCE):  # a crowd does not fill the memory with its faces
            part = slice(first, first + _AT_ONCE)
            cut = [self.cut_out(pictures[n], boxes[part][which[part] == n]) for n in np.unique(which[part])]
            outputs += self._computed(self._torch.cat(cut))
        return self._readings(outputs)

    def _computed(self, faces: Any) -> list[Any]:
        if self._workers is None:
            return [self._model(faces)]
        return list(self._workers.map(self._model, faces.split(1)))

    def _readings(self, outputs: list[Any]) -> Readings:
        def joined(name: str, width: int) -> NDArray[np.float32]:
            return np.concatenate([np.empty((0, width), np.float32), *(getattr(part, name) for part in outputs)])

        yaw, pitch = joined("gaze", 2).T  # radians, yaw to the person's own right, pitch down
        head = joined(
            "pose", 6
        ).T  # radians: pitch down, yaw to the person's own right, roll to the own left; then place
        affect = [np.stack([part.valence, part.arousal], axis=1) for part in outputs]
        return Readings(
            units=joined("au", len(self.units)),
            emotions=joined("emotion", len(self.emotions)),
            affect=np.concatenate([np.empty((0, 2), np.float32), *affect]),
            gaze=np.degrees(np.stack([-yaw, pitch], axis=1)),
            pose=np.degrees(np.stack([-head[1], head[0], -head[2]], axis=1)),
        )

    def close(self) -> None:
        """End its threads."""
        if self._workers is not None:
            self._workers.close()
