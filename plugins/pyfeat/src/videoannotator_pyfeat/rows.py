"""The rows of ``pyfeat``. Importing this module imports no model and no picture library.

In all of them ``x1`` ... ``y2`` and ``track`` are those of the row of ``face_analysis`` in the same frame, which tell
whose face it is.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from videoannotator import Ascending, Dtype, Range, Unit, row
from videoannotator.data.rows import FrameIndex, Pixels, Seconds

__all__ = ["EMOTIONS", "UNITS", "ActionUnits", "Expression", "Gaze"]

Probability = Annotated[float, Dtype("float32"), Range(ge=0, le=1)]
Degrees = Annotated[float, Dtype("float32"), Unit("deg")]
Affect = Annotated[float, Dtype("float32"), Range(ge=-1, le=1)]
Emotion = Literal["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]

EMOTIONS: tuple[Emotion, ...] = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""In the order of the network's outputs (``feat.multitask.EMOTION_NAMES``); those of v2.4 and later end with anger."""

_BOX = (Ascending("x1", "x2"), Ascending("y1", "y2"))


@row
class ActionUnits:
    """Action units of one face in one frame: how sure the network is that each is there, 0..1; no intensities.

    Py-Feat takes 0.5 for present, and coders' intensity B and more was present when it was evaluated. ``au43`` is
    closed eyes. ``au16``, ``au18``, ``au27``, ``au45`` are None except with weights older than v2.4.
    """

    frame: FrameIndex
    time: Seconds
    au01: Probability
    au02: Probability
    au04: Probability
    au05: Probability
    au06: Probability
    au07: Probability
    au09: Probability
    au10: Probability
    au11: Probability
    au12: Probability
    au14: Probability
    au15: Probability
    au17: Probability
    au20: Probability
    au23: Probability
    au24: Probability
    au25: Probability
    au26: Probability
    au28: Probability
    au43: Probability
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    au16: Probability | None = None
    au18: Probability | None = None
    au27: Probability | None = None
    au45: Probability | None = None
    track: int | None = None
    __rules__: ClassVar = _BOX


UNITS: tuple[str, ...] = tuple(sorted(name for name in ActionUnits.__annotations__ if name.startswith("au")))
"""The columns of the action units."""


@row
class Gaze:
    """Where one face in one frame looks, and how its head is turned, both against the line of sight to it.

    Signs as in `Face` (ISO/IEC 19794-5): yaw is positive to the person's own left, pitch down, roll when the head is
    tilted to its own right. ``gaze_yaw``, ``gaze_pitch``: the direction of gaze, of head and eyes together; 0, 0 is
    into the camera. ``yaw``, ``pitch``, ``roll``: the head. All are regressions: nothing keeps them inside a range.
    """

    frame: FrameIndex
    time: Seconds
    gaze_yaw: Degrees
    gaze_pitch: Degrees
    yaw: Degrees
    pitch: Degrees
    roll: Degrees
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    __rules__: ClassVar = _BOX


@row
class Expression:
    """The expression that one face shows in one frame, not what is felt.

    ``neutral`` ... ``anger``: probabilities of categories that exclude each other, which sum to 1; ``contempt`` is None
    except with weights older than v2.4. ``label``: the one of the highest probability, and ``score``: that probability.
    ``valence``: unpleasant (-1) to pleasant (1). ``arousal``: calm (-1) to excited (1).
    """

    frame: FrameIndex
    time: Seconds
    label: Emotion
    score: Probability
    neutral: Probability
    happy: Probability
    sad: Probability
    surprise: Probability
    fear: Probability
    disgust: Probability
    anger: Probability
    valence: Affect
    arousal: Affect
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    contempt: Probability | None = None
    track: int | None = None
    __rules__: ClassVar = _BOX
