"""Faces as vectors: the nearer in angle, the more likely the same person. SFace and ArcFace-class networks.

SFace: Zhong et al., *SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition*, IEEE TIP 30, 2021,
https://arxiv.org/abs/2205.12010. ArcFace: Deng et al. 2019, https://arxiv.org/abs/1801.07698.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.onnx import opened
from videoannotator.errors import ModelError
from videoannotator_face_analysis.cropping import TEMPLATE_SIZE
from videoannotator_face_analysis.sessions import read, signature

__all__ = ["Embedder", "units"]

_FIRST = 8  # nodes of a network that may be its own normalisation: insightface's arcface_onnx.py


def units(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors (N, D) made one long: float64; those of length 0 stay as they are."""
    wide = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length > 0, length, 1)


class Embedder:
    """A network that takes an aligned face and gives a vector.

    Pictures go in red first, as 0..255 where the network begins by subtracting and multiplying (SFace, ArcFace from
    MXNet), else as -1..1 (ArcFace from PyTorch): insightface's own rule for its files, and OpenCV's for SFace.

    ``path``: the .onnx file. ``device``, ``threads``: as for `CenterFace`. Raises `ModelError` for a file with other
    inputs or outputs.
    """

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        model = read(path)
        given = signature(model)
        takes, gives = list(given.inputs.items()), list(given.outputs.items())
        fits = (
            len(takes) == len(gives) == 1
            and len(takes[0][1]) == 4
            and all(
                got in (0, want) for got, want in zip(takes[0][1][1:], (3, TEMPLATE_SIZE, TEMPLATE_SIZE), strict=True)
            )
            and len(gives[0][1]) == 2
        )
        if not fits:
            raise ModelError(
                f"{path} does not make vectors of faces: it takes {given.inputs} and gives {given.outputs}; wanted is "
                f"one input (N, 3, {TEMPLATE_SIZE}, {TEMPLATE_SIZE}) and one output (N, length)"
            )
        (self._input, lengths), (self._output, _) = takes[0], gives[0]
        kinds = {
            word for node in model.graph.node[:_FIRST] for word in (node.op_type, node.name.lstrip("_")[:3].title())
        }
        self._raw = bool({"Sub", "Min"} & kinds) and "Mul" in kinds
        # on the processor face by face: no vector depends on which others were embedded with it
        self._together = device != "cpu" and lengths[0] == 0
        self._session = opened(path, device=device, threads=threads)

    def __call__(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors, as the network gives them: float32 (N, D). ``faces``: uint8 (N, 112, 112, 3), red first."""
        batch = faces.transpose(0, 3, 1, 2).astype(np.float32)
        if not self._raw:
            batch = (batch - np.float32(127.5)) / np.float32(127.5)
        parts = [batch] if self._together else [batch[n : n + 1] for n in range(len(batch))]
        vectors = [self._session.run([self._output], {self._input: part})[0] for part in parts]
        return np.concatenate(vectors).astype(np.float32)
