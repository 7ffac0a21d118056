"""Who is there on the first start: an admin with a key, or the one user of a server that asks nobody."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from videoannotator.serve.access.principals import SCOPES, Principal
from videoannotator.serve.store.schema import api_keys, users
from videoannotator.serve.store.users import User

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["LOCAL", "first_admin", "local_principal"]

ADMIN = "admin"
LOCAL = "local"


def first_admin(service: Service) -> str | None:
    """Make an admin and their first key when no admin has ever had one; its secret, or None.

    To be printed once, to standard output: it is kept nowhere. Servers that start together make one between them.
    """
    database = service.database
    with database.write() as connection:
        database.serialise(connection, "videoannotator.first_admin")
        had = select(exists().where(api_keys.c.user_id == users.c.id, users.c.role == "admin"))
        if connection.execute(had).scalar_one():
            return None
        taken = connection.execute(select(exists().where(users.c.name == ADMIN))).scalar_one()
        name = f"{ADMIN} {uuid.uuid4().hex[:8]}" if taken else ADMIN  # whoever has that name is somebody else
        user = service.users.add(name, "admin", connection=connection)
        _, secret = service.keys.create(user.id, "first key", SCOPES, connection=connection)
        return secret


def local_principal(service: Service) -> Principal:
    """Who everybody is where ``access.required`` is off: the admin ``local``, made if missing."""
    database = service.database
    with database.write() as connection:
        database.serialise(connection, "videoannotator.local")
        row = connection.execute(select(*users.c).where(users.c.name == LOCAL)).one_or_none()
        user = User.of(row) if row is not None else service.users.add(LOCAL, "admin", connection=connection)
    return Principal(user_id=user.id, name=user.name, role="admin", scopes=frozenset(SCOPES), via="local")
