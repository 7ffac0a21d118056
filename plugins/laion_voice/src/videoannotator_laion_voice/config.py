"""The settings of ``laion_voice``. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Audio, Output, Range, Unit
from videoannotator.discover.stretches import needs_of
from videoannotator.errors import ConfigError

__all__ = ["RATE", "LaionVoiceConfig"]

RATE = 16000
"""Samples per second that Whisper hears."""

_LEAST_STEP = 0.02
"""Seconds between two positions of the encoder's output: windows nearer to each other are the same to it."""

_Duration = Annotated[float, Range(gt=0), Unit("s")]


@attrs.frozen(kw_only=True)
class LaionVoiceConfig:
    """Which stretches of sound to rate, with which heads, and what to give."""

    weights: str = attrs.field(
        default="empathic-insight-voice-small",
        metadata={"help": "the heads: a declared model name, or the path of a folder of model_NAME_best.pth files"},
    )
    encoder: str = attrs.field(
        default="bud-e-whisper",
        metadata={
            "help": "what hears the sound: a declared model name, or the path of a folder as transformers saves a "
            "Whisper. Heads take what the encoder gives that they were trained with, of LAION's the default"
        },
    )
    heads: tuple[str, ...] | None = attrs.field(
        default=None,
        metadata={"help": "names of the heads to ask (anger, jealousy_envy, arousal, ...); unset: all that are there"},
    )
    segments: Literal["auto", "turns", "speech", "shots", "fixed"] = attrs.field(
        default="auto",
        metadata={
            "help": "what is rated: turns of speaker_diarization, speech regions of voice_activity, shots of "
            "scene_detection, or fixed windows; auto: turns if speaker_diarization runs, too, else speech if "
            "voice_activity does, else fixed"
        },
    )
    segment_duration: _Duration = attrs.field(default=5.0, metadata={"help": "length of a fixed window"})
    segment_overlap: Annotated[float, Range(ge=0), Unit("s")] = attrs.field(
        default=0.0, metadata={"help": "by how much a fixed window begins before the one before it ends"}
    )
    min_segment_duration: _Duration = attrs.field(
        default=1.0, metadata={"help": "shorter segments are not rated; they are in 'left_out'"}
    )
    max_segment_duration: _Duration = attrs.field(
        default=30.0,
        metadata={"help": "longer segments are cut into equal parts; at most what the encoder hears at a time, 30 s"},
    )
    block: Annotated[int, Range(ge=1)] = attrs.field(
        default=256,
        metadata={
            "help": "so many segments are held as the encoder hears them (4.6 MB each), and every head is read once "
            "for them; a run that was killed goes on behind the last whole block. Changes no rating"
        },
    )
    embeddings: bool = attrs.field(
        default=False, metadata={"help": "also give 'embeddings': what the encoder hears in each segment"}
    )

    def __attrs_post_init__(self) -> None:
        if self.segment_duration - self.segment_overlap < _LEAST_STEP:
            raise ConfigError(
                f"segment_overlap must be less than segment_duration, by {_LEAST_STEP:g} s at least, got "
                f"{self.segment_overlap!r} and {self.segment_duration!r}"
            )
        if not self.min_segment_duration <= self.segment_duration <= self.max_segment_duration:
            raise ConfigError(
                "segment_duration must be at least min_segment_duration and at most max_segment_duration, got "
                f"{self.segment_duration!r}, {self.min_segment_duration!r} and {self.max_segment_duration!r}"
            )

    def needs(self) -> tuple[Audio | Output, ...]:
        """The sound, and the rows that say where its segments are."""
        return (Audio(rate=RATE), *needs_of(self.segments))

    def models(self) -> tuple[str, ...]:
        """The weights that these settings use."""
        return (self.weights, self.encoder)
