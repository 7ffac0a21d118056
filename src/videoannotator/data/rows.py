"""The rows of the pipelines we ship, and `row`, which makes a class of your own into one.

All times are seconds on the file's clock, all coordinates pixels of the picture as shown (origin top left).
A score is what the model said, in 0..1, or None; none is ever filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.columns import ArrayOf, Ascending, Dtype, Range, Unit, check_row, columns_of

__all__ = [
    "ROWS",
    "Detection",
    "Embedding",
    "Face",
    "FrameIndex",
    "Gap",
    "Keypoints",
    "Landmarks",
    "Pixels",
    "Score",
    "Seconds",
    "Shot",
    "Signal",
    "SpeakerTurn",
    "SpeechRegion",
    "Track",
    "Utterance",
    "Vector",
    "Word",
    "row",
]

T = TypeVar("T")

Seconds = Annotated[float, Unit("s"), Range(ge=0)]
Score = Annotated[float, Range(ge=0, le=1)]
Pixels = Annotated[float, Dtype("float32"), Unit("px")]
FrameIndex = Annotated[int, Range(ge=0)]
Degrees = Annotated[float, Dtype("float32"), Unit("deg"), Range(ge=-180, le=180)]
Keypoints = Annotated[NDArray[np.float32], ArrayOf("float32", (None, 3))]
Landmarks = Annotated[NDArray[np.float32], ArrayOf("float32", (5, 2)), Unit("px")]
Vector = Annotated[NDArray[np.float32], ArrayOf("float32", (None,))]

_BOX = (Ascending("x1", "x2"), Ascending("y1", "y2"))
_SPAN = (Ascending("start", "end", strict=True),)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    return bool(left == right)


def _row_equal(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return all(_equal(getattr(self, c.name), getattr(other, c.name)) for c in columns_of(type(self)))


def _row_hash(self: Any) -> int:
    values = (getattr(self, c.name) for c in columns_of(type(self)))
    return hash(tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in values))


@overload
def row(cls: type[T]) -> type[T]: ...
@overload
def row() -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def row(cls: type[T] | None = None) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class of annotated fields into a frozen row that checks its values.

    The fields may have the types listed in `videoannotator.data.columns`. Rows compare equal when all their
    fields do, arrays included. A plain ``@attrs.frozen`` class works in a `Table` as well.
    """
    if cls is None:
        return row
    inner = getattr(cls, "__attrs_post_init__", None)

    def post_init(self: Any) -> None:
        for column in columns_of(type(self)):
            object.__setattr__(self, column.name, column.tidy(getattr(self, column.name)))
        check_row(self)
        if inner is not None:
            inner(self)

    # a table has checked its columns, and builds rows of this class without checking each again
    cls.__row_checked__ = inner is None  # type: ignore[attr-defined]
    cls.__attrs_post_init__ = post_init  # type: ignore[attr-defined]  # attrs looks for it there
    cls.__eq__ = _row_equal  # type: ignore[method-assign]
    cls.__hash__ = _row_hash  # type: ignore[method-assign]
    return attrs.frozen(cls, eq=False)


@row
class Detection:
    """A person (or another thing the detector knows) in one frame: box, and keypoints where the model has them.

    ``label``: the model's own class name. ``score``: the detector's confidence, None where it said none of this row.
    ``track``: the same number for the same thing as long as the tracker follows it, None when nothing was tracked.
    ``keypoints``: float32 (K, 3), x and y in pixels and the model's confidence in 0..1; for K = 17 in COCO's order.
    ``mask``: which pixels of the picture as shown it covers: COCO's compressed run lengths, the ``counts`` that
    ``pycocotools.mask.decode({"size": [height, width], "counts": mask})`` takes. ``interpolated``: nothing was seen
    here; the box lies between those of the rows before and after it.
    """

    frame: FrameIndex
    time: Seconds
    label: str
    score: Score | None
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    keypoints: Keypoints | None = None
    mask: str | None = None
    interpolated: bool = False
    __rules__: ClassVar = _BOX


@row
class Gap:
    """A stretch of time inside a track in which nothing was seen of it, from the last row before to the first after."""

    start: Seconds
    end: Seconds
    __rules__: ClassVar = _SPAN


@row
class Track:
    """One track from its birth to its end.

    ``start``, ``end``: when the first and the last row of it are shown; equal for a track of one row. ``frames``: in
    how many of the frames looked at it was seen. ``gaps``: stretches inside, longer than one step between the frames
    looked at, in which it was not seen. ``label``: what it is a track of. ``score``: mean of its rows' scores.
    Interpolated rows do not count: they are part of a gap.
    """

    track: int
    label: str
    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    frames: Annotated[int, Range(ge=1)]
    gaps: tuple[Gap, ...] = ()
    score: Score | None = None
    __rules__: ClassVar = (Ascending("start", "end"), Ascending("start_frame", "end_frame"))


@row
class Embedding:
    """What a network sees in a picture, or in the part of it that a track shows, as a vector.

    ``vector``: float32 (D,), as the network gives it; which network, tells the provenance. ``track``: whose rows it
    belongs to, None for the whole picture.
    """

    frame: FrameIndex
    time: Seconds
    vector: Vector
    track: int | None = None


@row
class Face:
    """A face in one frame.

    ``landmarks``: float32 (5, 2), x and y in pixels of right eye, left eye, nose tip, right and left corner of the
    mouth; right and left are the person's own. ``track``: the same number for the same face as long as it is followed.
    ``yaw``, ``pitch``, ``roll``: how the head is turned against the line of sight, 0 for a face seen from the front;
    signs and order of ISO/IEC 19794-5. Yaw is positive when it is turned to its own left (to the right of the picture),
    pitch when it looks down, roll when it is tilted to its own right shoulder (anticlockwise in the picture); from the
    front, roll is done first, then pitch, then yaw. None where it cannot be told.
    ``eye_distance``: between the two eyes as they are seen, so less for a turned head. ``sharpness``: of the picture of
    the face, in the unit of whoever measured it; only faces measured in the same way can be compared.
    """

    frame: FrameIndex
    time: Seconds
    score: Score
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    landmarks: Landmarks | None = None
    yaw: Degrees | None = None
    pitch: Degrees | None = None
    roll: Degrees | None = None
    eye_distance: Annotated[float, Dtype("float32"), Unit("px"), Range(ge=0)] | None = None
    sharpness: Annotated[float, Dtype("float32"), Range(ge=0)] | None = None
    __rules__: ClassVar = _BOX


@row
class Shot:
    """A stretch of film between two cuts.

    ``start_frame``, ``end_frame``: half-open, like the times. ``score``: what the detector measured at the cut
    that opens the shot, in the detector's own unit; None for a shot that no cut opens. ``label``: what the shot shows,
    None where nothing was asked, or nothing was sure enough.
    """

    start: Seconds
    end: Seconds
    start_frame: FrameIndex
    end_frame: FrameIndex
    score: float | None = None
    label: str | None = None
    __rules__: ClassVar = (*_SPAN, Ascending("start_frame", "end_frame", strict=True))


@row
class Word:
    """A spoken word. ``score``: the model's probability of the word. ``speaker_score``: how much of its time the
    speaker speaks, where words were attributed to speakers."""

    start: Seconds
    end: Seconds
    text: str
    score: Score | None = None
    speaker: str | None = None
    speaker_score: Score | None = None
    __rules__: ClassVar = _SPAN


@row
class Utterance:
    """Words spoken in one go.

    ``language``: BCP 47 tag. ``score``: mean probability of its words or tokens. ``speaker_score``: how much of its
    words' time the speaker speaks. ``avg_logprob``, ``no_speech_prob``, ``compression_ratio``, ``temperature``: what
    Whisper says of the text, under its names: mean log probability of the tokens; probability that nobody speaks in
    what it heard; how well the text can be compressed, more than about 2.4 for text that repeats itself; the
    temperature that it was sampled with, 0 for the likeliest. ``suspected``: why the text may be invented, in words
    that the pipeline explains, separated by spaces; None where nothing speaks against it.
    """

    start: Seconds
    end: Seconds
    text: str
    words: tuple[Word, ...] = ()
    language: str | None = None
    speaker: str | None = None
    score: Score | None = None
    speaker_score: Score | None = None
    avg_logprob: Annotated[float, Range(le=0)] | None = None
    no_speech_prob: Score | None = None
    compression_ratio: Annotated[float, Range(ge=0)] | None = None
    temperature: Annotated[float, Range(ge=0)] | None = None
    suspected: str | None = None
    __rules__: ClassVar = _SPAN


@row
class SpeakerTurn:
    """A stretch of time in which one speaker speaks; turns of several speakers may overlap."""

    start: Seconds
    end: Seconds
    speaker: str
    score: Score | None = None
    __rules__: ClassVar = _SPAN


@row
class SpeechRegion:
    """A stretch of time in which somebody speaks. ``score``: mean speech probability inside."""

    start: Seconds
    end: Seconds
    score: Score | None = None
    __rules__: ClassVar = _SPAN


@row
class Signal:
    """One sample of a named quantity over time: loudness, pitch, brightness."""

    time: Seconds
    name: str
    value: float


ROWS: tuple[type[Any], ...] = (
    Detection,
    Gap,
    Track,
    Embedding,
    Face,
    Shot,
    Word,
    Utterance,
    SpeakerTurn,
    SpeechRegion,
    Signal,
)
"""Every row class of this module."""
