"""Pages of a list, newest first, that stay right while rows come and go: the next page begins behind the last row."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import attrs
from sqlalchemy import ColumnElement, CompoundSelect, Select, tuple_, union_all
from sqlalchemy.sql import literal

from videoannotator.serve.errors import RequestError

__all__ = ["Cursor", "Kept", "behind", "is_id", "merged", "newest_first"]

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """True for what may be an id of ours; nothing else is looked for in the database."""
    return _ID.fullmatch(text) is not None


class Kept(Protocol):
    """What has a place in such a list."""

    @property
    def id(self) -> str:
        """Of the row."""
        ...

    @property
    def created_at(self) -> float:
        """Seconds since 1970."""
        ...


K = TypeVar("K", bound=Kept)
S = TypeVar("S", Select[Any], CompoundSelect[Any])


@attrs.frozen
class Cursor:
    """A place in a list: behind the row with this moment and id. ``str(cursor)`` is what clients are given."""

    created_at: float
    id: str

    @classmethod
    def after(cls, rows: list[K], limit: int) -> Cursor | None:
        """Where the next page begins; None behind the last one. ``rows``: up to ``limit`` of them."""
        return cls(rows[-1].created_at, rows[-1].id) if len(rows) >= limit else None

    @classmethod
    def of(cls, text: str | None) -> Cursor | None:
        """From what a client sends back. Raises `RequestError` for anything that we did not give."""
        if text is None:
            return None
        try:
            created_at, row = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
            fine = isinstance(created_at, int | float) and math.isfinite(created_at) and isinstance(row, str)
        except (ValueError, binascii.Error, TypeError, RecursionError, OverflowError):
            fine = False
        if not fine or "\x00" in row:
            raise RequestError(
                "the cursor is none of ours",
                code="INVALID_CURSOR",
                hint="send back 'next_cursor' of the page before, as it was given; leave it out for the first page",
            )
        return cls(float(created_at), row)

    def __str__(self) -> str:
        plain = json.dumps([self.created_at, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def behind(
    wanted: Select[Any], created_at: ColumnElement[float], row_id: ColumnElement[str], after: Cursor | None
) -> Select[Any]:
    """Those rows of a statement that come behind a place in the list."""
    if after is None:
        return wanted
    return wanted.where(tuple_(created_at, row_id) < tuple_(literal(after.created_at), literal(after.id)))


def newest_first(
    wanted: Select[Any],
    created_at: ColumnElement[float],
    row_id: ColumnElement[str],
    after: Cursor | None,
    *,
    limit: int,
) -> Select[Any]:
    """One page of a statement."""
    return behind(wanted, created_at, row_id, after).order_by(created_at.desc(), row_id.desc()).limit(limit)


def merged(parts: Sequence[Select[Any]], *, limit: int, offset: int = 0, sqlite: bool) -> CompoundSelect[Any]:
    """One page, newest first, of several statements with ``created_at`` and ``id`` that have no row in common.

    Each is in the order of an index: they are merged, and nothing is sorted.
    """
    if not sqlite:  # PostgreSQL sorts what it could merge, unless it is told how much of each is needed
        parts = [_ordered(part).limit(limit + offset).subquery().select() for part in parts]
    return _ordered(union_all(*parts)).limit(limit).offset(offset)


def _ordered(wanted: S) -> S:
    columns = wanted.selected_columns
    return wanted.order_by(columns.created_at.desc(), columns.id.desc())
