"""`Table`: typed rows stored in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any, Generic, Self, TypeVar, overload

import attrs
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.data.arrow import arrow_schema, from_arrow, to_arrow, to_numpy
from videoannotator.data.buffers import number_array
from videoannotator.data.columns import Column, columns_of, rules_of
from videoannotator.errors import DataError, MissingDependencyError, nearest

__all__ = ["Table"]

T = TypeVar("T")
_CHUNK = 4096
_SHOWN = 10


class Table(Sequence[T], Generic[T]):
    """Rows of one attrs class, stored in columns (Arrow), immutable.

    A table is a sequence of row objects (``table[3]``, ``for row in table``) and NumPy columns at once
    (``table.score``, ``table.column("score")``). ``table[table.score > 0.5]``, ``table[10:20]`` and
    ``table[[0, 5]]`` give tables.

    >>> shots = Table.of(Shot, start=[0.0, 2.0], end=[2.0, 5.0], start_frame=[0, 50], end_frame=[50, 125])
    >>> len(shots.during(2.5, 3.0))
    1
    """

    __slots__ = ("_arrow", "_row_class")

    def __init__(self, row_class: type[T], arrow: pa.Table) -> None:
        """Made by `of`, `from_rows`, `from_arrow` and `empty`, which check what they are given."""
        self._row_class = row_class
        self._arrow = arrow

    @classmethod
    def of(cls, row_class: type[T], **columns: Any) -> Table[T]:
        """A table from columns: arrays, lists, or one value that stands in every row.

        Columns with a default may be left out. Raises `DataError` for an unknown or missing column, columns of
        different lengths, and any value that a row of this class would refuse.
        """
        wanted = columns_of(row_class)
        names = [c.name for c in wanted]
        for name in columns:
            if name not in names:
                raise DataError(
                    f"{row_class.__name__} has no column {name!r}{nearest(name, names)}; it has {', '.join(names)}"
                )
        missing = [c.name for c in wanted if c.required and c.name not in columns]
        if missing:
            raise DataError(f"{row_class.__name__} needs the columns {', '.join(missing)}")
        sizes = {n: len(v) for n, v in columns.items() if hasattr(v, "__len__") and not isinstance(v, str)}
        length = next(iter(sizes.values()), None)
        if len(set(sizes.values())) > 1:
            raise DataError(f"the columns of a {row_class.__name__} table differ in length: {sizes}")
        arrays = []
        for column in wanted:
            values = columns[column.name] if column.name in columns else [column.default] * (length or 0)
            try:
                arrays.append(to_arrow(column, values, length))
            except DataError as error:
                raise DataError(f"{row_class.__name__}.{error}") from None
        table = cls(row_class, pa.Table.from_arrays(arrays, schema=arrow_schema(row_class)))
        table._check_rules()
        return table

    @classmethod
    def from_rows(cls, row_class: type[T], rows: Iterable[T]) -> Table[T]:
        """A table from row objects, all of ``row_class``."""
        rows = list(rows)
        for row in rows:
            if not isinstance(row, row_class):
                raise DataError(f"a {row_class.__name__} table cannot hold {row!r}")
        return cls.of(row_class, **{c.name: [getattr(r, c.name) for r in rows] for c in columns_of(row_class)})

    @classmethod
    def empty(cls, row_class: type[T]) -> Table[T]:
        """A table without rows."""
        return cls(row_class, pa.Table.from_batches([], arrow_schema(row_class)))

    @classmethod
    def from_arrow(cls, row_class: type[T], arrow: pa.Table) -> Table[T]:
        """A table from an Arrow table with the columns of ``row_class``; values are checked."""
        return cls.of(row_class, **{name: arrow.column(name) for name in arrow.column_names})

    @classmethod
    def concat(cls, tables: Sequence[Table[T]]) -> Table[T]:
        """The rows of all tables, one after the other. All must hold the same row class."""
        if not tables:
            raise DataError("Table.concat needs at least one table, to know the row class")
        classes = {t.row_class for t in tables}
        if len(classes) > 1:
            raise DataError(f"tables of different rows cannot be put together: {sorted(c.__name__ for c in classes)}")
        return cls(tables[0].row_class, pa.concat_tables([t._arrow for t in tables]).combine_chunks())

    @property
    def row_class(self) -> type[T]:
        """The attrs class of the rows."""
        return self._row_class

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self._arrow.column_names)

    def column(self, name: str) -> NDArray[Any]:
        """One column as a NumPy array.

        Missing floats are NaN; a column of int or bool that may miss values is a masked array; text and rows are
        object arrays with None. An array column is stacked to (rows, ...) when all rows have one shape and none
        is missing, else an object array. Raises `DataError` for an unknown name.
        """
        return to_numpy(self._column(name), self._arrow.column(name))

    def _column(self, name: str) -> Column:
        for column in columns_of(self._row_class):
            if column.name == name:
                return column
        raise DataError(f"{self._row_class.__name__} has no column {name!r}{nearest(name, self.columns)}")

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name.startswith("_") or name not in self.columns:
            raise AttributeError(f"{type(self).__name__}[{self._row_class.__name__}] has no column {name!r}")
        return self.column(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.columns]

    def __len__(self) -> int:
        return int(self._arrow.num_rows)

    @overload
    def __getitem__(self, key: int) -> T: ...
    @overload
    def __getitem__(self, key: slice | Sequence[int] | Sequence[bool] | NDArray[Any]) -> Table[T]: ...
    def __getitem__(self, key: Any) -> T | Table[T]:
        if isinstance(key, int | np.integer):
            index = int(key) + (len(self) if key < 0 else 0)
            if not 0 <= index < len(self):
                raise IndexError(f"row {key} of a table with {len(self)} rows")
            return next(self._rows(self._arrow.slice(index, 1)))
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self._of(self._arrow.slice(start, max(0, stop - start)))
            return self._of(self._arrow.take(number_array(np.arange(start, stop, step, dtype=np.int64))))
        return self._select(key)

    def _select(self, key: Any) -> Table[T]:
        selector = np.ma.filled(key, False) if isinstance(key, np.ma.MaskedArray) else np.asarray(key)
        if selector.size == 0 and selector.dtype != bool:
            return self._of(self._arrow.slice(0, 0))
        if selector.ndim != 1 or selector.dtype.kind not in "biu":
            raise DataError(f"a table is selected by int, slice, or a row of bool or int, not by {key!r}")
        if selector.dtype == bool:
            if len(selector) != len(self):
                raise DataError(f"a selection of {len(selector)} does not fit a table of {len(self)} rows")
            return self._of(self._arrow.filter(number_array(selector)))
        indices = np.where(selector < 0, selector + len(self), selector)
        if indices.min() < 0 or indices.max() >= len(self):
            raise IndexError(f"rows {selector.tolist()} of a table with {len(self)} rows")
        return self._of(self._arrow.take(number_array(indices.astype(np.int64, copy=False))))

    def _of(self, arrow: pa.Table) -> Table[T]:
        return Table(self._row_class, arrow)

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self), _CHUNK):
            yield from self._rows(self._arrow.slice(start, _CHUNK))

    def _rows(self, arrow: pa.Table) -> Iterator[T]:
        wanted = columns_of(self._row_class)
        values = [from_arrow(c, arrow.column(c.name)) for c in wanted]
        build = _builder(self._row_class, [c.name for c in wanted])
        for row in zip(*values, strict=True):
            yield build(row)

    def during(self, start: float, end: float) -> Table[T]:
        """The rows that overlap ``[start, end)`` (rows with start and end) or lie in it (rows with a time)."""
        if "start" in self.columns and "end" in self.columns:
            return self[(self.column("start") < end) & (self.column("end") > start)]
        if "time" in self.columns:
            time = self.column("time")
            return self[(time >= start) & (time < end)]
        raise DataError(f"{self._row_class.__name__} has neither start and end nor time: nothing to select by")

    def sorted_by(self, *names: str) -> Table[T]:
        """The rows in ascending order of the named columns; missing values last; equal rows keep their order."""
        for name in names:
            self._column(name)
        position = "__position__"
        numbered = self._arrow.append_column(position, number_array(np.arange(len(self), dtype=np.int64)))
        ordered = numbered.sort_by([(n, "ascending") for n in (*names, position)])
        return self._of(ordered.drop_columns([position]))

    def _check_rules(self) -> None:
        for rule in rules_of(self._row_class):
            low, high = self.column(rule.low), self.column(rule.high)
            bad = low >= high if rule.strict else low > high
            if bad.any():
                row = int(np.argmax(bad))
                bound = "below" if rule.strict else "at most"
                raise DataError(
                    f"{self._row_class.__name__}.{rule.low} must be {bound} .{rule.high}, "
                    f"got {rule.low}={low[row].item()!r}, {rule.high}={high[row].item()!r} in row {row}"
                )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self._row_class is other._row_class and bool(self._arrow.equals(other._arrow))

    __hash__ = None  # type: ignore[assignment]  # as long as a table, and compared by value

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[type[T], pa.Table]]:
        return type(self), (self._row_class, self._arrow)

    def to_arrow(self) -> pa.Table:
        """The columns as a ``pyarrow.Table``; units are in the field metadata."""
        return self._arrow

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``: missing ints and bools as pandas' nullable types, arrays as NumPy arrays."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingDependencyError("to_pandas() needs pandas: pip install 'videoannotator[pandas]'") from error
        nullable: dict[Any, Any] = {pa.bool_(): pd.BooleanDtype()}
        for bits in (8, 16, 32, 64):
            nullable[getattr(pa, f"int{bits}")()] = getattr(pd, f"Int{bits}Dtype")()
            nullable[getattr(pa, f"uint{bits}")()] = getattr(pd, f"UInt{bits}Dtype")()
        series = {}
        for column in columns_of(self._row_class):
            arrow = self._arrow.column(column.name)
            if column.kind in ("array", "rows"):
                series[column.name] = pd.Series(from_arrow(column, arrow), dtype=object)
            else:
                series[column.name] = arrow.to_pandas(types_mapper=nullable.get if column.nullable else None)
        return pd.DataFrame(series)

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``."""
        try:
            import polars as pl
        except ImportError as error:
            raise MissingDependencyError("to_polars() needs polars: pip install 'videoannotator[polars]'") from error
        return pl.from_arrow(self._arrow)

    def __repr__(self) -> str:
        name = self._row_class.__name__
        shown = [f"  {row!r}" for row in self[:3]]
        if len(self) > 3:
            shown.append(f"  ... {len(self) - 3} more")
        return "\n".join([f"Table[{name}] with {len(self)} rows", *shown])

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{escape(c.name)}{f' ({escape(c.unit)})' if c.unit else ''}</th>" for c in columns_of(self._row_class)
        )
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_short(getattr(row, n)))}</td>" for n in self.columns) + "</tr>"
            for row in self[:_SHOWN]
        )
        more = f"<p>{len(self) - _SHOWN} more rows</p>" if len(self) > _SHOWN else ""
        title = f"{escape(self._row_class.__name__)}, {len(self)} rows"
        return f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    text = f"{len(value)} rows" if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _builder(row_class: type[T], names: Sequence[str]) -> Callable[[tuple[Any, ...]], T]:
    """A function from a tuple of values to a row. Rows made by ``@row`` were checked as columns already."""
    if not getattr(row_class, "__row_checked__", False):
        aliases = [a.alias or a.name for a in attrs.fields(row_class)]  # type: ignore[arg-type]
        return lambda values: row_class(**dict(zip(aliases, values, strict=True)))
    put = object.__setattr__

    def build(values: tuple[Any, ...]) -> T:
        made = object.__new__(row_class)
        for name, value in zip(names, values, strict=True):
            put(made, name, value)
        return made

    return build
