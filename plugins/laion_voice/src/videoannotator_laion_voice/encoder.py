"""Whisper's encoder, through transformers: from sound to what the heads take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from videoannotator.discover.workers import Workers
from videoannotator.errors import MissingDependencyError, ModelError
from videoannotator_laion_voice.config import RATE

try:
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder
    from transformers.utils import logging as hints
except ImportError as error:
    raise MissingDependencyError(
        f"laion_voice needs transformers 5, and {error.name or error} could not be imported; run: "
        "pip install videoannotator-laion-voice"
    ) from error

__all__ = ["Encoder", "Heard"]

_AHEAD = 2
"""Segments per worker that are begun before it is asked whether to go on."""


@contextmanager
def _quiet() -> Iterator[None]:
    """It tells of the decoder, which is not wanted, and shows a bar of its own."""
    level, bars = hints.get_verbosity(), hints.is_progress_bar_enabled()
    hints.set_verbosity_error()
    hints.disable_progress_bar()
    try:
        yield
    finally:
        hints.set_verbosity(level)
        if bars:
            hints.enable_progress_bar()


@attrs.frozen(eq=False)
class Heard:
    """What the encoder hears in N segments, float32, on its device.

    ``whole``: (N, positions * width), its output one position after the other. ``pooled``: (N, 4 * width), mean,
    minimum, maximum and standard deviation over the positions.
    """

    whole: torch.Tensor
    pooled: torch.Tensor

    def __len__(self) -> int:
        return len(self.whole)


class Encoder:
    """The encoder of a Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356) checkpoint.

    ``folder``: as transformers saves one and the hub has it: ``config.json``, ``preprocessor_config.json``,
    ``model.safetensors``; the decoder in it is not loaded. Nothing is fetched. ``width``: numbers at a position;
    ``positions``: of its output; ``seconds``: that it hears at a time. Raises `ModelError` for a folder that is
    something else.
    """

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        try:
            self._extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
            with _quiet():
                self._encoder, told = WhisperEncoder.from_pretrained(
                    folder,
                    local_files_only=True,
                    dtype=torch.float32,
                    use_safetensors=True,
                    output_loading_info=True,
                    key_mapping={r"^(model\.)?encoder\.": ""},  # the file holds the decoder, too
                )
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            raise ModelError(f"{folder} is no Whisper checkpoint as transformers saves it: {error}") from error
        lacks = [*told["missing_keys"], *told["mismatched_keys"]]
        if lacks:  # transformers would go on with random numbers
            raise ModelError(f"{folder} is no Whisper checkpoint: it lacks {len(lacks)} parameters, such as {lacks[0]}")
        config = self._encoder.config
        self._encoder = self._encoder.to(device).eval()
        self._device = device
        self.width, self.positions = int(config.d_model), int(config.max_source_positions)
        self.seconds = self._extractor.n_samples / RATE
        asked = (RATE, config.num_mel_bins, 2 * self.positions)
        given = (self._extractor.sampling_rate, self._extractor.feature_size, self._extractor.nb_max_frames)
        if given != asked:
            raise ModelError(
                f"{folder}: its preprocessor_config.json makes {given[2]} frames of {given[1]} bands at {given[0]} Hz, "
                f"and what is here takes {asked[2]} of {asked[1]} at {asked[0]} Hz; fetch it again"
            )

    def __call__(
        self,
        pieces: Sequence[NDArray[np.float32]],
        *,
        most: int = 1,
        alone: Workers | None = None,
        tell: Callable[[float], None] = lambda fraction: None,
    ) -> Heard:
        """What it hears in pieces of sound at 16 kHz, each no longer than `seconds`; behind it is silence.

        ``most``: pieces per pass. ``alone``: each is computed by itself instead, so that its numbers do not depend on
        what else is heard. ``tell``: is told how much is done, 0..1, and may raise.
        """
        whole = torch.empty(len(pieces), self.positions * self.width, device=self._device)
        pooled = torch.empty(len(pieces), 4 * self.width, device=self._device)

        def hear(portion: slice) -> None:
            mel = self._extractor(list(pieces[portion]), sampling_rate=RATE, return_tensors="pt")["input_features"]
            with torch.inference_mode():
                heard = self._encoder(mel.to(self._device)).last_hidden_state
                whole[portion] = heard.flatten(1)
                pooled[portion] = _pooled(heard)

        step = max(1, most) if alone is None else _AHEAD * alone.count
        for start in range(0, len(pieces), step):
            stop = min(start + step, len(pieces))
            if alone is None:
                hear(slice(start, stop))
            else:
                list(alone.map(hear, [slice(number, number + 1) for number in range(start, stop)]))
            tell(stop / len(pieces))
        return Heard(whole, pooled)


def _pooled(heard: torch.Tensor) -> torch.Tensor:
    """(N, positions, width) to (N, 4 * width), as the four heads of Empathic-Insight-Voice-Plus take it."""
    return torch.cat([heard.mean(1), heard.amin(1), heard.amax(1), heard.std(1)], dim=1)
