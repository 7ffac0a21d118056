"""Rows of the database as values."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import attrs
from sqlalchemy import Row

__all__ = ["made_of"]

T = TypeVar("T", bound=attrs.AttrsInstance)


def made_of(kind: type[T], row: Row[Any]) -> T:
    """A value of an attrs class whose fields are called like columns of the row; other columns are left out."""
    columns = row._mapping  # made anew at each look: once for a row
    return kind(**{name: columns[name] for name in _names(kind)})


@cache
def _names(kind: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind))
