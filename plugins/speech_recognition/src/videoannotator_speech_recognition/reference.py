"""The engine openai-whisper: Whisper as OpenAI published it, in torch. The reference; slower.

Everything it computes is computed by the package's public calls. They hang hooks on the model while they compute, so
one window is computed after the other.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from videoannotator.errors import ConfigError, MissingDependencyError, ModelError
from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.hearing import HOP, WINDOW, Decoded, Floats, Sampler
from videoannotator_speech_recognition.timing import Timing, Tokens

try:
    import torch
    import whisper
    from whisper.audio import N_SAMPLES
    from whisper.decoding import DecodingOptions, DecodingResult
    from whisper.timing import find_alignment
    from whisper.tokenizer import LANGUAGES, get_tokenizer
except ImportError as error:
    raise MissingDependencyError(
        f"the engine openai-whisper cannot be imported ({error}); run: pip install "
        '"videoannotator-speech-recognition[openai]", or choose the engine faster-whisper'
    ) from error

__all__ = ["OpenAiWhisper", "about", "load"]

_UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)


def about() -> str:
    """The engine with its versions."""
    return f"openai-whisper {version('openai-whisper')} on torch {version('torch')}"


def load(file: Path, *, device: str, size: str | None) -> Any:
    """A model from OpenAI's ``.pt`` file. ``size``: whose heads tell of time; None for weights that are none of theirs.

    Raises `ModelError` for a file that is something else.
    """
    if file.is_dir():
        raise ModelError(
            f"{file} is a folder: openai-whisper reads OpenAI's .pt files; choose the engine faster-whisper"
        )
    try:
        model = whisper.load_model(str(file), device=device)  # torch.load(weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(f"{file} is no Whisper of OpenAI's, a .pt file with 'dims' and weights: {error}") from error
    if size is not None:  # load_model knows them for names only
        model.set_alignment_heads(whisper._ALIGNMENT_HEADS[size])
    return model


class OpenAiWhisper:
    """See `Engine`. ``half``: compute in 16 bits."""

    keeps_best = False

    def __init__(self, model: Any, config: SpeechRecognitionConfig, *, half: bool) -> None:
        self._model, self._config, self._half = model, config, half
        self.multilingual = bool(model.is_multilingual)

    def mel(self, samples: Floats) -> Floats:
        """The spectrogram, float32 (mels, frames)."""
        return self._spectrum(samples)[:, : samples.size // HOP]

    def beginning(self, samples: Floats) -> Floats:
        """The first window as the package hears it for the language: filled up with silence."""
        return self._spectrum(samples)[:, :WINDOW]

    def _spectrum(self, samples: Floats) -> Floats:
        mel: Floats = whisper.log_mel_spectrogram(samples, self._model.dims.n_mels, padding=N_SAMPLES).numpy()
        return mel

    def tokenizer(self, language: str) -> Tokens:
        """The tokenizer for a language. Raises `ConfigError` for one that the weights do not know."""
        languages = self._model.num_languages
        if self.multilingual and language not in tuple(LANGUAGES)[:languages]:
            raise ConfigError(f"these weights know no language {language!r}; take others, or leave it unset")
        tokenizer: Tokens = get_tokenizer(
            self.multilingual, num_languages=languages, language=language, task=self._config.task
        )
        return tokenizer

    def encode(self, windows: Sequence[Floats]) -> Any:
        """The spectrograms, and what the network hears in each."""
        dtype = torch.float16 if self._half else torch.float32
        mels = [torch.from_numpy(np.ascontiguousarray(window)).to(self._model.device, dtype) for window in windows]
        with torch.no_grad():
            return [(mel, self._model.encoder(mel[None])[0]) for mel in mels]

    def languages(self, encoded: Any) -> list[dict[str, float]]:
        """Probabilities of the languages in each window."""
        return [self._model.detect_language(features)[1] for _, features in encoded]

    def decode(self, encoded: Any, contexts: Sequence[list[int]], languages: Sequence[str]) -> list[Decoded]:
        """The likeliest text of each window."""
        pairs = zip(encoded, contexts, languages, strict=True)
        return [self._decode(features, context, language, 0.0) for (_, features), context, language in pairs]

    @contextmanager
    def sampler(self, encoded: Any, window: int, context: list[int], language: str) -> Iterator[Sampler]:
        """Decode one window at other temperatures. What others draw from torch's random numbers is left as it was."""
        _, features = encoded[window]

        def sample(temperature: float) -> Decoded:
            return self._decode(features, context, language, temperature)

        cards = [features.device] if features.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cards):
            torch.manual_seed(self._config.seed)
            yield sample

    def _decode(self, features: Any, context: list[int], language: str, temperature: float) -> Decoded:
        config = self._config
        how: dict[str, Any] = {"best_of": config.best_of}
        if temperature == 0:
            how = {} if config.beam_size == 1 else {"beam_size": config.beam_size, "patience": config.patience}
        result: DecodingResult = self._model.decode(
            features,
            DecodingOptions(
                task=config.task,
                language=language if self.multilingual else "en",
                temperature=temperature,
                length_penalty=config.length_penalty,
                prompt=context or None,
                suppress_tokens=list(config.suppress_tokens),
                suppress_blank=config.suppress_blank,
                max_initial_timestamp=max(config.max_initial_timestamp, 1e-9),  # 0 would mean any
                fp16=self._half,
                **how,
            ),
        )
        return Decoded(
            tokens=tuple(result.tokens),
            avg_logprob=result.avg_logprob,
            no_speech_prob=result.no_speech_prob,
            temperature=temperature,
            compression_ratio=result.compression_ratio,
        )

    def align(
        self, encoded: Any, languages: Sequence[str], tokens: Sequence[list[int]], frames: Sequence[int]
    ) -> list[list[Timing]]:
        """The words of each window with their times; none where there is no text, or less than a step of attention."""
        found = []
        for (mel, _), language, said, size in zip(encoded, languages, tokens, frames, strict=True):
            words: Sequence[Any] = ()
            if said and size > 1:
                with warnings.catch_warnings():  # of kernels that are missing: it goes on with slower ones
                    warnings.filterwarnings("ignore", message="Failed to launch Triton kernels")
                    words = find_alignment(self._model, self.tokenizer(language), list(said), mel, size)
            found.append(
                [Timing(w.word, list(w.tokens), float(w.start), float(w.end), float(w.probability)) for w in words]
            )
        return found
