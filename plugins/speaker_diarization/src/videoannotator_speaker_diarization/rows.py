"""The rows of ``speaker_diarization`` that are no `SpeakerTurn`. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from videoannotator import Ascending, Range, Unit, row
from videoannotator.data.rows import Seconds, Vector

__all__ = ["Overlap", "Voice"]


@row
class Overlap:
    """A stretch of time in which several speakers speak at once. ``speakers``: how many, the same all the time."""

    start: Seconds
    end: Seconds
    speakers: Annotated[int, Range(ge=2)]
    __rules__: ClassVar = (Ascending("start", "end", strict=True),)


@row
class Voice:
    """How one speaker sounds, over all that was heard.

    ``speaker``: as in the turns. ``seconds``: how long they speak, overlap included. ``vector``: float32 (D,), the
    centre of the speaker's cluster of voice prints as pyannote gives it, of no particular length; compare two by the
    angle. Only those of one embedding network can be compared; which it was, tells the provenance. None where there was
    too little clear speech for one.
    """

    speaker: str
    seconds: Annotated[float, Unit("s"), Range(gt=0)]
    vector: Vector | None = None
