"""The settings of ``audio_processing``."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Range, Unit

__all__ = ["AudioProcessingConfig"]

Duration = Annotated[float, Range(ge=0), Unit("s")]


@attrs.frozen(kw_only=True)
class AudioProcessingConfig:
    """How words are given to speakers. How they are heard is set in ``speech_recognition`` and
    ``speaker_diarization``."""

    turns: Literal["auto", "exclusive", "regular"] = attrs.field(
        default="auto",
        metadata={
            "help": "which turns decide whose a word is: the exclusive ones, in which one person at most speaks at any "
            "time, or the regular ones, which overlap; auto: the exclusive ones where the diarization gives them"
        },
    )
    tolerance: Duration = attrs.field(
        default=0.25,
        metadata={
            "help": "a word in which nobody speaks goes to the speaker of the nearest turn, if that is at most so far "
            "away; farther away its speaker is not known. The default is the collar of the NIST evaluations"
        },
    )
    smooth: Duration = attrs.field(
        default=0.0,
        metadata={
            "help": "words of an utterance that last less than this together, between words of one other speaker, go "
            "to that speaker (their score then tells how little that one speaks there); 0: never"
        },
    )
    pause: Annotated[float, Range(gt=0), Unit("s")] | None = attrs.field(
        default=None,
        metadata={"help": "an utterance is cut at a silence between its words that is longer than this; unset: never"},
    )
