"""The rows of ``face_landmarks``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from videoannotator import ArrayOf, Ascending, Dtype, Range, Unit, row
from videoannotator.data.rows import FrameIndex, Pixels, Seconds

__all__ = ["BLENDSHAPES", "Blendshapes", "FaceLandmarks"]

Points = Annotated[NDArray[np.float32], ArrayOf("float32", (478, 3)), Unit("px")]
Degrees = Annotated[float, Dtype("float32"), Unit("deg"), Range(ge=-180, le=180)]
Ratio = Annotated[float, Dtype("float32"), Range(ge=0)]
Offset = Annotated[float, Dtype("float32"), Range(ge=-1, le=1)]
Coefficient = Annotated[float, Dtype("float32"), Range(ge=0, le=1)]

_BOX = (Ascending("x1", "x2"), Ascending("y1", "y2"))


@row
class FaceLandmarks:
    """One face in one frame: where its parts are, how the head is turned, and where the irises are.

    ``points``: float32 (478, 3), x, y and z, numbered as in MediaPipe's Face Mesh: 468 of the face, then the right
    iris (468 its middle) and the left one (473); right and left are the person's own. x and y are pixels of the
    picture as shown. z is depth in about the same unit, 0 near the middle of the head, smaller towards the viewer: the
    network's guess from one picture. None when ``points`` is off in the settings.
    ``yaw``, ``pitch``, ``roll``: the head against the line of sight to it, from the fit of a canonical face to the
    points; signs and order as in `Face`: positive is turned to its own left, looking down, tilted to its own right.
    ``right_eye_open``, ``left_eye_open``: eye aspect ratio, height between the lids over width between the corners
    (Soukupová & Čech, *Real-Time Eye Blink Detection using Facial Landmarks*, CVWW 2016), no unit. Measured in the
    picture, so it grows when the eye is turned away.
    ``right_iris_x`` ... ``left_iris_y``: where the middle of the iris is in its eye: 0, 0 between the corners, 1 half
    the width of the eye away; x along the eye to the right of the picture, y down across it. No angle of gaze. None
    where the iris would lie outside, as it is put for an eye that cannot be seen.
    ``x1`` ... ``y2``, ``track``: of the row of ``face_analysis`` in the same frame, which tell whose face it is.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    yaw: Degrees | None = None
    pitch: Degrees | None = None
    roll: Degrees | None = None
    right_eye_open: Ratio | None = None
    left_eye_open: Ratio | None = None
    right_iris_x: Offset | None = None
    right_iris_y: Offset | None = None
    left_iris_x: Offset | None = None
    left_iris_y: Offset | None = None
    points: Points | None = None
    track: int | None = None
    __rules__: ClassVar = _BOX


@row
class Blendshapes:
    """One face in one frame, as 52 coefficients of a face model: 0 is not at all, 1 is as far as it goes.

    They are the network's, made to move an avatar's face like the one in the picture (ARKit's names: ``jaw_open`` is
    ``jawOpen``), and no FACS action units: nobody has coded them, and their scale is not that of intensities A to E.
    Left and right are the person's own. ``neutral`` is MediaPipe's first output, of which it tells no more.
    ``x1`` ... ``y2``, ``track``: of the row of ``face_analysis`` in the same frame, which tell whose face it is.
    """

    frame: FrameIndex
    time: Seconds
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    neutral: Coefficient
    brow_down_left: Coefficient
    brow_down_right: Coefficient
    brow_inner_up: Coefficient
    brow_outer_up_left: Coefficient
    brow_outer_up_right: Coefficient
    cheek_puff: Coefficient
    cheek_squint_left: Coefficient
    cheek_squint_right: Coefficient
    eye_blink_left: Coefficient
    eye_blink_right: Coefficient
    eye_look_down_left: Coefficient
    eye_look_down_right: Coefficient
    eye_look_in_left: Coefficient
    eye_look_in_right: Coefficient
    eye_look_out_left: Coefficient
    eye_look_out_right: Coefficient
    eye_look_up_left: Coefficient
    eye_look_up_right: Coefficient
    eye_squint_left: Coefficient
    eye_squint_right: Coefficient
    eye_wide_left: Coefficient
    eye_wide_right: Coefficient
    jaw_forward: Coefficient
    jaw_left: Coefficient
    jaw_open: Coefficient
    jaw_right: Coefficient
    mouth_close: Coefficient
    mouth_dimple_left: Coefficient
    mouth_dimple_right: Coefficient
    mouth_frown_left: Coefficient
    mouth_frown_right: Coefficient
    mouth_funnel: Coefficient
    mouth_left: Coefficient
    mouth_lower_down_left: Coefficient
    mouth_lower_down_right: Coefficient
    mouth_press_left: Coefficient
    mouth_press_right: Coefficient
    mouth_pucker: Coefficient
    mouth_right: Coefficient
    mouth_roll_lower: Coefficient
    mouth_roll_upper: Coefficient
    mouth_shrug_lower: Coefficient
    mouth_shrug_upper: Coefficient
    mouth_smile_left: Coefficient
    mouth_smile_right: Coefficient
    mouth_stretch_left: Coefficient
    mouth_stretch_right: Coefficient
    mouth_upper_up_left: Coefficient
    mouth_upper_up_right: Coefficient
    nose_sneer_left: Coefficient
    nose_sneer_right: Coefficient
    track: int | None = None
    __rules__: ClassVar = _BOX


BLENDSHAPES: tuple[str, ...] = tuple(
    name
    for name in Blendshapes.__annotations__
    if name not in ("frame", "time", "x1", "y1", "x2", "y2", "track", "__rules__")
)
"""The columns of the coefficients, in the order of MediaPipe's outputs."""
