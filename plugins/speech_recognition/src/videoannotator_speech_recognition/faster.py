"""The engine faster-whisper: Whisper on CTranslate2. Imports no torch.

Everything it computes is computed by the package's public calls; it fetches nothing: a folder is given to it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from videoannotator.errors import ConfigError, DeviceError, MissingDependencyError, ModelError
from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.hearing import HOP, WINDOW, Decoded, Floats, Sampler, compression_ratio, padded
from videoannotator_speech_recognition.timing import Timing, Tokens

try:
    import ctranslate2
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import get_suppressed_tokens
except ImportError as error:
    raise MissingDependencyError(
        f"the engine faster-whisper cannot be imported ({error}); run: pip install faster-whisper, or choose the "
        "engine openai-whisper"
    ) from error

__all__ = ["FasterWhisper", "about", "computes_in", "load"]

_PRECISION = 0.02  # seconds of a timestamp token
_MOST = 448  # tokens of a text with its prompt
_seeding = threading.Lock()  # CTranslate2 has one seed for the whole process


def about() -> str:
    """The engine with its versions."""
    return f"faster-whisper {version('faster-whisper')} on CTranslate2 {version('ctranslate2')}"


def computes_in(device: str, dtypes: Sequence[str], *, fast: bool) -> str:
    """The number type for a device, as CTranslate2 names it. Raises `DeviceError` when it cannot use the device."""
    kind = device.partition(":")[0]
    if kind == "cuda" and not ctranslate2.get_cuda_device_count():
        raise DeviceError(
            f"CTranslate2 {version('ctranslate2')} finds no card of NVIDIA's, and {device} was asked for: run it with "
            "device cpu, or with the engine openai-whisper"
        )
    if not fast:
        return "float32"
    can = ctranslate2.get_supported_compute_types(kind)
    wanted = ("int8",) if kind == "cpu" else tuple(dtypes)
    return next((one for one in wanted if one in can), "float32")


def load(folder: Path, *, device: str, dtype: str, threads: int) -> WhisperModel:
    """A model from a folder as CTranslate2 saves it. Raises `ModelError` for one that is something else."""
    for name in ("model.bin", "config.json", "tokenizer.json"):
        if not (folder / name).is_file():  # without the last, the package would ask the hub
            raise ModelError(
                f"{folder} is no Whisper for CTranslate2: it has no {name}; fetch it again, or name OpenAI's .pt file"
            )
    kind, _, index = device.partition(":")
    try:
        model = WhisperModel(
            str(folder), device=kind, device_index=int(index or 0), compute_type=dtype, cpu_threads=threads
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"{folder} cannot be loaded by {about()} on {device}: {error}") from error
    except Exception as error:
        if type(error) is not Exception:  # what the package tokenizers raises for a file it cannot read
            raise
        raise ModelError(f"{folder / 'tokenizer.json'} is no tokenizer: {error}") from error
    return model


class FasterWhisper:
    """See `Engine`. ``folder``: the model's, from which it is loaded once more where numbers are drawn."""

    keeps_best = True

    def __init__(self, model: WhisperModel, folder: Path, config: SpeechRecognitionConfig, *, threads: int) -> None:
        self._model, self._folder, self._config, self._threads = model, folder, config, threads
        self.multilingual = bool(model.model.is_multilingual)
        self._tokenizers: dict[str, Any] = {}

    def mel(self, samples: Floats) -> Floats:
        """The spectrogram, float32 (mels, frames)."""
        spectrum: Floats = self._model.feature_extractor(samples)
        return spectrum[:, : samples.size // HOP]

    def beginning(self, samples: Floats) -> Floats:
        """The first window as the package hears it for the language: with the last frame, which is not whole."""
        spectrum: Floats = self._model.feature_extractor(samples)
        return padded(spectrum[:, :WINDOW])

    def tokenizer(self, language: str) -> Tokens:
        """The tokenizer for a language. Raises `ConfigError` for one that the weights do not know."""
        if language not in self._tokenizers:
            if self.multilingual and self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
                raise ConfigError(
                    f"{self._folder} knows no language {language!r}; take other weights, or leave it unset"
                )
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, self.multilingual, task=self._config.task, language=language
            )
        tokenizer: Tokens = self._tokenizers[language]
        return tokenizer

    def encode(self, windows: Sequence[Floats]) -> Any:
        """What the network hears in the windows."""
        return self._model.encode(np.stack(windows))

    def languages(self, encoded: Any) -> list[dict[str, float]]:
        """Probabilities of the languages in each window."""
        return [
            {token[2:-2]: float(probability) for token, probability in told}
            for told in self._model.model.detect_language(encoded)
        ]

    def decode(self, encoded: Any, contexts: Sequence[list[int]], languages: Sequence[str]) -> list[Decoded]:
        """The likeliest text of each window."""
        prompts = [self._prompt(c, language) for c, language in zip(contexts, languages, strict=True)]
        together = _alike([len(prompt) for prompt in prompts])  # CTranslate2 takes prompts of one length only
        answers: dict[int, Decoded] = {}
        for windows in together:
            part = encoded if len(windows) == len(prompts) else self._part(encoded, windows)
            said = self._generate(self._model.model, part, [prompts[i] for i in windows], languages[windows[0]], 0.0)
            answers |= dict(zip(windows, said, strict=True))
        return [answers[i] for i in range(len(prompts))]

    @contextmanager
    def sampler(self, encoded: Any, window: int, context: list[int], language: str) -> Iterator[Sampler]:
        """Decode one window at other temperatures.

        CTranslate2 seeds its random numbers when a thread of a model first draws one, and never again. So on a
        processor the model is loaded anew for every window that needs them: the numbers are the same whatever was
        heard before. On a card they are not repeatable.
        """
        part = self._part(encoded, [window])
        prompt = self._prompt(context, language)
        if self._model.model.device != "cpu":
            yield lambda t: self._generate(self._model.model, part, [prompt], language, t)[0]
            return
        with _seeding:
            fresh = ctranslate2.models.Whisper(
                str(self._folder), compute_type=self._model.model.compute_type, intra_threads=self._threads
            )

            def sample(temperature: float) -> Decoded:
                return self._generate(fresh, part, [prompt], language, temperature)[0]

            ctranslate2.set_random_seed(self._config.seed)
            yield sample

    def _part(self, encoded: Any, windows: Sequence[int]) -> Any:
        """Some windows of what was encoded together."""
        here = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.asarray(here)[list(windows)]))

    def _prompt(self, context: Sequence[int], language: str) -> list[int]:
        tokenizer: Any = self.tokenizer(language)
        before = [tokenizer.sot_prev, *context] if context else []
        return [*before, *tokenizer.sot_sequence]

    def _generate(
        self, model: Any, encoded: Any, prompts: list[list[int]], language: str, temperature: float
    ) -> list[Decoded]:
        config, tokenizer = self._config, self.tokenizer(language)
        penalty = 1.0 if config.length_penalty is None else config.length_penalty
        how: dict[str, Any] = {"beam_size": config.beam_size, "patience": config.patience}
        if temperature > 0:
            how = {"beam_size": 1, "num_hypotheses": config.best_of, "sampling_topk": 0}
            how["sampling_temperature"] = temperature
        suppressed = list(config.suppress_tokens)
        results = model.generate(
            encoded,
            prompts,
            length_penalty=penalty,
            repetition_penalty=config.repetition_penalty,
            no_repeat_ngram_size=config.no_repeat_ngram_size,
            max_length=_MOST,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=config.suppress_blank,
            suppress_tokens=get_suppressed_tokens(tokenizer, suppressed) if suppressed else [],
            max_initial_timestamp_index=round(config.max_initial_timestamp / _PRECISION),
            **how,
        )
        return [
            Decoded(
                tokens=tuple(result.sequences_ids[0]),
                # of the score that it was chosen by, which the penalty has divided
                avg_logprob=result.scores[0]
                * len(result.sequences_ids[0]) ** penalty
                / (len(result.sequences_ids[0]) + 1),
                no_speech_prob=result.no_speech_prob,
                temperature=temperature,
                compression_ratio=compression_ratio(tokenizer.decode(result.sequences_ids[0]).strip()),
            )
            for result in results
        ]

    def align(
        self, encoded: Any, languages: Sequence[str], tokens: Sequence[list[int]], frames: Sequence[int]
    ) -> list[list[Timing]]:
        """The words of each window with their times; none where there is no text, or less than a step of attention."""
        found: list[list[Timing]] = [[] for _ in tokens]
        can = [i for i in range(len(tokens)) if tokens[i] and frames[i] > 1]
        for group in _alike([languages[i] for i in can]):
            windows = [can[i] for i in group]
            part = encoded if len(windows) == len(tokens) else self._part(encoded, windows)
            told = self._model.find_alignment(
                self.tokenizer(languages[windows[0]]),
                [tokens[i] for i in windows],
                part,
                [frames[i] for i in windows],
            )
            for i, words in zip(windows, told, strict=True):
                found[i] = [
                    Timing(w["word"], list(w["tokens"]), float(w["start"]), float(w["end"]), float(w["probability"]))
                    for w in words
                ]
        return found


def _alike(keys: Sequence[Any]) -> list[list[int]]:
    """The numbers of those that have the same key, in order."""
    groups: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return list(groups.values())
