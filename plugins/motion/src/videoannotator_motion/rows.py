"""The rows of ``motion``. All are about two pictures that follow each other: ``frame`` is the later one."""

from __future__ import annotations

from typing import Annotated

from videoannotator import Range, Unit, row
from videoannotator.data.rows import FrameIndex, Pixels, Score, Seconds

__all__ = ["CameraMotion", "MotionEnergy"]

Interval = Annotated[float, Unit("s"), Range(gt=0)]
PerSecond = Annotated[float, Unit("1/s"), Range(ge=0)]


@row
class MotionEnergy:
    """How much one region changed from the picture before to this one.

    ``interval``: seconds between the two pictures, by the file's clock. ``region``: ``"whole"``, ``"left"``,
    ``"right"`` (of the picture), the name of a region of the user's, or, with a ``track``, what it is a track of
    (``"person"``); then the region is the box of that track in this frame. ``x1`` to ``y2``: where it is, as far as
    it lies in the picture.

    ``changed``: the share of the region's pixels whose grey level changed by more than the threshold, divided by
    ``interval``. Times ``interval`` it is the share itself, 0..1; times the number of pixels, too, the
    count that Motion Energy Analysis gives (Ramseyer & Tschacher, 2011). ``energy``: the mean absolute change of the
    grey level (black 0, white 1) over the region, changes up to the threshold counted as none, divided by ``interval``.

    ``changed_compensated``, ``energy_compensated``: the same after the motion of the camera and the change of the
    light were taken out, over those pixels of the region that both pictures show. None where they could not be
    told: see `CameraMotion`.
    """

    frame: FrameIndex
    time: Seconds
    interval: Interval
    region: str
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    changed: PerSecond
    energy: PerSecond
    changed_compensated: PerSecond | None = None
    energy_compensated: PerSecond | None = None
    track: int | None = None


@row
class CameraMotion:
    """How the background moved in the picture, from the picture before to this one. No row where it cannot be told.

    The camera turned or moved the other way: a pan to the right moves the background to the left, ``dx < 0``.

    ``dx``, ``dy``: right and down, at the centre of the picture. ``rotation``: clockwise as seen. ``zoom``: natural
    logarithm of the scale per second, above 0 when things grow (``exp(zoom * interval)`` is the scale).
    ``brightness``: what the light did: change of the mean grey level (black 0, white 1), the motion taken out.
    ``points``: how many points of the background were followed. ``score``: the share of them that moved as these
    numbers say, within a pixel of the pictures compared.
    """

    frame: FrameIndex
    time: Seconds
    interval: Interval
    dx: Annotated[float, Unit("px/s")]
    dy: Annotated[float, Unit("px/s")]
    rotation: Annotated[float, Unit("deg/s")]
    zoom: Annotated[float, Unit("1/s")]
    brightness: Annotated[float, Unit("1/s")]
    points: Annotated[int, Range(ge=1)]
    score: Score
