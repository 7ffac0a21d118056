"""The same request sent twice is done once: the header ``Idempotency-Key``.

What a request made and what it was answered are written in one transaction. Whoever sends the same key again within a
day, to the same route as the same user, gets that answer; with another body it is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from videoannotator.serve.errors import KeyReuseError, RequestError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.schema import idempotency

__all__ = ["Answer", "IdempotencyStore", "digest_of_request"]

KEPT = 24 * 3600.0
"""Seconds that an answer is kept."""
_FORM = re.compile(r"[!-~]{1,200}")


@attrs.frozen
class Answer:
    """What a request is answered. ``again``: this was the answer to an earlier one."""

    status: int
    body: dict[str, Any]
    again: bool = False


class IdempotencyStore:
    """Every statement about idempotency keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def once(
        self,
        key: str | None,
        *,
        user_id: str,
        route: str,
        digest: str,
        make: Callable[[Connection], tuple[int, dict[str, Any]]],
    ) -> Answer:
        """Do what ``make`` does, or give the answer of last time.

        ``make`` gets the connection of the transaction and gives status and body; what it raises takes everything back,
        and the key stays free. ``digest``: of everything the request consists of, see `digest_of_request`.
        ``key``: None does it in any case. Of requests at the same time, one does it and the others wait for its answer.
        Raises `KeyReuseError`, `RequestError`.
        """
        if key is not None and not _FORM.fullmatch(key):
            raise RequestError(
                "Idempotency-Key must be 1 to 200 printable ASCII characters without spaces",
                code="INVALID_IDEMPOTENCY_KEY",
                hint="a UUID does",
            )
        with self.database.write() as connection:
            if key is None:
                return Answer(*make(connection))
            place = {"user_id": user_id, "route": route, "key": key}
            here = [idempotency.c[name] == value for name, value in place.items()]
            connection.execute(delete(idempotency).where(*here, idempotency.c.created_at < moment() - KEPT))
            new = {**place, "body_sha256": digest, "status": 0, "response": {}}
            if not self._taken(connection, new):  # waits while another transaction holds the same key
                earlier = connection.execute(select(*idempotency.c).where(*here)).one()
                if earlier.body_sha256 != digest:
                    raise KeyReuseError(
                        f"the Idempotency-Key {key!r} was used for another request",
                        hint="use a new key for a new request; the same key is for sending the same request again",
                    )
                return Answer(earlier.status, dict(earlier.response), again=True)
            status, body = make(connection)
            connection.execute(update(idempotency).where(*here).values(status=status, response=body))
            return Answer(status, body)

    def remove_old(self) -> int:
        """Remove what is older than a day; how many there were."""
        with self.database.write() as connection:
            return connection.execute(delete(idempotency).where(idempotency.c.created_at < moment() - KEPT)).rowcount

    def _taken(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        dialect = sqlite if self.database.is_sqlite else postgresql
        added = dialect.insert(idempotency).values(created_at=moment(), **values).on_conflict_do_nothing()
        return connection.execute(added.returning(idempotency.c.key)).first() is not None


def digest_of_request(values: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever order they stand in; of a file in them give its own hash."""
    plain = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()
