"""Row classes by name, for reading what was written.

A file must not make us import whatever it names. So a name is looked up among our own rows and among those that
installed plugins declare; for any other a class is made from the columns that are there.
"""

from __future__ import annotations

import keyword
from functools import cache
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.data.columns import ArrayOf, Dtype, Unit
from videoannotator.data.rows import ROWS, row
from videoannotator.discover.catalog import catalog
from videoannotator.discover.specs import load
from videoannotator.errors import FormatError, PluginLoadError

__all__ = ["class_path", "find_class", "made_class"]

_OURS = {f"{cls.__module__}:{cls.__qualname__}": cls for cls in ROWS}


def class_path(row_class: type[Any]) -> str:
    """``"package.module:Class"``."""
    return f"{row_class.__module__}:{row_class.__qualname__}"


def find_class(path: str) -> type[Any] | None:
    """The row class called ``path``, if it is ours or an installed plugin declares it; else None."""
    if path in _OURS:
        return _OURS[path]
    name = path.rpartition(":")[2]
    declared = {given for entry in catalog().pipelines.values() for given in entry.spec.gives.values()}
    # a plugin may declare its class under another module than the one that defines it
    for given in sorted(declared, key=lambda g: g != path):
        if given.rpartition(":")[2] == name:
            try:
                found: type[Any] = load(given)
            except PluginLoadError:
                continue
            if class_path(found) == path:
                return found
    return None


def made_class(name: str, schema: pa.Schema) -> type[Any]:
    """A row class with the columns of an Arrow schema: types, units and which may be missing, but no ranges.

    The same name and schema give the same class. Raises `FormatError` for columns that no row class could have.
    """
    return _made(name, tuple(_Field(f.name, f.type, f.nullable, _unit(f)) for f in schema))


class _Field(tuple[str, pa.DataType, bool, str | None]):
    __slots__ = ()

    def __new__(cls, *values: Any) -> _Field:
        return super().__new__(cls, values)


def _unit(field: pa.Field) -> str | None:
    unit = (field.metadata or {}).get(b"unit")
    return None if unit is None else unit.decode()


@cache
def _made(name: str, fields: tuple[_Field, ...]) -> type[Any]:
    hints = {}
    for field, type_, nullable, unit in fields:
        # attrs writes source code with these names in it
        if not field.isidentifier() or keyword.iskeyword(field) or field.startswith("_"):
            raise FormatError(f"{field!r} cannot be the name of a column")
        hint = _hint(f"{name}_{field}", type_)
        if unit is not None:
            hint = Annotated[hint, Unit(unit)]
        hints[field] = hint | None if nullable else hint
    return row(type(name, (), {"__annotations__": hints, "__module__": __name__, "__doc__": f"Rows read as {name}."}))


def _hint(name: str, type_: pa.DataType) -> Any:
    """The annotation whose column has the Arrow type ``type_``."""
    natural = {pa.int64(): int, pa.float64(): float, pa.bool_(): bool, pa.string(): str}
    if type_ in natural:
        return natural[type_]
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        plain = int if pa.types.is_integer(type_) else float
        return Annotated[plain, Dtype(np.dtype(type_.to_pandas_dtype()).name)]
    if pa.types.is_list(type_) and pa.types.is_struct(type_.value_type):
        inner = tuple(_Field(f.name, f.type, f.nullable, _unit(f)) for f in type_.value_type)
        return tuple[_made(name, inner), ...]  # type: ignore[misc]  # a class made at run time
    shape: list[int | None] = []
    while pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        shape.append(type_.list_size if pa.types.is_fixed_size_list(type_) else None)
        type_ = type_.value_type
    if shape and (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
        dtype = np.dtype(type_.to_pandas_dtype())
        return Annotated[NDArray[dtype.type], ArrayOf(dtype.name, tuple(shape))]  # type: ignore[name-defined]
    raise FormatError(f"a column of type {type_} cannot be read")
