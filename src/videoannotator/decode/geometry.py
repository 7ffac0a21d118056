"""How a stored picture becomes the picture as shown: pixel aspect, rotation, mirroring, size."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

import attrs

from videoannotator.data.media import VideoInfo
from videoannotator.data.needs import Frames

__all__ = ["Orientation", "orientation_of", "output_size", "shown_size"]


@attrs.frozen
class Orientation:
    """What a player does to the stored picture: mirror it left to right, then turn it clockwise.

    ``rotation``: 0, 90, 180 or 270 degrees. ``exact``: False when the file asks for an angle in between, which is
    rounded to the nearest of these.
    """

    rotation: int = 0
    mirrored: bool = False
    exact: bool = True

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """FFmpeg's filters, as (name, arguments), that do it."""
        turn = {
            0: (),
            90: (("transpose", "clock"),),
            180: (("hflip", ""), ("vflip", "")),
            270: (("transpose", "cclock"),),
        }[self.rotation]
        return ((("hflip", ""),) if self.mirrored else ()) + turn


def orientation_of(matrix: bytes | None) -> Orientation:
    """Read a display matrix as FFmpeg stores it: nine int32 in native order, (a b u, c d v, x y w), 16.16 fixed point.

    A stored point (x, y) is shown at (a x + c y, b x + d y), y pointing down. Singular matrices count as none.
    """
    if matrix is None or len(matrix) < 36:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    determinant = a * d - b * c
    if determinant == 0:
        return Orientation()
    mirrored = determinant < 0
    if mirrored:  # the mirror acts first: x -> -x
        a, b = -a, -b
    degrees = math.degrees(math.atan2(b, a)) % 360
    rotation = round(degrees / 90) * 90
    return Orientation(rotation % 360, mirrored, abs(degrees - rotation) < 0.5)


def shown_size(width: int, height: int, aspect: Fraction, rotation: int) -> tuple[int, int]:
    """Width and height as shown: the width is scaled by the pixel aspect, as players do, then the picture is turned."""
    width = max(1, round(width * aspect))
    return (height, width) if rotation in (90, 270) else (width, height)


def output_size(video: VideoInfo, need: Frames) -> tuple[int, int]:
    """Width and height of the pictures that satisfy ``need``, in pixels."""
    width, height = video.width, video.height
    if need.width is not None and need.height is not None:
        return need.width, need.height
    if need.width is not None:
        wanted = min(need.width, width)
        return wanted, max(1, round(height * wanted / width))
    if need.height is not None:
        wanted = min(need.height, height)
        return max(1, round(width * wanted / height)), wanted
    return width, height
