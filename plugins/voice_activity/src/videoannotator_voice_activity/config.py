"""The settings of ``voice_activity``. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Range, Unit
from videoannotator.errors import ConfigError

__all__ = ["VoiceActivityConfig"]

Probability = Annotated[float, Range(ge=0, le=1)]
Duration = Annotated[float, Range(ge=0), Unit("s")]


@attrs.frozen(kw_only=True)
class VoiceActivityConfig:
    """Names and defaults are those of ``silero_vad.get_speech_timestamps``, with all durations in seconds.

    There: ``min_speech_duration_ms``, ``min_silence_duration_ms``, ``speech_pad_ms``, ``max_speech_duration_s``,
    ``min_silence_at_max_speech`` (ms).
    """

    weights: str = attrs.field(
        default="silero_vad_6.2",
        metadata={"help": "a declared model name, or the path of Silero VAD weights (16 kHz) in whisper.cpp's format"},
    )
    threshold: Probability = attrs.field(
        default=0.5, metadata={"help": "speech begins where the model's probability reaches this"}
    )
    neg_threshold: Probability | None = attrs.field(
        default=None,
        metadata={"help": "speech ends where the probability falls below this; unset: threshold - 0.15, at least 0.01"},
    )
    min_speech_duration: Duration = attrs.field(default=0.25, metadata={"help": "shorter speech is dropped"})
    min_silence_duration: Duration = attrs.field(default=0.1, metadata={"help": "shorter silence does not end speech"})
    speech_pad: Duration = attrs.field(
        default=0.03, metadata={"help": "speech is made longer by this on both sides, without overlap"}
    )
    max_speech_duration: Annotated[float, Range(gt=0), Unit("s")] | None = attrs.field(
        default=None,
        metadata={"help": "longer speech is cut at its longest silence, or just there when it has none; unset: never"},
    )
    min_silence_at_max_speech: Duration = attrs.field(
        default=0.098, metadata={"help": "only silence longer than this counts when speech that is too long is cut"}
    )

    def __attrs_post_init__(self) -> None:
        if self.neg_threshold is not None and self.neg_threshold > self.threshold:
            raise ConfigError(
                f"neg_threshold must be at most threshold, got {self.neg_threshold!r} and {self.threshold!r}"
            )

    @property
    def ends_below(self) -> float:
        """`neg_threshold`, or what silero-vad takes when it is unset."""
        return max(self.threshold - 0.15, 0.01) if self.neg_threshold is None else self.neg_threshold
