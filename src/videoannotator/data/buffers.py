"""NumPy arrays and texts to Arrow arrays and back, by their memory.

``pyarrow.array`` and ``Array.to_numpy`` do the same, but first look whether what they were given is pandas', and for
that import pandas where it is installed: one to two seconds in every process that makes a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.errors import DataError

__all__ = ["number_array", "numbers_of", "present_in", "text_array"]

_LONGEST = 2**31 - 1
"""Bytes that an Arrow array of texts can hold."""


def number_array(values: NDArray[np.generic], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """An Arrow array of numbers or bools, (N,), that shares their memory. ``missing``: True where there is none."""
    type_ = pa.from_numpy_dtype(values.dtype)
    bits = pa.types.is_boolean(type_)
    held = np.packbits(values.astype(bool), bitorder="little") if bits else np.ascontiguousarray(values)
    there = None if missing is None or not missing.any() else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(type_, len(values), [there, pa.py_buffer(held)])


def text_array(values: Sequence[str | None]) -> pa.Array:
    """An Arrow array of texts, (N,); None where one is missing. Raises `DataError` for more than 2 GiB of them."""
    number = {value: n for n, value in enumerate(dict.fromkeys(values))}  # mostly few texts stand in many rows
    encoded = [b"" if value is None else value.encode() for value in number]
    lengths = np.array([len(text) for text in encoded], dtype=np.int64)
    rows = np.array([number[value] for value in values], dtype=np.int64)
    if lengths[rows].sum() > _LONGEST:
        raise DataError(f"a column of {lengths[rows].sum()} bytes of text is too long for one table")
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    there = np.packbits(np.array([value is not None for value in number], dtype=bool), bitorder="little")
    held = [pa.py_buffer(part) for part in (there, offsets, b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), held).take(number_array(rows))


def numbers_of(array: pa.Array) -> NDArray[np.generic]:
    """The numbers or bools of an Arrow array, (N,), read only; where one is missing, anything may stand."""
    dtype = np.dtype(array.type.to_pandas_dtype())
    first, length = array.offset, len(array)
    buffer = array.buffers()[1]
    if buffer is None or not length:
        values = np.zeros(length, dtype=dtype)
    elif pa.types.is_boolean(array.type):
        bits = np.frombuffer(buffer, np.uint8, (first + length + 7) // 8)
        values = np.unpackbits(bits, count=first + length, bitorder="little")[first:].astype(bool)
    else:
        values = np.frombuffer(buffer, dtype, length, first * dtype.itemsize)
    values.flags.writeable = False
    return values


def present_in(array: pa.Array) -> NDArray[np.bool_]:
    """Which values of an Arrow array are not missing, bool (N,)."""
    return np.ones(len(array), dtype=bool) if not array.null_count else numbers_of(array.is_valid()).astype(bool)
