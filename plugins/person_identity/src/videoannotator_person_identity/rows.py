"""What ``person_identity`` gives: persons, which track is whom, whose face is whose."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoannotator import Dtype, Range, Unit, row
from videoannotator.data.columns import ArrayOf, Ascending
from videoannotator.data.rows import FrameIndex, Pixels, Score, Seconds

__all__ = ["FaceLink", "Filled", "Link", "Looks", "Person"]

Likeness = Annotated[float, Dtype("float32"), Range(ge=-1.001, le=1.001)]


@row
class Person:
    """One person in the recording.

    ``person``: a number that nobody else in this result has. ``name``: of the known person (setting ``gallery``) whom
    this is, None for unknown; ``name_score``: the probability of that. ``start``, ``end``: when first and last seen.
    ``tracks``: how many tracks are this person's. ``frames``: in how many frames seen.
    ``role``: the study's word for what the person is (infant, child, adult, ...), None where nothing tells it or not
    surely enough. ``role_score``: probability of the role, None where the user said it. ``role_method``: what told it:
    ``"hint"`` (the user), ``"proportions"`` (of the body), ``"size"`` (beside others), or ``"proportions+size"``.
    """

    person: Annotated[int, Range(ge=1)]
    start: Seconds
    end: Seconds
    tracks: Annotated[int, Range(ge=1)]
    frames: Annotated[int, Range(ge=1)]
    name: str | None = None
    name_score: Score | None = None
    role: str | None = None
    role_score: Score | None = None
    role_method: str | None = None
    __rules__: ClassVar = (Ascending("start", "end"),)


@row
class Link:
    """A stretch of a track that shows one person.

    Most tracks have one such row; one that went over to somebody else has several, with different persons. Rows of the
    track with ``start_frame <= frame <= end_frame`` are the person's. ``score``: probability that this stretch belongs
    to the person's others; None for a person's only stretch, for which nothing had to be decided. ``method``: what
    told it: ``"track"`` (the tracker), ``"motion"``, ``"appearance"``, ``"face"``, or several joined by ``+``;
    ``"only"`` for an only stretch. ``appearance``, ``face``: mean likeness (-1..1) of its looks and the others', None
    where none were seen; only comparable within one recording. ``motion``: log-likelihood ratio of the place, None
    where it says nothing.
    """

    track: int
    person: Annotated[int, Range(ge=1)]
    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    method: str
    score: Score | None = None
    appearance: Likeness | None = None
    face: Likeness | None = None
    motion: float | None = None
    __rules__: ClassVar = (Ascending("start", "end"), Ascending("start_frame", "end_frame"))


@row
class Filled:
    """Where a person must have been in a frame in which nothing of them was seen (setting ``fill``).

    The box lies between those of the person's rows before and after, whichever tracks these belong to, each corner on
    a straight line in time. Nothing was seen here: ``interpolated`` in every row, and no score.
    """

    person: Annotated[int, Range(ge=1)]
    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    interpolated: bool = True
    __rules__: ClassVar = (Ascending("x1", "x2"), Ascending("y1", "y2"))


@row
class FaceLink:
    """A face and whose it is.

    ``face``: the track of the face; None where faces are not tracked, then the row is about one face in one frame.
    ``x1``, ``y1``, ``x2``, ``y2``: its box in ``start_frame``. ``frames``: in how many frames the face lay in
    the head of that person. ``track``, ``person``: whose. ``score``: how well it lies there, averaged over all frames
    with this face and this person in them: 1 in the middle of where the head is, 0 outside.
    """

    track: int
    person: Annotated[int, Range(ge=1)]
    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    frames: Annotated[int, Range(ge=1)]
    score: Score
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    face: int | None = None
    __rules__: ClassVar = (
        Ascending("start", "end"),
        Ascending("start_frame", "end_frame"),
        Ascending("x1", "x2"),
        Ascending("y1", "y2"),
    )


@row
class Looks:
    """What somebody looks like: the mean of what the re-identification network saw of a person.

    ``vector``: float32 (D,), of length 1. ``seen``: about how many seconds of them went into it. ``kind``:
    ``"appearance"`` (the body) or ``"face"``. ``model``: SHA-256 of the weights. Vectors of different models cannot be
    compared.
    """

    person: Annotated[int, Range(ge=1)]
    kind: str
    seen: Annotated[float, Unit("s"), Range(ge=0)]
    vector: Annotated[NDArray[np.float32], ArrayOf("float32", (None,))]
    model: str
