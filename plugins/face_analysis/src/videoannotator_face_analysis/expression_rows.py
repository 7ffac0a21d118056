"""The rows of ``face_expressions``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated, Literal

from videoannotator import Ascending, Dtype, Range, row
from videoannotator.data.rows import FrameIndex, Pixels, Seconds

__all__ = ["EIGHT", "SEVEN", "Expression"]

Label = Literal["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
Probability = Annotated[float, Dtype("float32"), Range(ge=0, le=1)]
Affect = Annotated[float, Dtype("float32")]

EIGHT: tuple[Label, ...] = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""The categories in the order of the networks' outputs (EmotiEffLib, ``idx_to_emotion_class``): alphabetical."""

SEVEN: tuple[Label, ...] = tuple(label for label in EIGHT if label != "contempt")
"""The same for networks trained without contempt."""


@row
class Expression:
    """What a network reads from one face in one frame: the expression that is shown, not what is felt.

    ``anger`` ... ``surprise``: the network's probabilities of the categories, which exclude each other and sum to 1;
    ``contempt`` is None where the network does not know it. ``label``: the category of the highest probability, and
    ``score``: that probability; of two equal ones, the first in the order of `EIGHT`.
    ``valence``: how unpleasant (-1) or pleasant (1), ``arousal``: how calm (-1) or excited (1) the face looks, in the
    units of AffectNet. They are the network's regressions as they are: nothing keeps them inside -1..1. None where the
    network has none.
    ``x1`` ... ``y2``, ``track``: those of the row of ``face_analysis`` in the same frame, which tell whose face it is.
    """

    frame: FrameIndex
    time: Seconds
    label: Label
    score: Probability
    anger: Probability
    disgust: Probability
    fear: Probability
    happiness: Probability
    neutral: Probability
    sadness: Probability
    surprise: Probability
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    contempt: Probability | None = None
    valence: Affect | None = None
    arousal: Affect | None = None
    track: int | None = None
    __rules__ = (Ascending("x1", "x2"), Ascending("y1", "y2"))
