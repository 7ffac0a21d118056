"""The rows of ``speaker_diarization`` that are no `SpeakerTurn`. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from videoannotator import Ascending, Dtype, Range, Unit, row
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

    ``speaker``: as in the turns. ``label``: as the pipeline calls them by itself: ``SPEAKER_00``. ``seconds``: how long
    they speak, overlap included. ``model``: SHA-256 of the embedding network's file; only voice prints of one network
    can be compared. ``vector``: float32 (D,), the centre of the speaker's cluster of voice prints as pyannote gives it,
    of no particular length; compare two by the angle. None where there was too little clear speech for one.

    With a gallery: ``name``: of the known person who this is, None for unknown. ``nearest``: whose voice in the gallery
    it is most like; that may be another one, who is somebody else here. ``likeness``: cosine similarity (-1..1) to
    ``name``, or to ``nearest`` where that is None. It is no probability.
    """

    speaker: str
    label: str
    seconds: Annotated[float, Unit("s"), Range(gt=0)]
    model: str
    vector: Vector | None = None
    name: str | None = None
    nearest: str | None = None
    likeness: Annotated[float, Dtype("float32"), Range(ge=-1.001, le=1.001)] | None = None
