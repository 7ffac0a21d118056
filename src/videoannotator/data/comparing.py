"""Two results side by side: equal, or where and by how much they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.convert import unstructure
from videoannotator.data.outcome import PipelineRecord, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table

__all__ = ["ColumnDifference", "Comparison", "TableComparison", "compare"]


@attrs.frozen
class ColumnDifference:
    """A column that is not the same. ``rows``: in how many rows.

    ``largest``: absolute difference, of numbers and of those in arrays of one shape, in the column's own unit; None
    where there is no such pair of values (text, missing values, other shapes).
    """

    name: str
    rows: int
    largest: float | None = None

    def __str__(self) -> str:
        how = f", by at most {self.largest:.6g}" if self.largest is not None else ""
        return f"{self.name} differs in {self.rows} row{'s' if self.rows > 1 else ''}{how}"


@attrs.frozen
class TableComparison:
    """One output in two results. ``rows``: how many each has, None where a result does not have the table.

    ``columns``: those that differ, row by row; empty when the numbers of rows differ. ``only_first``, ``only_second``:
    how many rows are, exactly as they are, in one alone.
    """

    pipeline: str
    output: str
    rows: tuple[int | None, int | None]
    columns: tuple[ColumnDifference, ...] = ()
    only_first: int = 0
    only_second: int = 0

    @property
    def equal(self) -> bool:
        """True when every row is the same, bit for bit."""
        return self.rows[0] == self.rows[1] and not self.columns

    def __str__(self) -> str:
        what = f"{self.pipeline}.{self.output}"
        if self.equal:
            return f"{what}: equal, {self.rows[0]} rows"
        if None in self.rows:
            return f"{what}: only in the {'second' if self.rows[0] is None else 'first'}"
        if self.rows[0] != self.rows[1]:
            alone = f"{self.only_first} and {self.only_second} are in one alone"
            return f"{what}: {self.rows[0]} and {self.rows[1]} rows, of which {alone}"
        return f"{what}: {'; '.join(map(str, self.columns))}; of {self.rows[0]} rows"


@attrs.frozen
class Comparison:
    """What `compare` found.

    ``others``: what else differs of a pipeline's result, in words (failures, coverage). ``made``: what differs in how
    the two were made, as ``name -> (first, second)``; this alone does not make them unequal.
    """

    tables: tuple[TableComparison, ...]
    others: tuple[str, ...] = ()
    made: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)

    @property
    def equal(self) -> bool:
        """True when rows, coverage and failures are the same."""
        return not self.others and all(table.equal for table in self.tables)

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        lines = ["equal" if self.equal else "not equal"]
        lines += [f"  {table}" for table in self.tables]
        lines += [f"  {other}" for other in self.others]
        lines += [f"  made with {name}: {first}, then {second}" for name, (first, second) in self.made.items()]
        return "\n".join(lines)


def compare(first: Result, second: Result) -> Comparison:
    """Compare rows, coverage and failures of two results, and with what they were made.

    Rows are compared as they stand, in their order; floating-point numbers bit for bit (two that are not a number are
    the same).
    """
    tables: list[TableComparison] = []
    others: list[str] = []
    for name in dict.fromkeys([*first, *second]):
        one, other = first.pipelines.get(name), second.pipelines.get(name)
        outputs = dict.fromkeys([*(one.tables if one else ()), *(other.tables if other else ())])
        tables += [_table(name, output, _of(one, output), _of(other, output)) for output in outputs]
        if one is not None and other is not None:
            others += _others(name, one, other)
        else:
            others.append(f"{name} is only in the {'first' if other is None else 'second'}")
    if _said(first.media_failures) != _said(second.media_failures):
        others.append(f"failures of the file: {_said(first.media_failures)}, then {_said(second.media_failures)}")
    return Comparison(tuple(tables), tuple(others), _made(first.provenance, second.provenance))


def _of(result: PipelineResult | None, output: str) -> Table[Any] | None:
    return result.tables.get(output) if result is not None else None


def _table(pipeline: str, output: str, one: Table[Any] | None, other: Table[Any] | None) -> TableComparison:
    counts = (None if one is None else len(one), None if other is None else len(other))
    if one is None or other is None:
        return TableComparison(pipeline, output, counts)
    if len(one) != len(other):
        rows, more = (Counter(map(repr, map(_plain, table))) for table in (one, other))
        alone = (sum((rows - more).values()), sum((more - rows).values()))
        return TableComparison(pipeline, output, counts, (), *alone)
    names = dict.fromkeys([*one.columns, *other.columns])
    columns = (_column(name, one, other) for name in names)
    return TableComparison(pipeline, output, counts, tuple(column for column in columns if column is not None))


def _plain(row: Any) -> Any:
    return unstructure(row)


def _column(name: str, one: Table[Any], other: Table[Any]) -> ColumnDifference | None:
    if name not in one.columns or name not in other.columns:
        return ColumnDifference(name, max(len(one), 1))
    if one.to_arrow().column(name).equals(other.to_arrow().column(name)):
        return None
    pairs = list(zip(_values(one, name), _values(other, name), strict=True))
    unequal = [(a, b) for a, b in pairs if not _same(a, b)]
    if not unequal:
        return None
    sizes = [size for a, b in unequal if (size := _apart(a, b)) is not None]
    return ColumnDifference(name, len(unequal), max(sizes, default=None))


def _values(table: Table[Any], name: str) -> list[Any]:
    column: NDArray[Any] = table.column(name)
    missing = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    if missing is None:
        return list(column)
    return [None if np.all(gone) else value for value, gone in zip(np.ma.getdata(column), missing, strict=True)]


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, np.ndarray | np.generic | float) and isinstance(b, np.ndarray | np.generic | float):
        floats = np.asarray(a).dtype.kind == "f"
        return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b, equal_nan=floats))
    return bool(_plain(a) == _plain(b))


def _apart(a: Any, b: Any) -> float | None:
    if a is None or b is None or np.shape(a) != np.shape(b):
        return None
    first, second = np.asarray(a), np.asarray(b)
    if first.dtype.kind not in "fiu" or second.dtype.kind not in "fiu":
        return None
    return float(np.nanmax(np.abs(first.astype(np.float64) - second.astype(np.float64)), initial=0.0))


def _others(name: str, one: PipelineResult, other: PipelineResult) -> list[str]:
    found = []
    if one.coverage != other.coverage:
        found.append(f"{name} has looked at {one.coverage.duration:.3f} s, then {other.coverage.duration:.3f} s")
    if _said(one.failures) != _said(other.failures):
        found.append(f"failures of {name}: {_said(one.failures)}, then {_said(other.failures)}")
    return found


def _said(failures: Iterable[Any]) -> str:
    """Without tracebacks, which name places in the code."""
    return "; ".join(map(str, failures)) or "none"


def _made(first: Provenance, second: Provenance) -> dict[str, tuple[str, str]]:
    one, other = _told(first), _told(second)
    names = dict.fromkeys([*one, *other])
    return {n: (one.get(n, "-"), other.get(n, "-")) for n in names if one.get(n, "-") != other.get(n, "-")}


def _told(provenance: Provenance) -> dict[str, str]:
    told = {"media": provenance.media_sha256, "videoannotator": provenance.videoannotator}
    told |= {"span": str(provenance.span), "spans": " ".join(map(str, provenance.spans)) or "-"}
    for record in provenance.pipelines:
        told |= {f"{record.name} {what}": value for what, value in _record(record).items()}
    for kind, values in (("decoder", provenance.decoder), ("platform", provenance.platform)):
        told |= {f"{kind} {name}": value for name, value in values.items()}
    return told | dict(provenance.libraries)


def _record(record: PipelineRecord) -> dict[str, str]:
    told = {"version": record.version, "plugin": f"{record.plugin} {record.plugin_version}", "device": record.device}
    told |= {"precision": record.precision, "dtype": record.dtype}
    told |= {"batch": str(record.batch), "threads": str(record.threads)}
    told |= {f"model {model.name}": model.sha256 for model in record.models}
    told |= {f"library {name}": value for name, value in record.libraries.items()}
    return told | {f"setting {name}": str(value) for name, value in record.config.items()}
