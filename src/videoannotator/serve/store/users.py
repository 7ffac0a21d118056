"""Users: who they are, what role they have, how much they may keep."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
from sqlalchemy import Connection, Row, exc, func, insert, select, update

from videoannotator.serve.access.principals import ROLES, Role
from videoannotator.serve.errors import ConflictError, NotFoundError, RequestError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.paging import Cursor, newest_first
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import users

__all__ = ["User", "UserStore", "checked_name"]


@attrs.frozen(kw_only=True)
class User:
    """A user as in the database; the columns of `schema.users`."""

    id: str
    name: str
    email: str | None
    full_name: str | None
    role: Role
    active: bool
    quota_bytes: int | None
    quota_jobs: int | None
    created_at: float

    @classmethod
    def of(cls, row: Row[Any]) -> User:
        """From a row of the table."""
        return made_of(cls, row)


class UserStore:
    """Every statement about users. There is always an active admin: the last one cannot be put aside."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, name: str, role: Role, *, connection: Connection | None = None, **values: Any) -> User:
        """Add a user. ``values``: other columns. Raises `ConflictError` when the name is taken."""
        if connection is None:
            with self.database.write() as connection:
                return self.add(name, role, connection=connection, **values)
        new = {"id": str(uuid.uuid4()), "active": True, **values, "name": checked_name(name), "role": _checked(role)}
        added = insert(users).values(created_at=moment(), **new).returning(*users.c)
        try:
            return User.of(connection.execute(added).one())
        except exc.IntegrityError as error:
            raise ConflictError(
                f"there is a user {name!r} already", code="NAME_TAKEN", hint="choose another name"
            ) from error

    def get(self, user_id: str) -> User:
        """Raises `NotFoundError`."""
        return self._one(users.c.id == user_id, user_id)

    def named(self, name: str) -> User:
        """Raises `NotFoundError`."""
        return self._one(users.c.name == name, name)

    def page(self, *, after: Cursor | None = None, limit: int = 200) -> list[User]:
        """Users, newest first, behind ``after``."""
        wanted = newest_first(select(*users.c), users.c.created_at, users.c.id, after=after, limit=limit)
        with self.database.read() as connection:
            return [User.of(row) for row in connection.execute(wanted)]

    def change(self, user_id: str, **values: Any) -> User:
        """Change columns of a user. Raises `NotFoundError`, `ConflictError`."""
        if "name" in values:
            values["name"] = checked_name(values["name"])
        if "role" in values:
            _checked(values["role"])
        with self.database.write() as connection:
            admins = select(users.c.id).where(users.c.role == "admin", users.c.active).order_by(users.c.id)
            active = connection.execute(admins if self.database.is_sqlite else admins.with_for_update()).scalars().all()
            demoted = values.get("role", "admin") != "admin" or not values.get("active", True)
            if demoted and list(active) == [user_id]:
                raise ConflictError(
                    "this is the last active admin; without one nobody could let anybody in",
                    code="LAST_ADMIN",
                    hint="make another user an admin first",
                )
            changed = update(users).where(users.c.id == user_id).values(values).returning(*users.c)
            if not values:
                changed = select(*users.c).where(users.c.id == user_id)  # type: ignore[assignment]  # both give rows
            try:
                row = connection.execute(changed).one_or_none()
            except exc.IntegrityError as error:
                raise ConflictError(f"there is a user {values['name']!r} already", code="NAME_TAKEN") from error
        if row is None:
            raise _missing(user_id)
        return User.of(row)

    def of_issuer(self, user_id: str, name: str, role: Role | None, email: str | None) -> User:
        """The user behind an issuer's token: found by id, or made, as ``role`` (guest if None).

        A role that the issuer gives is written down when it has changed; None leaves what an admin has set. A name that
        somebody else has gets the beginning of the id behind it.
        """
        with self.database.read() as connection:
            row = connection.execute(select(*users.c).where(users.c.id == user_id)).one_or_none()
        if row is not None and (role is None or row.role == role):
            return User.of(row)
        with self.database.write() as connection:
            self.database.serialise(connection, "videoannotator.users.of_issuer")
            known = connection.execute(select(*users.c).where(users.c.id == user_id)).one_or_none()
            if known is not None:
                if role is not None:
                    connection.execute(update(users).where(users.c.id == user_id).values(role=role))
                return User.of(connection.execute(select(*users.c).where(users.c.id == user_id)).one())
            taken = connection.execute(select(func.count()).where(users.c.name == name)).scalar_one()
            name = f"{name[:90]} {user_id[:8]}" if taken else name
            return self.add(name, role or "guest", connection=connection, id=user_id, email=email)

    def _one(self, condition: Any, what: str) -> User:
        with self.database.read() as connection:
            row = connection.execute(select(*users.c).where(condition)).one_or_none()
        if row is None:
            raise _missing(what)
        return User.of(row)


def checked_name(name: str) -> str:
    """``name`` if it can be shown anywhere as it is: 1 to 100 printable characters. Raises `RequestError`."""
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise RequestError(
            f"{name[:100]!r} cannot be a name: 1 to 100 printable characters, no space at the ends", code="INVALID_NAME"
        )
    return name


def _checked(role: Role) -> Role:
    if role not in ROLES:
        raise RequestError(f"there is no role {role!r}; choose from {', '.join(ROLES)}", code="INVALID_ROLE")
    return role


def _missing(what: str) -> NotFoundError:
    return NotFoundError(f"there is no user {what}", code="USER_NOT_FOUND", hint="GET /api/v1/users lists them")
