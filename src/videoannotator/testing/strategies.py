"""hypothesis strategies for rows and tables of any row class, made from its columns."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from videoannotator.data.columns import Column, Range, columns_of, rules_of
from videoannotator.data.table import Table

__all__ = ["rows", "tables", "texts", "values"]

T = TypeVar("T")

_LENGTHS = (0, 1, 3, 17)
_AWKWARD = ("", " ", "مرحبا", "你好。", "👩‍👧 café", "a & <b> --> c\n\nd\r\n", "NA", "=1+1", '"x", y', "NOTE", "%41")


def texts() -> st.SearchStrategy[str]:
    """Text of any script, and what file formats trip over."""
    return st.sampled_from(_AWKWARD) | st.text(st.characters(codec="utf-8"), max_size=12)


def _bounds(bounds: Range | None) -> tuple[float | None, float | None, bool, bool]:
    if bounds is None:
        return None, None, False, False
    low = bounds.ge if bounds.ge is not None else bounds.gt
    high = bounds.le if bounds.le is not None else bounds.lt
    return low, high, bounds.gt is not None, bounds.lt is not None


def _inside(bound: float | None, dtype: str, towards: float) -> float | None:
    """``bound`` as a number of that type, or the next one ``towards`` the inside where it is none."""
    if bound is None:
        return None
    kind = np.dtype(dtype).type
    near = kind(bound)
    outside = float(near) < bound if towards > 0 else float(near) > bound
    return float(np.nextafter(near, kind(towards))) if outside else float(near)


def _numbers(column: Column) -> st.SearchStrategy[Any]:
    low, high, low_open, high_open = _bounds(column.range)
    if column.kind == "int":
        limits = np.iinfo(column.dtype)
        lowest = int(limits.min) if low is None else int(low) + low_open
        highest = int(limits.max) if high is None else int(high) - high_open
        return st.integers(lowest, highest)
    width: Literal[16, 32, 64] = 32 if column.dtype == "float32" else 16 if column.dtype == "float16" else 64
    low, high = _inside(low, column.dtype, np.inf), _inside(high, column.dtype, -np.inf)
    return st.floats(
        low,
        high,
        width=width,
        allow_nan=False,
        allow_infinity=False,
        exclude_min=low_open,
        exclude_max=high_open,
    )


def values(column: Column) -> st.SearchStrategy[Any]:
    """Values that may stand in a column, None included where it may miss."""
    if column.kind == "rows":
        inner = rows(column.row) if column.row is not None else st.nothing()
        made: st.SearchStrategy[Any] = st.lists(inner, max_size=3).map(tuple)
    elif column.kind == "array":
        first = st.sampled_from(_LENGTHS) if column.shape[0] is None else st.just(column.shape[0])
        rest = tuple(n or 0 for n in column.shape[1:])
        elements = {"allow_nan": False, "allow_infinity": False} if column.dtype.startswith("float") else None
        made = first.flatmap(lambda n: npst.arrays(column.dtype, (n, *rest), elements=elements))
    elif column.kind == "str":
        made = st.sampled_from(column.choices) if column.choices else texts()
    elif column.kind == "bool":
        made = st.booleans()
    else:
        made = _numbers(column)
    return st.none() | made if column.nullable else made


@st.composite
def rows(draw: st.DrawFn, row_class: type[T]) -> T:
    """One row of ``row_class`` that its checks accept."""
    made = {column.name: draw(values(column)) for column in columns_of(row_class)}
    columns = {column.name: column for column in columns_of(row_class)}
    for rule in rules_of(row_class):
        low, high = sorted((made[rule.low], made[rule.high]))
        if rule.strict and low == high:
            low, high = _apart(columns[rule.low], low)
        made[rule.low], made[rule.high] = low, high
    return row_class(**made)


def _apart(column: Column, value: Any) -> tuple[Any, Any]:
    """Two different values at and above ``value``, or just below it where it is the highest."""
    if column.kind == "int":
        top = np.iinfo(column.dtype).max
        return (value - 1, value) if value == top else (value, value + 1)
    dtype = np.dtype(column.dtype).type
    if value == np.finfo(dtype).max:
        return float(np.nextafter(dtype(value), dtype(0))), value
    return value, float(np.nextafter(dtype(value), dtype(np.inf)))


def tables(row_class: type[T], max_size: int = 6) -> st.SearchStrategy[Table[T]]:
    """Tables of ``row_class``, the empty one included."""
    return st.lists(rows(row_class), max_size=max_size).map(lambda made: Table.from_rows(row_class, made))
