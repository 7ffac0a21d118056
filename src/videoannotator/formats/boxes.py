"""Boxes and float32 numbers as text: as few decimals as give the same numbers back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.data.table import Table

__all__ = ["boxes_of", "short_floats"]


def short_floats(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """float32 numbers with as few decimals as give the same float32 back."""
    text = pa.array(values.ravel()).cast(pa.string())  # many times faster than NumPy's own
    rounded = text.cast(pa.float64()).to_numpy().reshape(values.shape)
    return np.where(rounded.astype(np.float32) == values, rounded, values.astype(np.float64))


def boxes_of(table: Table[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Boxes as x, y, width, height and as x1, y1, x2, y2, and whether the first give the second back."""
    corners = np.stack([table.column(c) for c in ("x1", "y1", "x2", "y2")], axis=1)
    near, far = short_floats(corners[:, :2]), corners[:, 2:]
    wide = far.astype(np.float64) - corners[:, :2]
    with np.errstate(over="ignore"):
        sides = short_floats(wide.astype(np.float32))
    sides = np.where((near + sides).astype(np.float32) == far, sides, wide)
    exact = ((near + sides).astype(np.float32) == far).all(axis=1) & np.isfinite(sides).all(axis=1)
    return np.concatenate([near, sides], axis=1), short_floats(corners), exact
