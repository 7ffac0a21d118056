"""The rows of ``scene_detection`` besides `Shot` and `Embedding`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from videoannotator import Range, row
from videoannotator.data.columns import Ascending
from videoannotator.data.rows import FrameIndex, Score, Seconds

__all__ = ["LabelProbability", "ShotLabel", "Transition"]

_SPAN = (Ascending("start", "end", strict=True), Ascending("start_frame", "end_frame", strict=True))


@row
class Transition:
    """A fade to black or from it, or the same at once.

    ``start`` to ``end``, half-open in frames and times. A fade out reaches from the last frame that is at least
    95 % of the way up from the black to the brightness before, to the first that is black; a fade in from the last
    black frame to the first that is 95 % of the way up. All these frames are inside.
    ``kind``: ``fade_out``, ``fade_in``; where that takes less than 0.12 s, ``cut_to_black``, ``cut_from_black``.
    """

    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    kind: Literal["fade_out", "fade_in", "cut_to_black", "cut_from_black"]
    __rules__: ClassVar = _SPAN


@row
class LabelProbability:
    """One label and how probable the model finds it, among those it was given."""

    label: str
    probability: Score


@row
class ShotLabel:
    """What a shot shows: of the labels that were given, the most probable.

    ``start`` to ``end_frame``: those of the `Shot`. ``label``: None where the best one has less than the setting
    ``abstain_below``. ``score``: the probability of the best one, whether it is told or not. ``probabilities``: all, in
    the order of the settings; they add up to 1: they say how the labels compare, not whether any of them is right.
    ``frames``: how many frames of the shot were looked at.
    """

    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    score: Score
    frames: Annotated[int, Range(ge=1)]
    probabilities: tuple[LabelProbability, ...]
    label: str | None = None
    __rules__: ClassVar = _SPAN
