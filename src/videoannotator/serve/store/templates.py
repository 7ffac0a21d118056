"""Templates: what to run and how, under a name; a user's own, and those that are shared."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import Row, delete, exc, insert, or_, select, update

from videoannotator.serve.errors import ConflictError, ForbiddenError, NotFoundError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.paging import Cursor, behind, is_id, merged
from videoannotator.serve.store.rows import made_of
from videoannotator.serve.store.schema import templates

__all__ = ["Template", "TemplateStore"]


@attrs.frozen(kw_only=True)
class Template:
    """A template. ``request``: what a job's request says, without the video. ``shared``: everybody may use it."""

    id: str
    owner_id: str
    name: str
    description: str | None
    shared: bool
    request: dict[str, Any]
    created_at: float
    updated_at: float

    @classmethod
    def of(cls, row: Row[Any]) -> Template:
        """From a row of the table."""
        return made_of(cls, row)


class TemplateStore:
    """Every statement about templates. ``user``: who asks; ``admin``: whether that one may change everybody's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(
        self, user: str, name: str, request: Mapping[str, Any], *, description: str | None = None, shared: bool = False
    ) -> Template:
        """Keep a template. Raises `ConflictError` when the user has one of that name."""
        added = insert(templates).values(
            id=str(uuid.uuid4()),
            owner_id=user,
            name=name,
            description=description,
            shared=shared,
            request=dict(request),
            created_at=moment(),
            updated_at=moment(),
        )
        try:
            with self.database.write() as connection:
                return Template.of(connection.execute(added.returning(*templates.c)).one())
        except exc.IntegrityError as error:
            raise _taken(name) from error

    def get(self, template_id: str, user: str, *, admin: bool = False) -> Template:
        """One's own, a shared one, or for an admin any. Raises `NotFoundError`."""
        with self.database.read() as connection:
            wanted = select(*templates.c).where(templates.c.id == template_id)
            if not admin:
                wanted = wanted.where(or_(templates.c.owner_id == user, templates.c.shared))
            row = connection.execute(wanted).one_or_none() if is_id(template_id) else None
        if row is None:
            raise _absent(template_id)
        return Template.of(row)

    def named(self, name: str, user: str) -> Template:
        """By name or id: one's own first, then a shared one; of several, the oldest. Raises `NotFoundError`."""
        wanted = (
            select(*templates.c)
            .where(
                or_(templates.c.name == name, templates.c.id == name),
                or_(templates.c.owner_id == user, templates.c.shared),
            )
            .order_by((templates.c.owner_id == user).desc(), templates.c.created_at, templates.c.id)
            .limit(1)
        )
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            raise _absent(name)
        return Template.of(row)

    def page(self, user: str, *, after: Cursor | None = None, limit: int = 50) -> list[Template]:
        """One's own and the shared ones, newest first."""
        own = templates.c.owner_id == user
        parts = [
            behind(select(*templates.c).where(*which), templates.c.created_at, templates.c.id, after)
            for which in ((own,), (templates.c.shared, ~own))  # each in the order of an index; merged, not sorted
        ]
        with self.database.read() as connection:
            found = connection.execute(merged(parts, limit=limit, sqlite=self.database.is_sqlite))
            return [Template.of(row) for row in found]

    def change(self, template_id: str, user: str, values: Mapping[str, Any], *, admin: bool = False) -> Template:
        """Set some of name, description, shared, request. Raises `ConflictError`, `ForbiddenError`, `NotFoundError`."""
        self._own(template_id, user, admin)
        changed = update(templates).where(templates.c.id == template_id).values(**values, updated_at=moment())
        try:
            with self.database.write() as connection:
                row = connection.execute(changed.returning(*templates.c)).one_or_none()
        except exc.IntegrityError as error:
            raise _taken(str(values.get("name"))) from error
        if row is None:
            raise _absent(template_id)
        return Template.of(row)

    def remove(self, template_id: str, user: str, *, admin: bool = False) -> None:
        """Raises `ForbiddenError` for a shared one of somebody else, `NotFoundError`."""
        self._own(template_id, user, admin)
        with self.database.write() as connection:
            connection.execute(delete(templates).where(templates.c.id == template_id))

    def _own(self, template_id: str, user: str, admin: bool) -> None:
        if self.get(template_id, user, admin=admin).owner_id != user and not admin:
            raise ForbiddenError("this template is shared by somebody else", hint="make one of your own")


def _absent(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no template {name!r}", code="TEMPLATE_NOT_FOUND", hint="GET /api/v1/templates lists them"
    )


def _taken(name: str) -> ConflictError:
    return ConflictError(
        f"you have a template {name!r} already",
        code="TEMPLATE_NAME_TAKEN",
        hint="choose another name, or change that one: PUT /api/v1/templates/{id}",
    )
