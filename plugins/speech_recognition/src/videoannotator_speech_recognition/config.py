"""The settings of ``speech_recognition``. Importing this module imports no engine."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal

import attrs

from videoannotator import Range, Unit
from videoannotator.errors import ConfigError, nearest
from videoannotator_speech_recognition.languages import LANGUAGES
from videoannotator_speech_recognition.models import (
    ENGLISH_ONLY,
    SIZES,
    VOICE,
    Engine,
    name_of,
    not_for_translation,
    size_of,
)

__all__ = ["SpeechRecognitionConfig", "installed"]

Count = Annotated[int, Range(ge=1)]
Probability = Annotated[float, Range(ge=0, le=1)]
Duration = Annotated[float, Range(ge=0), Unit("s")]


def installed(engine: Engine) -> bool:
    """Whether the package of an engine is installed; it is not imported."""
    try:
        distribution(engine)
    except PackageNotFoundError:
        return False
    return True


@attrs.frozen(kw_only=True)
class SpeechRecognitionConfig:
    """Names and defaults are Whisper's (its ``transcribe`` and command), of voice activity silero-vad's in seconds."""

    weights: str = attrs.field(
        default="base",
        metadata={
            "help": "a size (tiny, base, small, medium, large-v3, turbo, with .en for English only, distil-large-v3.5, "
            "...), a declared model's name, or a path: OpenAI's .pt file, a CTranslate2 or a Hugging Face folder"
        },
    )
    engine: Literal["auto", "faster-whisper", "openai-whisper"] = attrs.field(
        default="auto", metadata={"help": "what computes; auto: faster-whisper where it is installed"}
    )
    task: Literal["transcribe", "translate"] = attrs.field(
        default="transcribe", metadata={"help": "write what is said in its language, or translate it into English"}
    )
    language: str | None = attrs.field(
        default=None,
        metadata={"help": "Whisper's code of the language that is spoken (en, de, ja, ...); unset: detected"},
    )
    multilingual: bool = attrs.field(
        default=False, metadata={"help": "detect the language anew for every window, for speech that changes it"}
    )
    language_detection_segments: Count = attrs.field(
        default=1,
        metadata={"help": "in how many stretches of speech, from the first on, to listen for the language of the file"},
    )
    beam_size: Count = attrs.field(
        default=5, metadata={"help": "beams at temperature 0; 1: the likeliest token always"}
    )
    best_of: Count = attrs.field(default=5, metadata={"help": "samples to choose from at temperatures above 0"})
    patience: Annotated[float, Range(gt=0)] = attrs.field(
        default=1.0, metadata={"help": "the beam search goes on until beam_size times this texts are complete"}
    )
    length_penalty: Annotated[float, Range(ge=0)] | None = attrs.field(
        default=None,
        metadata={
            "help": "exponent of a text's length by which its log probability is divided (faster-whisper), or alpha of "
            "Wu et al. 2016, at most 1 (openai-whisper); unset: the mean per token"
        },
    )
    repetition_penalty: Annotated[float, Range(gt=0)] = attrs.field(
        default=1.0, metadata={"help": "above 1: tokens that were said become less likely; faster-whisper only"}
    )
    no_repeat_ngram_size: Annotated[int, Range(ge=0)] = attrs.field(
        default=0, metadata={"help": "no sequence of so many tokens comes twice; 0: any may; faster-whisper only"}
    )
    temperature: Annotated[tuple[float, ...], Range(ge=0, le=1)] = attrs.field(
        default=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        metadata={"help": "temperatures, one after the other until a text passes the thresholds below"},
    )
    compression_ratio_threshold: Annotated[float, Range(gt=0)] | None = attrs.field(
        default=2.4,
        metadata={"help": "a text that compresses better repeats itself: the next temperature; unset: never"},
    )
    logprob_threshold: Annotated[float, Range(le=0)] | None = attrs.field(
        default=-1.0, metadata={"help": "mean log probability below which the next temperature is tried; unset: never"}
    )
    no_speech_threshold: Probability | None = attrs.field(
        default=0.6,
        metadata={
            "help": "where the probability that nobody speaks is higher, an improbable text is suspected, and no "
            "reason for another temperature; unset: never"
        },
    )
    condition_on_previous_text: bool = attrs.field(
        default=False,
        metadata={"help": "what was said before is the prompt of what follows; stretches are then heard one by one"},
    )
    initial_prompt: str | None = attrs.field(
        default=None,
        metadata={"help": "text to precede the speech: of every stretch, or of the first if each follows the last"},
    )
    hotwords: str | None = attrs.field(
        default=None, metadata={"help": "names and rare words, to precede everything that is heard"}
    )
    suppress_blank: bool = attrs.field(default=True, metadata={"help": "no text begins with a blank"})
    suppress_tokens: Annotated[tuple[int, ...], Range(ge=-1)] = attrs.field(
        default=(-1,), metadata={"help": "ids of tokens that are never said; -1: symbols that nobody speaks"}
    )
    max_initial_timestamp: Annotated[Duration, Range(ge=0, le=30)] = attrs.field(
        default=1.0, metadata={"help": "a window's first utterance begins at the latest then"}
    )
    prepend_punctuations: str = attrs.field(
        default="\"'“¿([{-",
        metadata={"help": "signs that belong to the word behind them"},
    )
    append_punctuations: str = attrs.field(
        default="\"'.。,，!！?？:：”)]}、",
        metadata={"help": "signs that belong to the word before them"},
    )
    vad_filter: bool = attrs.field(
        default=True, metadata={"help": "transcribe only where voice activity hears somebody; false: everything"}
    )
    vad_weights: str = attrs.field(
        default=VOICE.name,
        metadata={"help": "a declared model name, or the path of Silero VAD weights (16 kHz) in whisper.cpp's format"},
    )
    vad_threshold: Probability = attrs.field(
        default=0.5, metadata={"help": "speech begins where the voice activity model's probability reaches this"}
    )
    vad_min_speech_duration: Duration = attrs.field(default=0.0, metadata={"help": "shorter speech is not transcribed"})
    vad_min_silence_duration: Duration = attrs.field(
        default=2.0, metadata={"help": "shorter silence is heard together with the speech around it"}
    )
    vad_speech_pad: Duration = attrs.field(
        default=0.4, metadata={"help": "so much before and after speech is heard with it"}
    )
    chunk_length: Annotated[float, Range(ge=1, le=30), Unit("s")] = attrs.field(
        default=30.0, metadata={"help": "speech is heard in stretches of at most this length"}
    )
    seed: Annotated[int, Range(ge=0, lt=2**31)] = attrs.field(
        default=0, metadata={"help": "of the random numbers at temperatures above 0"}
    )

    def __attrs_post_init__(self) -> None:
        self._check_weights()
        self._check_language()
        self._check_decoding()
        if self.chosen == "openai-whisper":
            self._check_openai()

    def _check_weights(self) -> None:
        named, size = size_of(self.weights)
        if named is not None and self.engine not in ("auto", named):
            raise ConfigError(f"weights {self.weights!r} are {named}'s, and engine is {self.engine!r}; name the size")
        if size is None and not _may_be_path(self.weights):
            raise ConfigError(
                f"weights {self.weights!r} is no size of Whisper{nearest(self.weights, SIZES)}, and no such file is "
                f"here; sizes: {', '.join(SIZES)}"
            )

    def _check_language(self) -> None:
        _, size = size_of(self.weights)
        if self.language is not None and self.language not in LANGUAGES:
            raise ConfigError(
                f"language {self.language!r} is none of Whisper's codes{nearest(self.language, LANGUAGES)}: "
                f"{', '.join(LANGUAGES)}"
            )
        if self.multilingual and self.language is not None:
            raise ConfigError("multilingual detects the language of every window; leave language unset, or it out")
        if size in ENGLISH_ONLY and (self.multilingual or self.language not in (None, "en")):
            raise ConfigError(f"weights {self.weights!r} know only English; take {size.removesuffix('.en')!r}")
        if size is not None and self.task == "translate" and not_for_translation(size):
            raise ConfigError(f"weights {self.weights!r} were not trained to translate; take 'medium' or 'large-v3'")

    def _check_decoding(self) -> None:
        if not self.temperature:
            raise ConfigError("temperature names none; give one or more, such as [0.0]")
        if self.beam_size == 1 and self.patience != 1.0:
            raise ConfigError("patience acts on a beam search; with beam_size 1 there is none: leave it 1")
        if round(self.beam_size * self.patience) < 1:
            raise ConfigError(f"patience {self.patience!r} leaves no text of {self.beam_size} beams; give more")
        if self.vad_speech_pad > self.chunk_length / 4:
            raise ConfigError(
                f"vad_speech_pad must be at most a quarter of chunk_length, got {self.vad_speech_pad!r} and "
                f"{self.chunk_length!r}"
            )

    def _check_openai(self) -> None:
        _, size = size_of(self.weights)
        if size is not None and name_of("openai-whisper", size) is None:
            raise ConfigError(f"weights {self.weights!r} are not OpenAI's: engine must be 'faster-whisper'")
        only = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
        for name, default in only.items():
            if getattr(self, name) != default:
                raise ConfigError(f"{name} acts in the engine 'faster-whisper' only; leave it {default!r}")
        if self.length_penalty is not None and self.length_penalty > 1:
            raise ConfigError(f"length_penalty is at most 1 for openai-whisper, got {self.length_penalty!r}")

    @property
    def chosen(self) -> Engine:
        """The engine: the one asked for, or whose weights are named, or the faster one that is installed."""
        if self.engine != "auto":
            return self.engine
        named, _ = size_of(self.weights)
        if named is not None:
            return named
        return "openai-whisper" if installed("openai-whisper") and not installed("faster-whisper") else "faster-whisper"

    @property
    def model(self) -> str:
        """The name of the declared model for the engine, or the path."""
        _, size = size_of(self.weights)
        return (size and name_of(self.chosen, size)) or self.weights

    def models(self) -> tuple[str, ...]:
        """The weights that these settings use: the recogniser, and what tells where somebody speaks."""
        return (self.model, self.vad_weights)


def _may_be_path(text: str) -> bool:
    """Whether it is meant as a path: it is there, or it is written like one."""
    path = Path(text).expanduser()
    return path.exists() or path.suffix in (".pt", ".pth") or any(sign in text for sign in "/\\")
