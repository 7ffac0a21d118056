"""The pipeline ``speech_recognition``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Pipeline, Table, Utterance
from videoannotator.discover.models import ModelFile, cache_folder
from videoannotator.errors import ConfigError, DataError
from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.gating import RATE, Stretch, Voice, heard, stretches
from videoannotator_speech_recognition.hearing import Engine, Hearing, Listener, language_of
from videoannotator_speech_recognition.models import declared, size_of
from videoannotator_speech_recognition.placing import rows
from videoannotator_voice_activity.network import SileroNetwork, read_weights

__all__ = ["SpeechRecognition"]

_LISTENED = 0.05
"""How much of the progress finding the speech is."""
_KEPT = 223
"""Tokens of a prompt that count, at most."""


class SpeechRecognition(Pipeline[SpeechRecognitionConfig]):
    """What is said, utterance by utterance, with the words, their times and scores.

    ``Utterance.score``: mean of its words' scores. ``language``: of the text, so ``en`` of a translation.
    ``avg_logprob``, ``no_speech_prob``, ``compression_ratio``, ``temperature``: of the window of 30 s that it was
    heard in. ``suspected``: see `videoannotator_speech_recognition.placing.suspected`. The texts of the words come in
    the text of the utterance in their order.

    Source: Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision*, 2022
    (https://arxiv.org/abs/2212.04356).
    """

    _engine: Engine
    _voice_weights: Mapping[str, NDArray[np.float32]]

    def setup(self) -> None:
        """Load the models, or take those that are loaded."""
        context, config = self.context, self.config
        self._voice_weights = context.load(config.vad_weights, lambda file: read_weights(file.path), concurrent=True)
        self._engine = self._faster() if config.chosen == "faster-whisper" else self._reference()
        if not self._engine.multilingual:
            self._check_english()
        elif config.language is not None:
            self._engine.tokenizer(config.language)
        self.begin()

    def _faster(self) -> Engine:
        from videoannotator_speech_recognition import faster

        context, config = self.context, self.config
        fast = context.precision == "fast"
        dtype = context.dtype = faster.computes_in(context.device, context.dtypes, fast=fast)
        threads, device = context.threads, context.device
        folder = self._folder(context.model(config.model))
        model = context.load(
            config.model,
            lambda _: faster.load(folder, device=device, dtype=dtype, threads=threads),
            variant=("faster-whisper", threads),
            concurrent=True,
        )
        context.notice(f"{faster.about()}, {model.model.compute_type}")
        return faster.FasterWhisper(model, folder, config, threads=threads)

    def _folder(self, file: ModelFile) -> Path:
        """The folder for CTranslate2, converted from what is given when it is none."""
        if file.path.is_dir() and (file.path / "model.bin").is_file():
            return file.path
        from videoannotator_speech_recognition.converting import converted

        self.context.notice(f"{file.name} was converted to CTranslate2, float32")
        return converted(file.path, cache_folder() / "converted" / f"{file.sha256}-float32")

    def _reference(self) -> Engine:
        from videoannotator_speech_recognition import reference

        context, config = self.context, self.config
        half = context.precision == "fast" and context.device.startswith("cuda")
        context.dtype = "float16" if half else "float32"
        device = context.device
        sizes = {spec.sha256: size_of(spec.name)[1] for spec in declared() if spec.name.startswith("openai-whisper-")}
        model = context.load(
            config.model,
            lambda file: reference.load(file.path, device=device, size=sizes.get(file.sha256)),
            variant="openai-whisper",
        )
        context.notice(f"{reference.about()}, {context.dtype}")
        return reference.OpenAiWhisper(model, config, half=half)

    def _check_english(self) -> None:
        config = self.config
        if config.task == "translate" or config.multilingual or config.language not in (None, "en"):
            raise ConfigError(
                f"{config.weights} know only English: leave task, language and multilingual of speech_recognition as "
                "they are, or take other weights"
            )

    def begin(self) -> None:
        """What was said before the stretch says nothing about it."""
        self._done = 0  # stretches of speech
        self._language: str | None = None  # that was detected
        self._said: tuple[int, ...] | None = None  # tokens that prompt what follows; None before the first

    def state(self) -> tuple[int, str | None, tuple[int, ...] | None]:
        """How many stretches of speech are done, the language that was detected, and what prompts the next."""
        return self._done, self._language, self._said

    def restore(self, state: tuple[int, str | None, tuple[int, ...] | None]) -> None:
        """Go on behind them."""
        self._done, self._language, self._said = state

    def finish(self) -> Iterator[Table[Utterance]]:
        """The utterances, stretch by stretch of speech: several are heard at once, unless each prompts the next."""
        audio = self.context.audio
        if audio.rate != RATE:
            raise DataError(f"speech_recognition needs sound at {RATE} Hz, got {audio.rate} Hz")
        network = SileroNetwork(self._voice_weights)
        voice = heard(network, audio.samples, lambda part: self.context.progress(part * _LISTENED))
        parts = stretches(voice, audio.samples, self.config)
        at_once = 1 if self.config.condition_on_previous_text else max(1, self.context.batch)
        while self._done < len(parts):
            together = parts[self._done : self._done + at_once]
            table = self._table(together, parts, voice)
            self._done += len(together)
            self.context.progress(_LISTENED + (1 - _LISTENED) * self._done / len(parts))
            yield table

    def _table(self, together: Sequence[Stretch], parts: Sequence[Stretch], voice: Voice) -> Table[Utterance]:
        """The utterances of stretches that are heard at once."""
        audio = self.context.audio
        language = self._spoken(parts)
        prompt = self._prompt(language)
        hearings = [
            Hearing.of(self._engine, stretch, audio.samples, language=language, prompt=prompt) for stretch in together
        ]
        listener = Listener(self._engine, self.config, voice)
        behind, total = self._done / len(parts), sum(hearing.frames for hearing in hearings)
        while open_ := [hearing for hearing in hearings if hearing.size]:
            listener.step(open_)
            here = sum(min(h.seek, h.frames) for h in hearings) / max(1, total) * len(together) / len(parts)
            self.context.progress(_LISTENED + (1 - _LISTENED) * min(1.0, behind + here))
        if self.config.condition_on_previous_text:
            self._said = tuple(hearings[-1].prompt[-_KEPT:])
        multilingual = self._engine.multilingual
        found = [
            row
            for hearing in hearings
            for row in rows(hearing.found, hearing.stretch, audio, voice, self.config, multilingual=multilingual)
        ]
        return Table.from_rows(Utterance, found)

    def _spoken(self, parts: Sequence[Stretch]) -> str | None:
        """The language of the file; None where it is detected for every window."""
        if self.config.language is not None:
            return self.config.language
        if not self._engine.multilingual:
            return "en"
        if self.config.multilingual:
            return None
        if self._language is None:
            first = [part for part in parts if len(part) >= RATE // 10][: self.config.language_detection_segments]
            samples = self.context.audio.samples
            sounds = [part.of(samples)[: 30 * RATE] for part in first or parts[:1]]
            self._language, probability = language_of(self._engine, sounds)
            self.context.notice(f"language {self._language}, detected with a probability of {probability:.2f}")
        return self._language

    def _prompt(self, language: str | None) -> Sequence[int]:
        """Tokens that precede a stretch."""
        if self._said is not None:
            return self._said
        if self.config.initial_prompt is None:
            return ()
        tokens: Any = self._engine.tokenizer(language or "en")
        encoded: Sequence[int] = tokens.encode(" " + self.config.initial_prompt.strip())
        return encoded

    def close(self) -> None:
        """Let go of the models."""
        for name in ("_engine", "_voice_weights"):
            self.__dict__.pop(name, None)
