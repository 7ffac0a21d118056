"""What ``active_speaker`` gives: who is speaking when, which voice is whose, and every face in every picture."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from videoannotator import Range, Unit, row
from videoannotator.data.columns import Ascending
from videoannotator.data.rows import FrameIndex, Pixels, Score, Seconds

__all__ = ["SpeakerLink", "Speaking", "SpeakingFace"]


@row
class Speaking:
    """A stretch of speech, and who is speaking. The stretches of a turn follow each other without gap or overlap.

    ``speaker``: as speaker_diarization calls the voice; None where only speech was found. ``on_screen``:
    ``"on_screen"``: the face ``face`` is speaking, and is in the picture all the while; ``"off_screen"``: the speaker's
    face is not in the picture; ``"unknown"``: cannot be told, or there is no picture. ``face``: the track of
    face_analysis, ``person``: whose it is, as person_identity says; for a speaker off screen who is known from
    elsewhere in the recording, ``person`` is told without ``face``.
    ``score``: probability of what is told, among the faces in the picture and off screen, under the model that the
    README describes; None for unknown, and where no face was in the picture, so that nothing was weighed.
    ``faces``: how many were in the picture.

    The rest is evidence about ``face``, where one is told, else about the likeliest one: natural logarithms of how much
    more likely what was seen is if this face speaks than if not; None where nothing could be measured. ``movement``:
    whether the mouth moves, and not so at other times. ``synchrony``: whether it moves with the sound. ``network``:
    what the learned model says, which then stands for both. ``recording``: what the voice's other turns say.
    """

    start: Seconds
    end: Seconds
    on_screen: Literal["on_screen", "off_screen", "unknown"]
    faces: Annotated[int, Range(ge=0)]
    speaker: str | None = None
    face: int | None = None
    person: int | None = None
    score: Score | None = None
    movement: float | None = None
    synchrony: float | None = None
    network: float | None = None
    recording: float | None = None
    __rules__: ClassVar = (Ascending("start", "end", strict=True),)


@row
class SpeakerLink:
    """A voice and a face that has it, over the whole recording.

    One row for each face track that is the speaker's; one without ``face`` for a speaker who is never seen, or cannot
    be told. ``person``: whose face it is. ``together``: seconds for which the speaker is heard while the face is in the
    picture; ``heard``: seconds of the speaker in all. ``score``: probability of the link against the others that face
    and voice could have; None without ``face``. ``evidence``: natural logarithm of how much likelier all that was seen
    of the face while the voice was heard is if they belong together.
    """

    speaker: str
    heard: Annotated[float, Unit("s"), Range(ge=0)]
    together: Annotated[float, Unit("s"), Range(ge=0)] = 0.0
    face: int | None = None
    person: int | None = None
    score: Score | None = None
    evidence: float | None = None


@row
class SpeakingFace:
    """A face that face_analysis found, in one picture, while somebody speaks.

    ``x1`` ... ``y2``, ``track``: of its row. ``speaking``: this face is told to speak, and for whom ``speaker``.
    ``score``: probability that it is the one who speaks in this stretch; None where that was not weighed. ``mouth``:
    activity of the mouth, in the unit of what measured it (see the README), None where nothing was measured.
    ``network``: probability that the learned model gives for this moment, by itself.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int
    speaking: bool
    speaker: str | None = None
    score: Score | None = None
    mouth: float | None = None
    network: Score | None = None
    __rules__: ClassVar = (Ascending("x1", "x2"), Ascending("y1", "y2"))
