"""CSV: every table, for spreadsheets and statistics programs, and a Data Package that tells what the columns are."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from videoannotator.data.arrow import arrow_schema
from videoannotator.data.columns import Column, columns_of
from videoannotator.data.convert import structure, unstructure
from videoannotator.data.result import Result
from videoannotator.data.rows import Face
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import find_class
from videoannotator.formats.files import dumps, file_names, new_file, read_json
from videoannotator.formats.names import point_names
from videoannotator.formats.record import Record, TableRecord

__all__ = ["Csv"]

SIDECAR = ".datapackage.json"
_MOST_COLUMNS = 1024  # an array with more numbers stays in one cell


class Csv:
    """Comma-separated values (RFC 4180, UTF-8), one file ``{stem}_{pipeline}.csv`` for each table of any row class.

    A pipeline that failed before it looked at anything gets no file; its tables stand in the Data Package.

    Beside them stands ``{stem}.datapackage.json``, a Data Package (https://datapackage.org/standard/): type, unit
    and range of every column, and media, coverage, failures and provenance.

    Numbers are written with as few digits as give the same number back. A missing value is an empty cell; empty
    text is ``""``. An array that has one shape in the whole table is spread over columns (``keypoints_nose_x``,
    ``keypoints_nose_y``, ``keypoints_nose_score``, ``landmarks_right_eye_x``); of varying shape, it is one cell of
    JSON, as are rows inside rows (the words of an utterance).

    Text is written as it is. A spreadsheet takes text that begins with ``=``, ``+``, ``-`` or ``@`` for a formula:
    import columns of text *as text*, above all from files you did not make.

    What it cannot hold: the media file's folder and the tracebacks of failures. Without its Data Package a file
    can be read by any other program, but not by ours. Rows of a plugin's class need that plugin for reading.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write every table, and the Data Package last; see `Format.write`."""
        written: list[Path] = []
        resources = []
        tables: dict[tuple[str, str], TableRecord] = {}
        for name, pipeline, output, table in file_names(result, stem, ".csv", lambda table: True):
            layouts = _layouts(table)
            with new_file(folder / name) as file:
                _write(file, table, layouts)
            written.append(folder / name)
            tables[pipeline, output] = TableRecord.of(table, file=name)
            resources.append(_resource(name, f"{pipeline}_{output}", layouts))
        if not tables:
            return []
        for pipeline, parts in result.pipelines.items():
            for output, table in parts.tables.items():  # of one that looked at nothing, the package says just that
                tables.setdefault((pipeline, output), TableRecord.of(table))
        sidecar = folder / f"{stem}{SIDECAR}"
        package = {
            "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
            "name": re.sub(r"[^a-z0-9._-]+", "-", stem.lower()),
            "title": f"Annotations of {result.provenance.media_name}",
            "created": result.provenance.created,
            "resources": resources,
            "videoannotator": Record.of(result, tables, result.pipelines).shared().plain(),
        }
        with new_file(sidecar) as file:
            file.write(json.dumps(package, ensure_ascii=False, allow_nan=False, indent=1).encode())
        return [*written, sidecar]

    def read(self, path: Path) -> Result:
        """Every table of a Data Package of ours, or the one table of a ``.csv`` that stands beside its package.

        Raises `FormatError` when there is no Data Package, or a row class comes from a plugin that is not installed.
        """
        if path.name.endswith(SIDECAR):
            return self._read(path, None)
        if not path.is_file():
            raise FormatError(f"{path} is not there")
        for sidecar in sorted(path.parent.glob(f"*{SIDECAR}")):
            package = read_json(sidecar)
            if any(resource.get("path") == path.name for resource in _resources(package, sidecar)):
                return self._read(sidecar, path.name)
        raise FormatError(
            f"{path} has no Data Package (*{SIDECAR}) beside it that tells its types; read it with pandas.read_csv"
        )

    def _read(self, sidecar: Path, only: str | None) -> Result:
        package = read_json(sidecar)
        layouts = {r["path"]: r.get("videoannotator") for r in _resources(package, sidecar)}
        record = Record.from_plain(package.get("videoannotator"), sidecar)
        if only is not None:
            record = _only(record, only)
        tables = {}
        for name, part in record.pipelines.items():
            for output, entry in part.tables.items():
                if entry.file is None:
                    tables[name, output] = _nothing(entry, sidecar)
                    continue
                if entry.file not in layouts or Path(entry.file or "..").name != entry.file:
                    raise FormatError(f"{sidecar} is damaged: {name}.{output} has no file beside it")
                file = sidecar.parent / str(entry.file)
                tables[name, output] = _read(file, entry.row, layouts[entry.file])
        return record.result(tables, sidecar)


@attrs.frozen
class Layout:
    """Where a column of a table stands in the file. ``cells``: its names there, more than one for a spread array.

    ``shape``: of a spread array. ``encoded``: the cell is JSON.
    """

    name: str
    cells: tuple[str, ...]
    shape: tuple[int, ...] = ()
    encoded: bool = False


def _layouts(table: Table[Any]) -> list[tuple[Column, Layout]]:
    layouts: list[tuple[Column, Layout]] = []
    taken = set(table.columns)
    for column in columns_of(table.row_class):
        layout = Layout(column.name, (column.name,), encoded=column.kind in ("array", "rows"))
        shape = _common_shape(table, column)
        if shape is not None:
            cells = _cells(column, shape, face=issubclass(table.row_class, Face))
            if not taken & set(cells):
                layout = Layout(column.name, cells, shape)
                taken |= set(cells)
        layouts.append((column, layout))
    return layouts


def _common_shape(table: Table[Any], column: Column) -> tuple[int, ...] | None:
    if column.kind != "array":
        return None
    shapes = {v.shape for v in table.column(column.name) if v is not None}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    return shape if 0 < np.prod(shape) <= _MOST_COLUMNS else None


def _cells(column: Column, shape: tuple[int, ...], *, face: bool) -> tuple[str, ...]:
    axes = [[str(n) for n in range(length)] for length in shape]
    if column.name in ("keypoints", "landmarks") and len(shape) == 2:
        axes[0] = point_names(shape[0], face=face)
        if shape[1] in (2, 3):
            axes[1] = ["x", "y", "score"][: shape[1]]
    return tuple("_".join([column.name, *parts]) for parts in product(*axes))


def _write(file: BinaryIO, table: Table[Any], layouts: list[tuple[Column, Layout]]) -> None:
    arrow = table.to_arrow()
    columns: dict[str, Any] = {}
    for column, layout in layouts:
        if layout.encoded:
            values = table.column(column.name)
            columns[column.name] = pa.array([None if v is None else dumps(_plain(v)) for v in values], pa.string())
        elif layout.shape:
            columns |= _spread(table, column, layout)
        else:
            columns[column.name] = arrow.column(column.name)
    wide = {n: v.cast(pa.float32()) if v.type == pa.float16() else v for n, v in columns.items()}
    arrow_csv.write_csv(pa.table(wide), file)


def _plain(value: Any) -> Any:
    """Nested values as plain data; float32 with as few decimals as give the same float32 back."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.array(value).astype(str).astype(np.float64).tolist()
    return unstructure(value)


def _spread(table: Table[Any], column: Column, layout: Layout) -> dict[str, pa.Array]:
    values = table.column(column.name)
    missing = np.array([v is None for v in values], dtype=bool)
    flat = np.zeros((len(values), len(layout.cells)), dtype=column.dtype)
    if not missing.all():
        flat[~missing] = np.stack([v for v in values if v is not None]).reshape(-1, len(layout.cells))
    return {cell: pa.array(flat[:, n], mask=missing) for n, cell in enumerate(layout.cells)}


def _resource(file: str, name: str, layouts: list[tuple[Column, Layout]]) -> dict[str, Any]:
    fields = [field for column, layout in layouts for field in _fields(column, layout)]
    return {
        "name": re.sub(r"[^a-z0-9._-]+", "-", name.lower()),
        "path": file,
        "type": "table",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {"fields": fields, "missingValues": [""]},
        "videoannotator": unstructure([layout for _, layout in layouts]),
    }


def _fields(column: Column, layout: Layout) -> list[dict[str, Any]]:
    types = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "rows": "array"}
    kind = types.get(column.kind) or ("array" if layout.encoded else _number_type(column))
    constraints: dict[str, Any] = {} if column.nullable else {"required": True}
    if column.kind == "str" and not column.nullable:
        constraints = {}  # empty text is a value here, and other readers take it for a missing one
    if column.range is not None:
        limits = {"minimum": column.range.ge, "maximum": column.range.le}
        limits |= {"exclusiveMinimum": column.range.gt, "exclusiveMaximum": column.range.lt}
        constraints |= {key: limit for key, limit in limits.items() if limit is not None}
    if column.choices:
        constraints["enum"] = list(column.choices)
    more = {"unit": column.unit} if column.unit else {}
    return [
        {"name": cell, "type": kind, **more, **({"constraints": constraints} if constraints else {})}
        for cell in layout.cells
    ]


def _number_type(column: Column) -> str:
    return {"f": "number", "b": "boolean"}.get(np.dtype(column.dtype).kind, "integer")


def _resources(package: Any, path: Path) -> list[dict[str, Any]]:
    resources = package.get("resources") if isinstance(package, dict) else None
    if not isinstance(resources, list) or not all(
        isinstance(r, dict) and isinstance(r.get("path"), str) for r in resources
    ):
        raise FormatError(f"{path} is no Data Package: it must have a list of resources with paths")
    return resources


def _only(record: Record, file: str) -> Record:
    """The record of one file's table, and its pipeline."""
    parts = {}
    for name, part in record.pipelines.items():
        tables = {output: t for output, t in part.tables.items() if t.file == file}
        if tables:
            parts[name] = attrs.evolve(part, tables=tables)
    return attrs.evolve(record, pipelines=parts)


def _nothing(entry: TableRecord, sidecar: Path) -> Table[Any]:
    """The empty table of a pipeline that looked at nothing, for which no file was written."""
    if entry.rows:
        raise FormatError(f"{sidecar} is damaged: {entry.rows} rows of {entry.row} have no file")
    return Table.empty(_row_class(entry.row, sidecar))


def _row_class(row: str, file: Path) -> type[Any]:
    found = find_class(row)
    if found is None:
        raise FormatError(f"{file} has rows of {row}: install the plugin they come from, or use pandas.read_csv")
    return found


def _read(file: Path, row: str, layouts: Any) -> Table[Any]:
    row_class = _row_class(row, file)
    try:
        known = {layout.name: layout for layout in structure(list[Layout], layouts)}
        columns = [(column, known[column.name]) for column in columns_of(row_class)]
        arrow = _read_cells(file, columns, arrow_schema(row_class))
        return Table.of(row_class, **{c.name: _values(c, layout, arrow) for c, layout in columns})
    except OSError as error:
        raise FormatError(f"{file} could not be read: {error}") from error
    except (pa.ArrowException, DataError, KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{file} does not have the rows its Data Package tells of: {error}") from error


def _read_cells(file: Path, columns: list[tuple[Column, Layout]], schema: pa.Schema) -> pa.Table:
    types: dict[str, pa.DataType] = {}
    for column, layout in columns:
        one = pa.string() if layout.encoded else schema.field(column.name).type
        if layout.shape:
            one = pa.from_numpy_dtype(np.dtype(column.dtype))
        types |= dict.fromkeys(layout.cells, pa.float32() if one == pa.float16() else one)
    return arrow_csv.read_csv(
        file,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    )


def _values(column: Column, layout: Layout, arrow: pa.Table) -> Any:
    if layout.encoded:
        cells = [None if c is None else json.loads(c) for c in arrow.column(column.name).to_pylist()]
        if column.kind == "rows":
            return [None if c is None else structure(tuple[column.row, ...], c) for c in cells]  # type: ignore[name-defined]
        return cells
    if not layout.shape:
        return arrow.column(column.name)
    flat = np.stack([arrow.column(c).to_numpy(zero_copy_only=False) for c in layout.cells], axis=1)
    missing = arrow.column(layout.cells[0]).is_null().to_numpy(zero_copy_only=False)
    rows: list[Any] = [None if m else v.reshape(layout.shape) for m, v in zip(missing, flat, strict=True)]
    return rows
