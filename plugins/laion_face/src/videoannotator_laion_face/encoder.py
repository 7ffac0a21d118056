"""SigLIP 2's picture tower, through transformers: from pictures of faces to embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from videoannotator.discover.workers import Workers, in_portions
from videoannotator.errors import MissingDependencyError, ModelError

try:
    from PIL import Image
    from transformers import SiglipVisionModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil as Processor
    from transformers.utils import logging as hints
except ImportError as error:
    raise MissingDependencyError(
        f"laion_face needs transformers 5 with pillow, and {error.name or error} could not be imported; run: "
        "pip install videoannotator-laion-face"
    ) from error

__all__ = ["Encoder", "portrait"]


@contextmanager
def _quiet() -> Iterator[None]:
    """It tells of the text tower, which is not wanted, and shows a bar of its own."""
    level, bars = hints.get_verbosity(), hints.is_progress_bar_enabled()
    hints.set_verbosity_error()
    hints.disable_progress_bar()
    try:
        yield
    finally:
        hints.set_verbosity(level)
        if bars:
            hints.enable_progress_bar()


class Encoder:
    """The picture tower of a SigLIP or SigLIP 2 (Tschannen et al. 2025, https://arxiv.org/abs/2502.14786) checkpoint.

    ``folder``: as transformers saves one and the hub has it: ``config.json``, ``preprocessor_config.json``,
    ``model.safetensors``; the text tower in it is not loaded. Nothing is fetched. ``width``: numbers in an embedding.
    Raises `ModelError` for a folder that is something else.
    """

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        try:
            self._processor = Processor.from_pretrained(folder, local_files_only=True)
            with _quiet():
                self._tower, told = SiglipVisionModel.from_pretrained(
                    folder, local_files_only=True, dtype=torch.float32, use_safetensors=True, output_loading_info=True
                )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            raise ModelError(f"{folder} is no SigLIP checkpoint as transformers saves it: {error}") from error
        lacks = [*told["missing_keys"], *told["mismatched_keys"]]
        if lacks:  # transformers would go on with random numbers
            raise ModelError(f"{folder} is no SigLIP checkpoint: it lacks {len(lacks)} parameters, such as {lacks[0]}")
        self._tower = self._tower.to(device).eval()
        self._device = device
        self.width = int(self._tower.config.hidden_size)

    def __call__(
        self, faces: Sequence[NDArray[np.uint8]], *, most: int = 1, alone: Workers | None = None
    ) -> torch.Tensor:
        """The embeddings of pictures, float32 (N, width), on the device: what ``get_image_features`` gives.

        ``faces``: uint8 (height, width, 3), red first, of any size; they are resized, rescaled and normalised as the
        checkpoint's ``preprocessor_config.json`` says. ``most``: pictures per pass. ``alone``: each is computed by
        itself instead, so that its numbers do not depend on who else is looked at.
        """

        def seen(portion: slice) -> torch.Tensor:
            pictures: list[Any] = [Image.fromarray(face) for face in faces[portion]]
            pixels = self._processor(images=pictures, return_tensors="pt")["pixel_values"].to(self._device)
            with torch.inference_mode():
                embeddings: torch.Tensor = self._tower(pixel_values=pixels).pooler_output
            return embeddings

        parts = in_portions(alone, seen, len(faces), most)
        return torch.cat(parts) if parts else torch.empty(0, self.width, device=self._device)


def portrait(picture: NDArray[np.uint8], box: NDArray[np.floating], margin: float) -> NDArray[np.uint8] | None:
    """The square around a face, with ``margin`` sides of it more on each side.

    ``picture``: (height, width, 3). ``box``: x1, y1, x2, y2 in its pixels; None when less than one of them lies in it.
    Where the square reaches beyond the picture, the pixels at the border are repeated: the face keeps its proportions.
    """
    height, width = picture.shape[:2]
    inside = np.clip(box, 0, [width, height, width, height])
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        return None
    half = max(box[2] - box[0], box[3] - box[1]) * (0.5 + margin)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    side = max(1, round(2 * half))
    left, top = round(x - half), round(y - half)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    square: NDArray[np.uint8] = picture[rows[:, None], columns]
    return square
