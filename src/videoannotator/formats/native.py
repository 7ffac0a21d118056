"""The library's own format: everything a result holds, without loss."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import class_path, find_class, made_class
from videoannotator.formats.files import new_folder, plain_name, read_json
from videoannotator.formats.record import Record, TableRecord

__all__ = ["Native"]

SUFFIX = ".videoannotator"
MANIFEST = "manifest.json"
_ARROW = ".arrow"


class Native:
    """A folder ``{stem}.videoannotator/``: ``manifest.json`` and one ``{pipeline}/{output}.parquet`` for each table.

    Everything comes back equal: rows with missing values and exact numbers, empty tables, coverage, failures with
    their tracebacks, provenance, and the media with the time of every frame. The Parquet files (zstd) open in pandas,
    polars, R and DuckDB. The folder appears whole or not at all; one that stands there is replaced when the new one
    is complete. Rows of a plugin that is not installed come back as rows of a class made from the columns.

    ``quick``: write tables as Arrow files (``.arrow``) instead: larger, and read many times faster. Both are read.
    ``rows``: row classes that whoever reads expects; others are looked for among those of all installed plugins.

    What it cannot hold: nothing is lost; but the manifest names the media file's folder, so look at it before you
    pass it on.
    """

    def __init__(self, *, quick: bool = False, rows: Iterable[type[Any]] = ()) -> None:
        self._quick = quick
        self._rows = {class_path(row): row for row in rows}

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write the folder; see `Format.write`. Refuses to replace a folder that is not of this format."""
        target = folder / f"{stem}{SUFFIX}"
        with new_folder(target, foreign=_foreign) as working:
            tables = {}
            for pipeline, output, table in result.tables():
                file = f"{plain_name(pipeline)}/{plain_name(output)}{_ARROW if self._quick else '.parquet'}"
                (working / file).parent.mkdir(exist_ok=True)
                _write_table(table.to_arrow(), working / file)
                tables[pipeline, output] = TableRecord.of(table, file=file)
            manifest = Record.of(result, tables, result.pipelines).plain()
            text = json.dumps(manifest, ensure_ascii=False, allow_nan=False, indent=1)
            (working / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
        return [target]

    def read(self, path: Path) -> Result:
        """The result in a folder (or of its ``manifest.json``). Raises `FormatError` when it is none or is damaged."""
        folder = path.parent if path.name == MANIFEST else path
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise FormatError(f"{folder} holds no result: it has no {MANIFEST}")
        record = Record.from_plain(read_json(manifest), manifest)
        tables = {
            (name, output): self._table(folder, entry)
            for name, part in record.pipelines.items()
            for output, entry in part.tables.items()
        }
        return record.result(tables, folder)

    def _table(self, folder: Path, entry: TableRecord) -> Table[Any]:
        file = folder / (entry.file or "")
        if not file.resolve().is_relative_to(folder.resolve()):
            raise FormatError(f"{folder / MANIFEST} names a file outside its folder: {entry.file!r}")
        if not file.is_file():
            raise FormatError(f"{folder} is damaged: {entry.file!r} is missing")
        try:
            arrow = _read_table(file)
            row_class = self._rows.get(entry.row) or find_class(entry.row)
            if row_class is None:
                row_class = made_class(entry.row, arrow.schema)
            return Table.from_arrow(row_class, arrow)
        except OSError as error:
            raise FormatError(f"{file} could not be read: {error}") from error
        except (pa.ArrowException, DataError) as error:
            raise FormatError(f"{file} is damaged, or its rows are not those of {entry.row}: {error}") from error


def _foreign(folder: Path) -> str | None:
    return None if (folder / MANIFEST).is_file() else f"it has no {MANIFEST}"


def _write_table(arrow: pa.Table, file: Path) -> None:
    if file.suffix == _ARROW:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, arrow.schema) as writer:
            writer.write_table(arrow)
    else:
        parquet.write_table(arrow, file, compression="zstd")


def _read_table(file: Path) -> pa.Table:
    if file.suffix == _ARROW:  # into memory, not mapped: the file may be removed meanwhile, or its disk
        with pa.OSFile(str(file), "rb") as source:
            arrow = pa.ipc.open_file(source).read_all()
        arrow.validate(full=True)  # lengths that were damaged would lead out of the memory
        return arrow
    return parquet.ParquetFile(file).read()  # read_table() would import pandas
