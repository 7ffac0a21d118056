"""The rows of ``openface3``, and the orders in which its heads answer."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoannotator import ArrayOf, Ascending, Dtype, Range, Unit, row
from videoannotator.data.rows import FrameIndex, Pixels, Seconds

__all__ = ["ACTION_UNITS", "EMOTIONS", "FacialBehaviour"]

EMOTIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""The eight classes of the expression head, in its order (README of OpenFace 3.0; AffectNet's own numbers)."""

ACTION_UNITS = ("au1", "au2", "au4", "au6", "au9", "au12", "au25", "au26")
"""The eight outputs of the action unit head, in its order: the units that DISFA's eight-unit protocol has."""

_Share = Annotated[float, Dtype("float32"), Range(ge=0, le=1)]
_Angle = Annotated[float, Dtype("float32"), Unit("rad")]


@row
class FacialBehaviour:
    """What OpenFace 3.0 reads from one face in one frame; row n belongs to row n of ``faces``.

    ``x1`` ... ``y2``, ``track``: those of that row; a track only where the faces are those of face_analysis: OpenFace
    3.0 follows nobody.
    ``landmarks``: float32 (98, 2), x and y in pixels, in the order of WFLW: contour 0-32, right brow 33-41, left brow
    42-50, nose 51-59, right eye 60-67, left eye 68-75, outer lip 76-87, inner lip 88-95, right and left pupil 96, 97;
    right and left are the person's own. None where they were not asked for.
    ``neutral`` ... ``contempt``: probabilities of AffectNet's eight expressions, which sum to 1: the softmax of the
    expression head.
    ``gaze_yaw``, ``gaze_pitch``: what the gaze head says, in radians; see the README for what is known of their signs.
    ``au1`` ... ``au26``: what the action unit head says, 0..1: a cosine between the features of the face and what the
    network has learnt of the unit. It is neither a probability nor an intensity of FACS (0..5, A to E).
    All of them are None for a face too small, or too far outside the picture, to be cut out.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    track: int | None = None
    landmarks: Annotated[NDArray[np.float32], ArrayOf("float32", (98, 2)), Unit("px")] | None = None
    neutral: _Share | None = None
    happy: _Share | None = None
    sad: _Share | None = None
    surprise: _Share | None = None
    fear: _Share | None = None
    disgust: _Share | None = None
    anger: _Share | None = None
    contempt: _Share | None = None
    gaze_yaw: _Angle | None = None
    gaze_pitch: _Angle | None = None
    au1: _Share | None = None
    au2: _Share | None = None
    au4: _Share | None = None
    au6: _Share | None = None
    au9: _Share | None = None
    au12: _Share | None = None
    au25: _Share | None = None
    au26: _Share | None = None
    __rules__: ClassVar = (Ascending("x1", "x2"), Ascending("y1", "y2"))
