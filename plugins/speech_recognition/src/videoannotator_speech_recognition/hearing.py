"""Whisper's loop over a stretch of sound, window by window, for several stretches at once.

It is the loop of ``whisper.transcribe`` and of ``faster_whisper.WhisperModel.transcribe``, which hear one sound alone,
drop what they take for silence, and cannot be interrupted. Each stretch is heard as if it were a file of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.gating import RATE, Stretch, Voice
from videoannotator_speech_recognition.timing import FRAMES, Part, Timing, Tokens, place_words, split

__all__ = [
    "HOP",
    "WINDOW",
    "Decoded",
    "Engine",
    "Hearing",
    "Listener",
    "Sampler",
    "Utterances",
    "compression_ratio",
    "language_of",
    "padded",
]

Floats: TypeAlias = NDArray[np.float32]

WINDOW = 3000
"""Frames that the network hears at a time: 30 s."""
HOP = 160
"""Samples of a frame."""
PROMPT = 223
"""Tokens of a prompt, at most: half of the network's context, less one."""
_RESET_ABOVE = 0.5  # temperature of a text that is no prompt for the next, as in both packages


@attrs.frozen
class Decoded:
    """What the network says of a window. ``avg_logprob``: mean log probability of the tokens."""

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    compression_ratio: float


@attrs.frozen
class Utterances:
    """Utterances of one window, times in the stretch. ``language``: Whisper's code. ``texts``: one for each part."""

    decoded: Decoded
    language: str
    parts: tuple[Part, ...]
    texts: tuple[str, ...]


class Sampler(Protocol):
    """Decodes one window again, at another temperature; the same numbers whenever it is done again."""

    def __call__(self, temperature: float) -> Decoded: ...


class Engine(Protocol):
    """What an engine computes. ``keeps_best``: when no temperature passes, the likeliest text is taken, else the last.

    ``multilingual``: whether the weights know languages. ``encoded``: what `encode` gave; windows are named by number.
    ``contexts``: tokens that precede the speech.
    """

    keeps_best: bool
    multilingual: bool

    def mel(self, samples: Floats) -> Floats: ...

    def beginning(self, samples: Floats) -> Floats: ...

    def tokenizer(self, language: str) -> Tokens: ...

    def encode(self, windows: Sequence[Floats]) -> Any: ...

    def languages(self, encoded: Any) -> list[dict[str, float]]: ...

    def decode(self, encoded: Any, contexts: Sequence[list[int]], languages: Sequence[str]) -> list[Decoded]: ...

    def sampler(
        self, encoded: Any, window: int, context: list[int], language: str
    ) -> AbstractContextManager[Sampler]: ...

    def align(
        self, encoded: Any, languages: Sequence[str], tokens: Sequence[list[int]], frames: Sequence[int]
    ) -> list[list[Timing]]: ...


def compression_ratio(text: str) -> float:
    """How many times shorter zlib makes it, as both packages measure it."""
    plain = text.encode("utf-8")
    return len(plain) / len(zlib.compress(plain))


def language_of(engine: Engine, sounds: Sequence[Floats]) -> tuple[str, float]:
    """The language of the first 30 s of each sound, and its probability: the mean over the sounds."""
    total: dict[str, float] = {}
    for sound in sounds:
        for code, probability in engine.languages(engine.encode([engine.beginning(sound)]))[0].items():
            total[code] = total.get(code, 0.0) + probability / len(sounds)
    best = max(total, key=lambda code: total[code])
    return best, min(1.0, total[best])


def padded(mel: Floats) -> Floats:
    return np.pad(mel, ((0, 0), (0, WINDOW - mel.shape[1])))


@attrs.define
class Hearing:
    """How far a stretch is heard. ``tokens``: said so far, with the prompt; ``fresh``: from where on they prompt."""

    stretch: Stretch
    mel: Floats
    frames: int
    language: str | None
    tokens: list[int]
    fresh: int = 0
    seek: int = 0
    last_speech: float = 0.0
    found: list[Utterances] = attrs.field(factory=list)

    @classmethod
    def of(
        cls, engine: Engine, stretch: Stretch, samples: Floats, *, language: str | None, prompt: Sequence[int]
    ) -> Hearing:
        """Before the first window. ``language``: None to detect it in every window. ``prompt``: tokens said before."""
        sound = stretch.of(samples)
        frames = sound.size // HOP
        mel = engine.mel(sound) if frames else np.empty((1, 0), dtype=np.float32)
        return cls(stretch, mel, frames, language, list(prompt))

    @property
    def size(self) -> int:
        """Frames of the next window; 0 when everything is heard."""
        return max(0, min(WINDOW, self.frames - self.seek))

    @property
    def prompt(self) -> list[int]:
        """Tokens that precede the next window."""
        return self.tokens[self.fresh :]

    def window(self) -> Floats:
        """The spectrogram of the next window, filled up to 30 s."""
        return padded(self.mel[:, self.seek : self.seek + self.size])


@attrs.frozen
class Listener:
    """Hears stretches with an engine under some settings. ``voice``: where somebody speaks."""

    engine: Engine
    config: SpeechRecognitionConfig
    voice: Voice

    def step(self, hearings: Sequence[Hearing]) -> None:
        """Hear the next window of each."""
        engine = self.engine
        encoded = engine.encode([hearing.window() for hearing in hearings])
        languages = self._languages(hearings, encoded)
        tokenizers = [engine.tokenizer(language) for language in languages]
        contexts = [self._context(h, t) for h, t in zip(hearings, tokenizers, strict=True)]
        answers = self._decoded(encoded, contexts, languages)
        splits = [
            split(answer.tokens, t.timestamp_begin, seek=h.seek, size=h.size, offset=h.seek / FRAMES)
            for h, t, (answer, _) in zip(hearings, tokenizers, answers, strict=True)
        ]
        spoken = [
            [token for part in parts for token in part.tokens if token < t.eot]
            for t, (parts, _, _) in zip(tokenizers, splits, strict=True)
        ]
        timings = engine.align(encoded, languages, spoken, [hearing.size for hearing in hearings])
        for i, hearing in enumerate(hearings):
            parts, seek, single = splits[i]
            place_words(
                parts,
                timings[i],
                offset=hearing.seek / FRAMES,
                eot=tokenizers[i].eot,
                last_speech=hearing.last_speech,
                config=self.config,
            )
            self._go_on(hearing, parts, seek, single=single)
            self._keep(hearing, parts, answers[i], languages[i], tokenizers[i])

    def _languages(self, hearings: Sequence[Hearing], encoded: Any) -> list[str]:
        if all(hearing.language is not None for hearing in hearings):
            return [hearing.language or "en" for hearing in hearings]
        told = self.engine.languages(encoded)
        return [h.language or max(t, key=lambda c: t[c]) for h, t in zip(hearings, told, strict=True)]

    def _context(self, hearing: Hearing, tokenizer: Tokens) -> list[int]:
        """Hot words and what was said before, as far as there is room."""
        hot = tokenizer.encode(" " + self.config.hotwords.strip())[:PROMPT] if self.config.hotwords else []
        left = PROMPT - len(hot)
        return hot + (hearing.prompt[-left:] if left else [])

    def _decoded(
        self, encoded: Any, contexts: Sequence[list[int]], languages: Sequence[str]
    ) -> list[tuple[Decoded, float]]:
        """The text of every window, and the last temperature that was tried for it."""
        first, *rest = self.config.temperature
        answers: list[list[Decoded]] = [[] for _ in contexts]
        if first == 0:
            answers = [[answer] for answer in self.engine.decode(encoded, contexts, languages)]
        else:
            rest = list(self.config.temperature)
        chosen = []
        for i, tried in enumerate(answers):
            if rest and (not tried or self._unsatisfying(tried[-1])):
                with self.engine.sampler(encoded, i, contexts[i], languages[i]) as sample:
                    for temperature in rest:
                        tried.append(sample(temperature))
                        if not self._unsatisfying(tried[-1]):
                            break
            chosen.append((self._chosen(tried), tried[-1].temperature))
        return chosen

    def _unsatisfying(self, decoded: Decoded) -> bool:
        """Whether the next temperature is to be tried."""
        config = self.config
        unlikely = config.logprob_threshold is not None and decoded.avg_logprob < config.logprob_threshold
        silence = config.no_speech_threshold is not None and decoded.no_speech_prob > config.no_speech_threshold
        if unlikely and silence:
            return False
        limit = config.compression_ratio_threshold
        return unlikely or (limit is not None and decoded.compression_ratio > limit)

    def _chosen(self, tried: Sequence[Decoded]) -> Decoded:
        if not self._unsatisfying(tried[-1]) or not self.engine.keeps_best:
            return tried[-1]
        limit = self.config.compression_ratio_threshold
        varied = [] if limit is None else [one for one in tried if one.compression_ratio <= limit]
        return max(varied or tried, key=lambda one: one.avg_logprob)

    def _go_on(self, hearing: Hearing, parts: Sequence[Part], seek: int, *, single: bool) -> None:
        """Move to the next window."""
        begin, size = hearing.seek, hearing.size
        end = next((w.end for p in reversed(parts) for w in reversed(p.words)), parts[-1].end if parts else None)
        if end is not None:
            hearing.last_speech = end
            if not single and end > begin / FRAMES:
                seek = round(end * FRAMES)
        hearing.seek = seek if seek > begin else begin + size
        if hearing.stretch.gated and hearing.size and not self._voiced(hearing):
            hearing.seek = hearing.frames

    def _voiced(self, hearing: Hearing) -> bool:
        """Whether somebody speaks in what is left of a stretch."""
        rest = hearing.stretch.rest(hearing.seek * HOP / RATE)
        return any(self.voice.most(start, end) >= self.config.vad_threshold for start, end in rest)

    def _keep(
        self, hearing: Hearing, parts: Sequence[Part], answer: tuple[Decoded, float], language: str, tokenizer: Tokens
    ) -> None:
        decoded, temperature = answer
        texts = [tokenizer.decode([token for token in part.tokens if token < tokenizer.eot]) for part in parts]
        kept = [(part, text) for part, text in zip(parts, texts, strict=True) if text.strip()]
        if kept:
            hearing.found.append(
                Utterances(decoded, language, tuple(part for part, _ in kept), tuple(text for _, text in kept))
            )
        hearing.tokens += [token for part, _ in kept if part.start != part.end for token in part.tokens]
        if not self.config.condition_on_previous_text or temperature > _RESET_ABOVE:
            hearing.fresh = len(hearing.tokens)
