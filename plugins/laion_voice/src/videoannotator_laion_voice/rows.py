"""The rows of ``laion_voice``, and the names of its heads. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from videoannotator import Ascending, Dtype, row
from videoannotator.data.rows import Seconds, Vector

__all__ = ["DIMENSIONS", "EMOTIONS", "LeftOut", "VoiceDimensions", "VoiceEmbedding", "VoiceEmotions"]

_Rating = Annotated[float, Dtype("float32")]
_SPAN = (Ascending("start", "end", strict=True),)


@row
class VoiceEmotions:
    """How strongly the voice of one segment has each of the forty emotions of EmoNet-Voice, by a regression for each.

    The ratings as the heads give them: they were trained on ratings from 0, not there, to 4, as strong as can be.
    Nothing keeps a regression inside its range, and none is taken for a probability: the forty neither exclude each
    other nor sum to anything. None: a head that was not asked.
    ``speaker``: of the turn of ``speaker_diarization`` that the segment is, or is a part of; None for other segments.
    """

    start: Seconds
    end: Seconds
    speaker: str | None = None
    affection: _Rating | None = None
    amusement: _Rating | None = None
    anger: _Rating | None = None
    astonishment_surprise: _Rating | None = None
    awe: _Rating | None = None
    bitterness: _Rating | None = None
    concentration: _Rating | None = None
    confusion: _Rating | None = None
    contemplation: _Rating | None = None
    contempt: _Rating | None = None
    contentment: _Rating | None = None
    disappointment: _Rating | None = None
    disgust: _Rating | None = None
    distress: _Rating | None = None
    doubt: _Rating | None = None
    elation: _Rating | None = None
    embarrassment: _Rating | None = None
    emotional_numbness: _Rating | None = None
    fatigue_exhaustion: _Rating | None = None
    fear: _Rating | None = None
    helplessness: _Rating | None = None
    hope_enthusiasm_optimism: _Rating | None = None
    impatience_and_irritability: _Rating | None = None
    infatuation: _Rating | None = None
    interest: _Rating | None = None
    intoxication_altered_states_of_consciousness: _Rating | None = None
    jealousy_envy: _Rating | None = None
    longing: _Rating | None = None
    malevolence_malice: _Rating | None = None
    pain: _Rating | None = None
    pleasure_ecstasy: _Rating | None = None
    pride: _Rating | None = None
    relief: _Rating | None = None
    sadness: _Rating | None = None
    sexual_lust: _Rating | None = None
    shame: _Rating | None = None
    sourness: _Rating | None = None
    teasing: _Rating | None = None
    thankfulness_gratitude: _Rating | None = None
    triumph: _Rating | None = None
    __rules__: ClassVar = _SPAN


@row
class VoiceDimensions:
    """What heads that are no emotions say of one segment: their regressions, as they are. The README tells the scales.

    The last four are those of Empathic-Insight-Voice-Plus, which judge the sound and not the speaker. None: a head that
    is not there, or was not asked; no row where none was. ``speaker``: as in `VoiceEmotions`.
    """

    start: Seconds
    end: Seconds
    speaker: str | None = None
    age: _Rating | None = None
    arousal: _Rating | None = None
    authenticity: _Rating | None = None
    background_noise: _Rating | None = None
    confident_vs_hesitant: _Rating | None = None
    gender: _Rating | None = None
    high_pitched_vs_low_pitched: _Rating | None = None
    monotone_vs_expressive: _Rating | None = None
    recording_quality: _Rating | None = None
    serious_vs_humorous: _Rating | None = None
    soft_vs_harsh: _Rating | None = None
    submissive_vs_dominant: _Rating | None = None
    valence: _Rating | None = None
    vulnerable_vs_emotionally_detached: _Rating | None = None
    warm_vs_cold: _Rating | None = None
    overall_quality: _Rating | None = None
    speech_quality: _Rating | None = None
    background_quality: _Rating | None = None
    content_enjoyment: _Rating | None = None
    __rules__: ClassVar = _SPAN


@row
class VoiceEmbedding:
    """What the encoder hears in one segment.

    ``vector``: float32 (4 * width,), 3072 numbers for Whisper small: mean, minimum, maximum and standard deviation over
    the positions of the encoder's output, which belong to a whole window: behind a shorter segment it hears silence.
    """

    start: Seconds
    end: Seconds
    vector: Vector
    speaker: str | None = None
    __rules__: ClassVar = _SPAN


@row
class LeftOut:
    """A stretch that was to be rated and was not.

    ``reason``: ``"short"``: shorter than ``min_segment_duration``. ``"silence"``: each of its samples is zero.
    """

    start: Seconds
    end: Seconds
    reason: Literal["short", "silence"]
    speaker: str | None = None
    __rules__: ClassVar = _SPAN


EMOTIONS = (
    "affection",
    "amusement",
    "anger",
    "astonishment_surprise",
    "awe",
    "bitterness",
    "concentration",
    "confusion",
    "contemplation",
    "contempt",
    "contentment",
    "disappointment",
    "disgust",
    "distress",
    "doubt",
    "elation",
    "embarrassment",
    "emotional_numbness",
    "fatigue_exhaustion",
    "fear",
    "helplessness",
    "hope_enthusiasm_optimism",
    "impatience_and_irritability",
    "infatuation",
    "interest",
    "intoxication_altered_states_of_consciousness",
    "jealousy_envy",
    "longing",
    "malevolence_malice",
    "pain",
    "pleasure_ecstasy",
    "pride",
    "relief",
    "sadness",
    "sexual_lust",
    "shame",
    "sourness",
    "teasing",
    "thankfulness_gratitude",
    "triumph",
)
"""The forty emotions, by the names of their files; ``&`` is left out of ``jealousy_&_envy``."""

DIMENSIONS = (
    "age",
    "arousal",
    "authenticity",
    "background_noise",
    "confident_vs_hesitant",
    "gender",
    "high_pitched_vs_low_pitched",
    "monotone_vs_expressive",
    "recording_quality",
    "serious_vs_humorous",
    "soft_vs_harsh",
    "submissive_vs_dominant",
    "valence",
    "vulnerable_vs_emotionally_detached",
    "warm_vs_cold",
    "overall_quality",
    "speech_quality",
    "background_quality",
    "content_enjoyment",
)
"""Heads that are no emotions; ``score_`` is left out of the names of the last four."""
