"""API keys: made, found, listed, revoked; and which tokens of ours count no more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import attrs
from sqlalchemy import Connection, Row, bindparam, delete, exc, insert, or_, select, update

from videoannotator.serve.access.principals import SCOPES, Scope
from videoannotator.serve.access.secret_keys import digest_of, made_key
from videoannotator.serve.errors import DatabaseUnavailable, NotFoundError, RequestError, StorageFullError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.paging import Cursor, newest_first
from videoannotator.serve.store.schema import api_keys, revoked_tokens, users
from videoannotator.serve.store.users import User, checked_name

__all__ = ["Key", "KeyStore", "KnownKey"]

_log = logging.getLogger(__name__)

USED_EVERY = 60.0
"""Seconds between two writes of `last_used_at` of one key."""


@attrs.frozen(kw_only=True)
class Key:
    """A key as in the database, without its secret. ``id`` may be shown."""

    id: str
    user_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Key:
        """From a row of the table."""
        values = {field.name: row._mapping[getattr(api_keys.c, field.name)] for field in attrs.fields(cls)}
        return cls(**{**values, "scopes": tuple(values["scopes"])})


@attrs.frozen
class KnownKey:
    """A key, the digest of its secret, whose it is, and when it was looked up (by the database's clock)."""

    key: Key
    digest: str
    user: User
    now: float


_SHOWN = [column for column in api_keys.c if column.name != "digest"]
_KNOWN = (
    select(*api_keys.c, *(column.label(f"user_{column.name}_") for column in users.c), moment().label("now_"))
    .join_from(api_keys, users)
    .where(api_keys.c.id == bindparam("wanted"))
)


class KeyStore:
    """Every statement about keys and revoked tokens."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._used: dict[str, float] = {}
        self._lock = threading.Lock()

    def create(
        self,
        user_id: str,
        name: str,
        scopes: Iterable[Scope],
        *,
        expires_in: float | None = None,
        connection: Connection | None = None,
    ) -> tuple[Key, str]:
        """A new key of a user and its secret, which is nowhere else. ``expires_in``: seconds; None: it stays valid."""
        if connection is None:
            with self.database.write() as connection:
                return self.create(user_id, name, scopes, expires_in=expires_in, connection=connection)
        wanted = set(scopes)
        if not wanted <= set(SCOPES):
            raise RequestError(f"scopes are {', '.join(SCOPES)}", code="INVALID_SCOPE")
        if expires_in is not None and expires_in <= 0:
            raise RequestError("a key cannot end before it begins: expires_in must be above 0", code="INVALID_EXPIRY")
        key_id, secret = made_key()
        added = insert(api_keys).values(
            id=key_id,
            user_id=user_id,
            name=checked_name(name),
            digest=digest_of(secret),
            scopes=[scope for scope in SCOPES if scope in wanted],
            created_at=moment(),
            expires_at=None if expires_in is None else moment() + expires_in,
        )
        try:
            return Key.of(connection.execute(added.returning(*_SHOWN)).one()), secret
        except exc.IntegrityError as error:
            raise NotFoundError(f"there is no user {user_id}", code="USER_NOT_FOUND") from error

    def known(self, key_id: str) -> KnownKey | None:
        """The key of an id, with its user; None when there is none."""
        with self.database.read() as connection:
            row = connection.execute(_KNOWN, {"wanted": key_id}).one_or_none()
        if row is None:
            return None
        user = User(**{field.name: row._mapping[f"user_{field.name}_"] for field in attrs.fields(User)})
        return KnownKey(Key.of(row), row._mapping[api_keys.c.digest], user, row.now_)

    def use_is_due(self, key_id: str) -> bool:
        """Whether the use of a key is to be written down now: at most once a minute, and by one who asks."""
        with self._lock:
            now = time.monotonic()
            if now - self._used.get(key_id, -USED_EVERY) < USED_EVERY:
                return False
            self._used = {key: at for key, at in self._used.items() if now - at < USED_EVERY} | {key_id: now}
            return True

    def was_used(self, key_id: str) -> None:
        """Write down that a key was used, unless another server just did. What stops that stops nothing else."""
        due = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= moment() - USED_EVERY)
        try:
            with self.database.write() as connection:
                connection.execute(update(api_keys).where(api_keys.c.id == key_id, due).values(last_used_at=moment()))
        except (StorageFullError, DatabaseUnavailable) as error:
            _log.warning("when key %s was used could not be written down: %s", key_id, error)

    def page(self, user_id: str | None, *, after: Cursor | None = None, limit: int = 200) -> list[Key]:
        """Keys of a user (None: of everybody), newest first, behind ``after``."""
        wanted = newest_first(select(*_SHOWN), api_keys.c.created_at, api_keys.c.id, after=after, limit=limit)
        if user_id is not None:
            wanted = wanted.where(api_keys.c.user_id == user_id)
        with self.database.read() as connection:
            return [Key.of(row) for row in connection.execute(wanted).all()]

    def get(self, key_id: str, owner: str | None) -> Key:
        """A key of ``owner`` (None: of anybody). Raises `NotFoundError`."""
        wanted = select(*_SHOWN).where(api_keys.c.id == key_id)
        if owner is not None:
            wanted = wanted.where(api_keys.c.user_id == owner)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise _missing(key_id)
        return Key.of(row)

    def revoke(self, key_id: str, owner: str | None) -> Key:
        """End a key of ``owner`` (None: of anybody), and with it all tokens and sign-ins that go back to it.

        Raises `NotFoundError`. A key that was revoked before keeps its moment.
        """
        ended = update(api_keys).where(api_keys.c.id == key_id)
        if owner is not None:
            ended = ended.where(api_keys.c.user_id == owner)
        with self.database.write() as connection:
            connection.execute(ended.where(api_keys.c.revoked_at.is_(None)).values(revoked_at=moment()))
        return self.get(key_id, owner)

    def revoke_token(self, token_id: str, expires_at: float) -> None:
        """Let a token of ours count no more. ``expires_at``: when it would have ended, seconds since 1970."""
        with suppress(exc.IntegrityError), self.database.write() as connection:  # revoked twice is revoked
            connection.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at < moment() - 3600.0))
            connection.execute(insert(revoked_tokens).values(id=token_id, expires_at=expires_at))

    def is_revoked(self, token_id: str) -> bool:
        """Whether a token of ours was revoked."""
        with self.database.read() as connection:
            wanted = select(revoked_tokens.c.id).where(revoked_tokens.c.id == token_id)
            return connection.execute(wanted).first() is not None


def _missing(key_id: str) -> NotFoundError:
    return NotFoundError(f"there is no key {key_id}", code="KEY_NOT_FOUND", hint="GET /api/v1/keys lists yours")
