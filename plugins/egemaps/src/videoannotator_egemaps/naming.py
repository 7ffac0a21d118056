"""Between openSMILE's names and those of our columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from videoannotator import Table
from videoannotator.errors import DataError, MissingDependencyError
from videoannotator_egemaps.config import FeatureSet
from videoannotator_egemaps.rows import Features
from videoannotator_egemaps.smile import Extractor

__all__ = ["column_of", "opensmile_names", "to_opensmile"]

_SPAN = ("start", "end", "speaker")


def column_of(name: str) -> str:
    """openSMILE's name of a feature as a name of Python."""
    return name.replace(".", "_").replace("-", "_")


def opensmile_names(feature_set: FeatureSet, *, descriptors: bool = False) -> tuple[str, ...]:
    """openSMILE's names of the functionals, or of the low-level descriptors, of a set, in its order."""
    return Extractor(feature_set, descriptors=descriptors).names


def to_opensmile(table: Table[Any]) -> Any:
    """A table of this plugin as a ``pandas.DataFrame`` with openSMILE's own names of columns.

    The index has start and end (``Timedelta``, as in ``Smile.process_signal``) and speaker. Columns that the feature
    set does not have are left out; stretches that are too short are rows of NaN. Raises `DataError` for another table.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError("to_opensmile() needs pandas: pip install pandas") from error
    if table.row_class is Features:
        names, values = _of_arrays(table)
    else:
        names, values = _of_columns(table)
    spans = [pd.to_timedelta(table.column(name), unit="s") for name in ("start", "end")]
    index = pd.MultiIndex.from_arrays([*spans, table.column("speaker")], names=_SPAN)
    return pd.DataFrame(values, index=index, columns=list(names))


def _of_columns(table: Table[Any]) -> tuple[Sequence[str], np.ndarray[Any, Any]]:
    columns = [name for name in table.columns if name not in _SPAN]
    for descriptors in (False, True):
        known = {column_of(name): name for name in opensmile_names("eGeMAPSv02", descriptors=descriptors)}
        if list(known) == columns:
            values = np.stack([table.column(name) for name in columns], axis=1)
            small = {column_of(name) for name in opensmile_names("GeMAPSv01b", descriptors=descriptors)}
            more = [number for number, name in enumerate(columns) if name not in small]
            if np.isfinite(values).any() and not np.isfinite(values[:, more]).any():
                kept = [number for number, name in enumerate(columns) if name in small]
                columns, values = [columns[number] for number in kept], values[:, kept]
            return [known[name] for name in columns], values
    raise DataError(f"this is no table of egemaps: it holds {table.row_class.__name__} rows")


def _of_arrays(table: Table[Any]) -> tuple[Sequence[str], np.ndarray[Any, Any]]:
    rows = [row.values for row in table]
    lengths = {len(row) for row in rows if row is not None}
    names: tuple[str, ...] = ()
    for descriptors in (False, True):
        names = opensmile_names("ComParE_2016", descriptors=descriptors)
        if lengths <= {len(names)}:
            break
    else:
        raise DataError(f"these are no features of ComParE_2016: rows of {sorted(lengths)} numbers")
    missing = np.full(len(names), np.nan, dtype=np.float32)
    return names, np.array([missing if row is None else row for row in rows]).reshape(len(rows), len(names))
