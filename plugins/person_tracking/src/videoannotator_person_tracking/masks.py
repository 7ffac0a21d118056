"""Masks as COCO's compressed run lengths, by COCO's own code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["decoded", "encoded", "resized"]


def encoded(masks: NDArray[np.uint8]) -> tuple[str, ...]:
    """``counts`` of masks, uint8 (N, height, width), 1 where something is."""
    from pycocotools import mask  # type: ignore[import-untyped]  # ships no types

    return tuple(mask.encode(np.asfortranarray(one))["counts"].decode("ascii") for one in masks)


def decoded(counts: str, shape: Sequence[int]) -> NDArray[np.uint8]:
    """The mask, uint8 (height, width), of ``counts``. ``shape``: height and width."""
    from pycocotools import mask

    drawn: NDArray[np.uint8] = mask.decode({"size": [int(n) for n in shape[:2]], "counts": counts.encode("ascii")})
    return drawn


def resized(masks: Sequence[str], inner: Sequence[int], outer: Sequence[int]) -> list[str]:
    """Masks of pictures of height and width ``inner``, for pictures of ``outer``."""
    if tuple(inner[:2]) == tuple(outer[:2]):
        return list(masks)
    import cv2

    size = (int(outer[1]), int(outer[0]))
    drawn = [cv2.resize(decoded(one, inner), size, interpolation=cv2.INTER_NEAREST) for one in masks]
    return list(encoded(np.stack(drawn))) if drawn else []
