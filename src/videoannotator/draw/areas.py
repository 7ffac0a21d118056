"""The areas that things cover, laid over a picture like coloured glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from videoannotator.draw.style import Color
from videoannotator.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["pixels_of", "tint"]

_OPAQUE = 0.4


def pixels_of(mask: str, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels of a `Detection.mask`: uint8 (height, width), 1 where the thing is, by COCO's own code.

    Raises `MissingDependencyError` without pycocotools, `DataError` for run lengths of a larger picture.
    """
    try:
        from pycocotools import mask as coco  # type: ignore[import-untyped]  # ships no types
    except ImportError as error:
        raise MissingDependencyError(
            'masks are drawn with pycocotools: pip install "videoannotator[draw]"; or draw without them (show)'
        ) from error
    try:
        pixels = coco.decode({"size": [height, width], "counts": mask.encode("ascii")})
    except ValueError as error:
        raise DataError(f"a mask is not of a picture of {width} x {height} pixels: {error}") from error
    return np.asarray(pixels, dtype=np.uint8)


def tint(picture: Image.Image, pixels: NDArray[np.uint8], color: Color) -> None:
    """Colour what ``pixels`` (uint8 (height, width), of the picture's shape in any size) covers, in place."""
    from PIL import Image

    glass = Image.fromarray(pixels * np.uint8(round(255 * _OPAQUE)))
    if glass.size != picture.size:
        glass = glass.resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(color, (0, 0, *picture.size), glass)
