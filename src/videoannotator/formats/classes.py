"""Row classes by name, for reading what was written.

A file must not make us import whatever it names. So a name is looked up among our own rows and among those that
installed plugins declare; for any other a class is made from the columns that are there. So it is with the rows of
pipelines that live in an environment of their own: their classes cannot be imported here.
"""

from __future__ import annotations

import base64
import keyword
from functools import cache
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from videoannotator.data.arrow import arrow_schema
from videoannotator.data.columns import ArrayOf, Dtype, Unit
from videoannotator.data.rows import ROWS, row
from videoannotator.discover.catalog import PipelineEntry, catalog
from videoannotator.discover.specs import load
from videoannotator.errors import FormatError, PluginLoadError
from videoannotator.formats.mot_rows import MotBox

__all__ = ["class_of", "class_path", "find_class", "made_class", "row_class_of"]

_OURS = {f"{cls.__module__}:{cls.__qualname__}": cls for cls in (*ROWS, MotBox)}


def class_path(row_class: type[Any]) -> str:
    """``"package.module:Class"``."""
    return f"{row_class.__module__}:{row_class.__qualname__}"


def find_class(path: str) -> type[Any] | None:
    """The row class called ``path``, if it is ours or an installed plugin declares it; else None."""
    if path in _OURS:
        return _OURS[path]
    name = path.rpartition(":")[2]
    entries = catalog().entries
    for entry in entries:
        for output, rows in entry.described.rows.items() if entry.described else ():
            if rows.path == path:
                return row_class_of(entry, output)
    declared = {given for entry in entries for given in (entry.importable or {}).values()}
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


def row_class_of(entry: PipelineEntry, output: str) -> type[Any]:
    """The class of the rows of an output; see `class_of` for a pipeline of another environment.

    Raises `PluginLoadError` when it cannot be imported here.
    """
    if entry.described is None:
        found: type[Any] = load(entry.spec.gives[output])
        return found
    rows = entry.described.rows[output]
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(rows.schema)))
    except (pa.ArrowException, ValueError) as error:
        raise PluginLoadError(f"what is known of the rows of {entry.spec.name}.{output} is damaged: {error}") from error
    return class_of(rows.path, schema)


def class_of(path: str, schema: pa.Schema) -> type[Any]:
    """The row class ``path`` of another environment: ours where it has these columns, else one made from them."""
    ours = _OURS.get(path)
    if ours is not None and arrow_schema(ours).equals(schema, check_metadata=True):
        return ours
    return made_class(path, schema)


def made_class(path: str, schema: pa.Schema) -> type[Any]:
    """A row class with the columns of an Arrow schema: types, units and which may be missing, but no ranges.

    ``path``: its `class_path`. The same path and schema give the same class. Raises `FormatError` for columns that no
    row class could have.
    """
    bare = pa.schema([_bare(field) for field in schema])
    return _made(path, bare.serialize().to_pybytes())


def _bare(field: pa.Field) -> pa.Field:
    """What decides a class, and nothing else: Parquet calls the items of lists otherwise than Arrow does."""
    unit = _unit(field)
    return pa.field(field.name, _bare_type(field.type), field.nullable, None if unit is None else {"unit": unit})


def _bare_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(_bare_type(type_.value_type), type_.list_size)
    if pa.types.is_list(type_):
        return pa.list_(_bare_type(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([_bare(field) for field in type_])
    return type_


def _unit(field: pa.Field) -> str | None:
    unit = (field.metadata or {}).get(b"unit")
    return None if unit is None else unit.decode()


@cache
def _made(path: str, schema: bytes) -> type[Any]:
    module, _, name = path.rpartition(":")
    hints = {}
    for given in pa.ipc.read_schema(pa.py_buffer(schema)):
        field, unit = given.name, _unit(given)
        # attrs writes source code with these names in it
        if not field.isidentifier() or keyword.iskeyword(field) or field.startswith("_"):
            raise FormatError(f"{field!r} cannot be the name of a column")
        hint = _hint(f"{path}_{field}", given.type)
        if unit is not None:
            hint = Annotated[hint, Unit(unit)]
        hints[field] = hint | None if given.nullable else hint
    said = {
        "__annotations__": hints,
        "__module__": module or __name__,
        "__qualname__": name,
        "__doc__": f"Rows of {path}.",
    }
    return row(type(name.rpartition(".")[2], (), said))


def _hint(path: str, type_: pa.DataType) -> Any:
    """The annotation whose column has the Arrow type ``type_``."""
    natural = {pa.int64(): int, pa.float64(): float, pa.bool_(): bool, pa.string(): str}
    if type_ in natural:
        return natural[type_]
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        plain = int if pa.types.is_integer(type_) else float
        return Annotated[plain, Dtype(np.dtype(type_.to_pandas_dtype()).name)]
    if pa.types.is_list(type_) and pa.types.is_struct(type_.value_type):
        return tuple[made_class(path, pa.schema(list(type_.value_type))), ...]  # type: ignore[misc]  # a class made at run time
    shape: list[int | None] = []
    while pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        shape.append(type_.list_size if pa.types.is_fixed_size_list(type_) else None)
        type_ = type_.value_type
    if shape and (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
        dtype = np.dtype(type_.to_pandas_dtype())
        return Annotated[NDArray[dtype.type], ArrayOf(dtype.name, tuple(shape))]  # type: ignore[name-defined]
    raise FormatError(f"a column of type {type_} cannot be read")
