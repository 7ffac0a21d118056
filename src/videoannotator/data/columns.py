"""From a class with annotated fields to typed columns.

A row class is any attrs class whose fields have these types:

=============================================  ==========================================
annotation                                     column
=============================================  ==========================================
``int``, ``float``, ``bool``, ``str``          int64, float64, bool, string
``Annotated[float, Dtype("float32")]``         float32 (any NumPy number type)
``Literal["a", "b"]``                          string, checked against the choices
``Annotated[NDArray, ArrayOf("float32", ...)]``  nested list; ``None`` in the shape = any length
``tuple[Row, ...]``                            list of structs
any of them ``| None``                         the same, with missing values
=============================================  ==========================================

`Range`, `Unit` and `Ascending` say more; they act on rows, on tables and on the settings of pipelines.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import DataError

__all__ = ["ArrayOf", "Ascending", "Column", "Dtype", "Range", "Unit", "check_row", "columns_of"]


@attrs.frozen
class Range:
    """Allowed values of a number: ``ge`` and ``le`` inclusive, ``gt`` and ``lt`` exclusive."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def outside(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of ``values`` are not allowed, bool, same shape."""
        bad = np.zeros(values.shape, dtype=bool)
        for bound, wrong in (
            (self.ge, np.less),
            (self.gt, np.less_equal),
            (self.le, np.greater),
            (self.lt, np.greater_equal),
        ):
            if bound is not None:
                bad |= wrong(values, bound)
        return bad

    def __str__(self) -> str:
        left = f"[{self.ge:g}" if self.ge is not None else f"({self.gt:g}" if self.gt is not None else "(-inf"
        right = f"{self.le:g}]" if self.le is not None else f"{self.lt:g})" if self.lt is not None else "inf)"
        return f"{left}, {right}"


@attrs.frozen
class Unit:
    """The unit of a number, as the SI or the field writes it: ``"s"``, ``"px"``, ``"Hz"``."""

    name: str


@attrs.frozen
class Dtype:
    """The NumPy type of a column, where it is not the natural one."""

    name: str


@attrs.frozen
class ArrayOf:
    """An array in every row: NumPy type and shape, ``None`` for a length that may differ from row to row.

    Only the first length may be ``None``: what follows it is a point, a vector, a pixel.
    """

    dtype: str
    shape: tuple[int | None, ...]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """True when an array of ``shape`` may stand in this column."""
        return len(shape) == len(self.shape) and all(w in (None, g) for w, g in zip(self.shape, shape, strict=True))


@attrs.frozen
class Ascending:
    """``low`` must not be above ``high`` in any row; ``strict`` forbids equal, too.

    Put into the class variable ``__rules__`` of a row class.
    """

    low: str
    high: str
    strict: bool = False


Kind = Literal["int", "float", "bool", "str", "array", "rows"]
_NATURAL: Mapping[type, tuple[Kind, str]] = {
    bool: ("bool", "bool"),
    int: ("int", "int64"),
    float: ("float", "float64"),
    str: ("str", "str"),
}


@attrs.frozen
class Column:
    """One column of a table: what `columns_of` reads from a field of a row class."""

    name: str
    kind: Kind
    dtype: str
    nullable: bool = False
    range: Range | None = None
    unit: str | None = None
    choices: tuple[str, ...] = ()
    shape: tuple[int | None, ...] = ()
    row: type[Any] | None = None
    required: bool = True
    default: Any = None

    def tidy(self, value: Any) -> Any:
        """``value`` as this column keeps it: arrays of its type, tuples of rows, numbers at its precision.

        Raises `DataError` when nested lists do not make an array.
        """
        if value is None:
            return None
        if self.kind == "rows":
            return tuple(value)
        if self.kind == "array":
            return self._array(value)
        if isinstance(value, np.generic):
            value = value.item()
        if self.kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
            return float(np.dtype(self.dtype).type(value))
        return value

    def _array(self, value: Any) -> NDArray[Any]:
        try:
            array = np.array(value, dtype=self.dtype)
        except (TypeError, ValueError) as error:
            raise DataError(f"{self.name} must be an array of shape {_shape(self.shape)}, got {value!r}") from error
        if array.size == 0 and self.shape[0] is None and len(array) == 0:
            array = array.reshape((0, *(n or 0 for n in self.shape[1:])))
        array.flags.writeable = False
        return array

    def problem(self, value: Any) -> str | None:
        """What is wrong with ``value`` in this column, or None."""
        if value is None:
            return None if self.nullable else "is missing (None), and this column may not be"
        if self.kind == "rows":
            assert self.row is not None  # noqa: S101 - true by construction, told to the type checker
            wrong = [v for v in value if not isinstance(v, self.row)]
            return f"must hold {self.row.__name__} rows, got {wrong[0]!r}" if wrong else None
        if self.kind == "array":
            if isinstance(value, np.ndarray) and ArrayOf(self.dtype, self.shape).fits(value.shape):
                return self.wrong_numbers(value)
            got = f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            return f"must be an array of shape {_shape(self.shape)}, got {got}"
        if self.kind == "str":
            if not isinstance(value, str):
                return f"must be text, got {value!r}"
            return (
                f"must be one of {', '.join(self.choices)}, got {value!r}"
                if self.choices and value not in self.choices
                else None
            )
        return self._wrong_number(value)

    def _wrong_number(self, value: Any) -> str | None:
        is_bool = isinstance(value, bool | np.bool_)
        allowed: Any = {
            "bool": is_bool,
            "int": isinstance(value, int | np.integer) and not is_bool,
            "float": isinstance(value, int | float | np.integer | np.floating) and not is_bool,
        }
        if not allowed[self.kind]:
            return f"must be {self.kind}, got {value!r}"
        return self.wrong_numbers(np.asarray(value))

    def wrong_numbers(self, values: NDArray[Any]) -> str | None:
        """The first number that is not finite or out of range, as a sentence; None when all are well."""
        if values.dtype.kind == "f":
            bad = ~np.isfinite(values)
            if bad.any():
                return f"must be finite (a missing value is None), got {float(values[bad].flat[0])!r}"
        if self.range is not None:
            bad = self.range.outside(values)
            if bad.any():
                return f"must be in {self.range}, got {values[bad].flat[0].item()!r}"
        return None


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"


def _without_none(hint: Any) -> tuple[Any, bool]:
    """``X | None`` -> (X, True); anything else unchanged. Looks through ``Annotated``."""
    if get_origin(hint) is Annotated:
        inner, *extra = get_args(hint)
        plain, nullable = _without_none(inner)
        return (Annotated[(plain, *extra)], True) if nullable else (hint, False)
    if get_origin(hint) in (Union, types.UnionType):
        rest = [a for a in get_args(hint) if a is not type(None)]
        if len(rest) == 1 and len(rest) < len(get_args(hint)):
            return rest[0], True
    return hint, False


def _markers(hint: Any) -> tuple[Any, dict[type, Any]]:
    if get_origin(hint) is not Annotated:
        return hint, {}
    inner, *extra = get_args(hint)
    return inner, {type(e): e for e in extra}


def _column(cls: type[Any], field: attrs.Attribute[Any], annotation: Any) -> Column:
    hint, nullable = _without_none(annotation)
    plain, marks = _markers(hint)
    required = field.default is attrs.NOTHING
    common: dict[str, Any] = {"name": field.name, "nullable": nullable, "range": marks.get(Range), "required": required}
    common["unit"] = marks[Unit].name if Unit in marks else None
    common["default"] = None if required else field.default
    if ArrayOf in marks:
        array: ArrayOf = marks[ArrayOf]
        if None in array.shape[1:]:
            raise DataError(
                f"{cls.__name__}.{field.name}: only the first length of ArrayOf may be None, got {array.shape}"
            )
        return Column(kind="array", dtype=array.dtype, shape=array.shape, **common)
    if get_origin(plain) is Literal and all(isinstance(c, str) for c in get_args(plain)):
        return Column(kind="str", dtype="str", choices=get_args(plain), **common)
    if get_origin(plain) is tuple and len(get_args(plain)) == 2 and get_args(plain)[1] is Ellipsis:
        row = get_args(plain)[0]
        if isinstance(row, type) and attrs.has(row):
            return Column(kind="rows", dtype="rows", row=row, **common)
    if plain in _NATURAL:
        kind, dtype = _NATURAL[plain]
        return Column(kind=kind, dtype=marks[Dtype].name if Dtype in marks else dtype, **common)
    raise DataError(
        f"{cls.__name__}.{field.name}: a column cannot hold {annotation!r}; use int, float, bool, str, Literal, "
        "tuple[Row, ...], or Annotated[NDArray, ArrayOf(dtype, shape)], each optionally | None"
    )


def columns_of(row_class: Any) -> tuple[Column, ...]:
    """The columns of an attrs class, in the order of its fields.

    Raises `DataError` when the class is not an attrs class or a field's type cannot be a column.
    """
    return _columns_of(row_class)


@cache
def _columns_of(row_class: Any) -> tuple[Column, ...]:
    if not attrs.has(row_class):
        raise DataError(
            f"{row_class.__name__} is no attrs class; decorate it with @videoannotator.row or @attrs.frozen"
        )
    hints = get_type_hints(row_class, include_extras=True)
    return tuple(_column(row_class, field, hints[field.name]) for field in attrs.fields(row_class))


def rules_of(row_class: type[Any]) -> tuple[Ascending, ...]:
    """The rules between columns that a row class declares in ``__rules__``."""
    return tuple(getattr(row_class, "__rules__", ()))


def check_row(row: Any) -> None:
    """Check every field of a row object. Raises `DataError` naming the class, the field and the value."""
    cls = type(row)
    for column in columns_of(cls):
        problem = column.problem(getattr(row, column.name))
        if problem:
            raise DataError(f"{cls.__name__}.{column.name} {problem}")
    for rule in rules_of(cls):
        low, high = getattr(row, rule.low), getattr(row, rule.high)
        if low > high or (rule.strict and low == high):
            raise DataError(
                f"{cls.__name__}.{rule.low} must be {'below' if rule.strict else 'at most'} .{rule.high}, "
                f"got {rule.low}={low!r}, {rule.high}={high!r}"
            )
