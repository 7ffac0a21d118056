"""Values of one column to Arrow and back; what `Table` is made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.data.buffers import number_array, numbers_of, present_in, text_array
from videoannotator.data.columns import ArrayOf, Column, columns_of
from videoannotator.errors import DataError

__all__ = ["arrow_schema", "from_arrow", "to_arrow", "to_numpy"]

_SCALARS = (str, int, float, bool, np.generic)


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column."""
    if column.kind == "str":
        return pa.string()
    if column.kind == "rows":
        return pa.list_(pa.struct([_field(c) for c in columns_of(_row(column))]))
    type_ = pa.from_numpy_dtype(np.dtype(column.dtype))
    if column.kind == "array":
        for length in reversed(column.shape):
            type_ = pa.list_(type_) if length is None else pa.list_(type_, length)
    return type_


def _row(column: Column) -> type[Any]:
    if column.row is None:
        raise DataError(f"{column.name} holds no rows")
    return column.row


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, arrow_type(column), column.nullable, {"unit": column.unit} if column.unit else None)


def arrow_schema(row_class: Any) -> pa.Schema:
    """The Arrow schema of a row class: types, which columns may miss values, units in the field metadata."""
    return _schema(row_class)


@cache
def _schema(row_class: Any) -> pa.Schema:
    return pa.schema([_field(c) for c in columns_of(row_class)])


def to_arrow(column: Column, values: Any, length: int | None) -> pa.Array:
    """``values`` of one column, checked, as an Arrow array.

    A single number, text or None stands for ``length`` equal values. Raises `DataError` for what does not fit.
    """
    if values is None or isinstance(values, _SCALARS):
        if length is None:
            raise DataError(f"{column.name}: a single value needs another column to tell the number of rows")
        values = [values] * length
    if column.kind == "array":
        return _array_column(column, values)
    if column.kind == "rows":
        return _rows_column(column, values)
    if column.kind == "str":
        return _text_column(column, values)
    return _number_column(column, values)


def _number_column(column: Column, values: Any) -> pa.Array:
    type_ = arrow_type(column)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        array = _one_chunk(values)
        if array.type != type_:
            array = array.cast(type_)
    elif isinstance(values, np.ndarray) and values.dtype != object:
        array = _from_numpy(column, values)
    else:
        values = list(values)
        for value in values:
            problem = column.problem(value)
            if problem:
                raise DataError(f"{column.name} {problem}")
        array = _from_list(column, values)
    present = array.drop_null() if array.null_count else array
    _check_numbers(column, array, numbers_of(present))
    return array


def _from_list(column: Column, values: Sequence[Any]) -> pa.Array:
    missing = np.array([value is None for value in values], dtype=bool)
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused as such
            numbers = np.array([0 if value is None else value for value in values], dtype=column.dtype)
    except OverflowError as error:
        raise DataError(f"{column.name} must be {column.dtype}: {error}") from error
    return number_array(numbers, missing)


def _from_numpy(column: Column, values: NDArray[Any]) -> pa.Array:
    if values.ndim != 1:
        raise DataError(f"{column.name} must have one dimension, got shape {values.shape}")
    fits = {"int": "iu", "float": "iuf", "bool": "b"}[column.kind]
    if values.dtype.kind not in fits:
        raise DataError(f"{column.name} must be {column.kind}, got an array of {values.dtype}")
    missing = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values)
    if column.kind == "float" and column.nullable:
        # the one way NumPy can say that a number is missing
        missing = np.isnan(plain) if missing is None else missing | np.isnan(plain)
    return number_array(plain.astype(column.dtype, copy=False), missing)


def _check_numbers(column: Column, array: pa.Array, numbers: NDArray[Any]) -> None:
    """``numbers``: those of the rows of ``array`` that are present."""
    if array.null_count and not column.nullable:
        raise DataError(f"{column.name} is missing in {array.null_count} rows, and this column may not be")
    problem = column.wrong_numbers(numbers)
    if problem:
        raise DataError(f"{column.name} {problem}")


def _text_column(column: Column, values: Any) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray) and values.type == pa.string():
        array = _one_chunk(values)
    else:
        values = values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else values
        values = [str(v) if isinstance(v, np.str_) else v for v in values]
        array = None
    for value in dict.fromkeys(values) if array is None else array.unique().to_pylist():
        problem = column.problem(value)
        if problem:
            raise DataError(f"{column.name} {problem}")
    return text_array(values) if array is None else array


def _rows_column(column: Column, values: Any) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        values = from_arrow(column, _one_chunk(values))
    tidy = [column.tidy(v) for v in values]
    for value in tidy:
        problem = column.problem(value)
        if problem:
            raise DataError(f"{column.name} {problem}")
    plain = [None if rows is None else [attrs.asdict(r, recurse=True) for r in rows] for rows in tidy]
    return pa.array(plain, arrow_type(column))


def _array_column(column: Column, values: Any) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        array = _one_chunk(values)
        if array.type == arrow_type(column):  # its shape is in its type: only the numbers are left to check
            _check_numbers(column, array, _flat(column, array))
            return array
        values = from_arrow(column, array)
    if isinstance(values, np.ndarray) and values.dtype != object:
        return _stacked(column, values)
    items = [column.tidy(v) for v in values]
    for item in items:
        problem = column.problem(item)
        if problem:
            raise DataError(f"{column.name} {problem}")
    return _joined(column, items)


def _stacked(column: Column, values: NDArray[Any]) -> pa.Array:
    """One array of all rows, (rows, ...), checked as a whole."""
    if not ArrayOf(column.dtype, (None, *column.shape)).fits(values.shape):
        wanted = ", ".join(["rows", *("any" if n is None else str(n) for n in column.shape)])
        raise DataError(f"{column.name} must be an array of shape ({wanted}), got shape {values.shape}")
    values = values.astype(column.dtype, copy=False)
    problem = column.wrong_numbers(values)
    if problem:
        raise DataError(f"{column.name} {problem}")
    return _nest(column, values.ravel(), [values.shape[1]] * len(values), None)


def _joined(column: Column, items: Sequence[NDArray[Any] | None]) -> pa.Array:
    """Arrays of one row each, None where it is missing, as one column."""
    filler = np.zeros(tuple(n or 0 for n in column.shape), dtype=column.dtype)  # fixed-size lists keep room for it
    parts = [filler if item is None else item for item in items]
    flat = np.concatenate([p.ravel() for p in parts]) if parts else np.zeros(0, dtype=column.dtype)
    missing = number_array(np.array([item is None for item in items], dtype=bool))
    return _nest(column, flat, [len(p) for p in parts], missing)


def _nest(column: Column, flat: NDArray[Any], lengths: Sequence[int], missing: pa.Array | None) -> pa.Array:
    """The numbers of all rows as nested Arrow lists, without a Python object per number."""
    array = number_array(flat.astype(column.dtype, copy=False))
    for size in reversed(column.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    if column.shape[0] is not None:
        return pa.FixedSizeListArray.from_arrays(array, column.shape[0], mask=missing)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
    return pa.ListArray.from_arrays(number_array(offsets), array, mask=missing)


def _one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    return values


def from_arrow(column: Column, values: pa.Array | pa.ChunkedArray) -> list[Any]:
    """An Arrow column as the values of row objects: Python numbers and text, NumPy arrays, tuples of rows."""
    if column.kind == "array":
        return _unnest(column, _one_chunk(values))
    plain: list[Any] = values.to_pylist()
    if column.kind == "rows":
        row = _row(column)
        nested = {c.name: c for c in columns_of(row)}
        return [None if rows is None else tuple(row(**_unpack(nested, r)) for r in rows) for rows in plain]
    return plain


def _unpack(columns: dict[str, Column], plain: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(_row(columns[name])(**inner) for inner in value)
        if columns[name].kind == "rows" and value is not None
        else value
        for name, value in plain.items()
    }


def _flat(column: Column, array: pa.Array) -> NDArray[Any]:
    """Every number of the rows that are present, honouring slices."""
    flat = array.flatten()
    for _ in column.shape[1:]:
        flat = flat.flatten()
    if flat.null_count:
        raise DataError(f"{column.name} holds arrays in which numbers are missing")
    return numbers_of(flat).astype(column.dtype, copy=False)


def _unnest(column: Column, array: pa.Array) -> list[NDArray[Any] | None]:
    inner = tuple(n or 0 for n in column.shape[1:])
    present = present_in(array)
    numbers = _flat(column, array)
    lengths = np.where(present, _lengths(column, array), 0)
    ends = np.cumsum(lengths)
    points = numbers.reshape((-1, *inner)) if inner else numbers
    points.flags.writeable = False
    return [points[end - n : end] if there else None for end, n, there in zip(ends, lengths, present, strict=True)]


def _lengths(column: Column, array: pa.Array) -> NDArray[Any]:
    """How long the array of each row is, (N,); where one is missing, anything may stand."""
    if column.shape[0] is not None:
        return np.full(len(array), column.shape[0])
    return numbers_of(array.value_lengths())


def to_numpy(column: Column, values: pa.ChunkedArray) -> NDArray[Any]:
    """A column as NumPy sees it best; see `Table.column`."""
    array = _one_chunk(values)
    if column.kind in ("str", "rows"):
        return _objects(from_arrow(column, array))
    if column.kind == "array":
        lengths = _lengths(column, array)
        if len(array) and not array.null_count and (lengths == lengths[0]).all():
            return _flat(column, array).reshape((len(array), *(lengths[:1]), *(n or 0 for n in column.shape[1:])))
        return _objects(_unnest(column, array))
    numbers: NDArray[Any] = numbers_of(array)
    if column.kind == "float":
        return (
            np.where(present_in(array), numbers, np.array(np.nan, dtype=numbers.dtype)) if array.null_count else numbers
        )
    if not column.nullable:
        return numbers
    present = present_in(array)
    return np.ma.MaskedArray(np.where(present, numbers, np.zeros((), dtype=numbers.dtype)), mask=~present)


def _objects(items: Sequence[Any]) -> NDArray[Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items if not any(isinstance(i, np.ndarray | tuple) for i in items) else None
    if len(items) and array[0] is None:
        for index, item in enumerate(items):
            array[index] = item
    return array
