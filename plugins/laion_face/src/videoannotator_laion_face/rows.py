"""The rows of ``laion_face``, and the names of its heads. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from videoannotator import Ascending, Dtype, row
from videoannotator.data.rows import FrameIndex, Pixels, Seconds

__all__ = ["DIMENSIONS", "EMOTIONS", "RANGE", "FaceDimensions", "FaceEmotions"]

RANGE = (0.0, 7.0)
"""Of the ratings: experts rate the pictures of EmoNet-Face HQ from 0, not there, to 7, as strong as can be."""

_Rating = Annotated[float, Dtype("float32")]
_BOX = (Ascending("x1", "x2"), Ascending("y1", "y2"))


@row
class FaceEmotions:
    """How strongly one face in one frame shows each of the forty emotions of EmoNet-Face, by a regression for each.

    In the output ``emotions``: the ratings as the heads give them, on the scale of `RANGE`. Nothing keeps a regression
    inside its range, and none is taken for a probability: the forty neither exclude each other nor sum to anything.
    In ``scaled``: the same as shares of the range, 0 to 1. In ``above_neutral``: the same less the mean rating of
    neutral faces, where that is known; 0 is as on a neutral face.
    None: a head that was not asked, or in ``above_neutral`` one whose mean is not known.
    ``x1`` ... ``y2``, ``track``: those of the row of ``face_analysis`` in the same frame, which tell whose face it is.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
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
    __rules__: ClassVar = _BOX


@row
class FaceDimensions:
    """What heads that are no emotions say of one face in one frame: their regressions, as they are.

    Their range is not published. None: a head that is not there, or was not asked; no row where none was.
    ``x1`` ... ``y2``, ``track``: those of the row of ``face_analysis`` in the same frame.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    valence: _Rating | None = None
    arousal: _Rating | None = None
    dominance: _Rating | None = None
    emotional_vulnerability: _Rating | None = None
    __rules__: ClassVar = _BOX


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

DIMENSIONS = ("valence", "arousal", "dominance", "emotional_vulnerability")
"""Heads that are no emotions."""
