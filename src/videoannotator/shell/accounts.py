"""``videoannotator auth``: users, keys and tokens, in the database of this machine's server or through its API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from videoannotator.errors import UsageError
from videoannotator.shell.main import Exit
from videoannotator.shell.places import FolderOrServer
from videoannotator.shell.settings import comma_list
from videoannotator.shell.speaking import give, say

if TYPE_CHECKING:
    from videoannotator.shell.client import Client

__all__ = [
    "Accounts",
    "accounts",
    "add_user",
    "change_user",
    "give_secret",
    "make_key",
    "make_token",
    "revoke_keys",
    "show_keys",
    "show_users",
]

Row = dict[str, Any]


class Accounts(Protocol):
    """What both ways can do. Rows are as the API shows them; a key's and a token's secret is in ``key``, ``token``."""

    def users(self) -> list[Row]:
        """All of them."""
        ...

    def add_user(self, name: str, role: str, email: str | None, full_name: str | None) -> Row:
        """Raises `ServerError` when the name is taken."""
        ...

    def change_user(self, user_id: str, change: Row) -> Row:
        """Another role, or put aside."""
        ...

    def keys(self, user_id: str | None) -> list[Row]:
        """Of a user, or of all."""
        ...

    def make_key(self, user_id: str | None, name: str, scopes: list[str] | None, days: float | None) -> Row:
        """For a user, or for the one who asks."""
        ...

    def revoke_key(self, key_id: str) -> Row:
        """End it."""
        ...

    def make_token(self, user_id: str | None, scopes: list[str] | None, minutes: float | None) -> Row:
        """For a user, or for the one who asks."""
        ...


@contextmanager
def accounts(where: FolderOrServer) -> Iterator[Accounts]:
    """The accounts of the server that is asked, or of the database that is named."""
    if where.server is not None:
        with where.asked.client() as client:
            yield Remote(client)
        return
    if where.key is not None:
        raise UsageError("--key goes with --server: the database itself needs none")
    from videoannotator.shell.databases import opened

    with opened(where.folder) as service:
        from videoannotator.shell.local_accounts import Local

        yield Local(service)


class Remote:
    """Through the API of a server."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def users(self) -> list[Row]:
        """All of them."""
        return list(self.client.pages("/users", "users"))

    def add_user(self, name: str, role: str, email: str | None, full_name: str | None) -> Row:
        """Add one."""
        new = {"name": name, "role": role, "email": email, "full_name": full_name}
        return _row(self.client.ask("POST", "/users", body={k: v for k, v in new.items() if v is not None}))

    def change_user(self, user_id: str, change: Row) -> Row:
        """Another role, or put aside."""
        return _row(self.client.ask("PATCH", f"/users/{quote(user_id, safe='')}", body=change))

    def keys(self, user_id: str | None) -> list[Row]:
        """Of a user, or of the one who asks; of all, for an admin."""
        whose = user_id or ("all" if self._is_admin() else None)
        return list(self.client.pages("/keys", "keys", user_id=whose))

    def make_key(self, user_id: str | None, name: str, scopes: list[str] | None, days: float | None) -> Row:
        """For a user, or for the one who asks."""
        new = {"name": name, "scopes": scopes, "expires_in_days": days, "user_id": user_id}
        return _row(self.client.ask("POST", "/keys", body={k: v for k, v in new.items() if v is not None}))

    def revoke_key(self, key_id: str) -> Row:
        """End it."""
        return _row(self.client.ask("DELETE", f"/keys/{quote(key_id, safe='')}"))

    def make_token(self, user_id: str | None, scopes: list[str] | None, minutes: float | None) -> Row:
        """For the one who asks."""
        if user_id is not None and user_id != self._me()["user"]["id"]:
            raise UsageError("a server makes tokens for the owner of the key only: leave out --user")
        new = {"scopes": scopes, "minutes": minutes}
        made = self.client.ask("POST", "/tokens", body={k: v for k, v in new.items() if v is not None})
        return {**made, "token": made["access_token"]}

    def _me(self) -> Row:
        return _row(self.client.ask("GET", "/users/me"))

    def _is_admin(self) -> bool:
        return "admin" in self._me()["scopes"]


def _row(answer: Any) -> Row:
    row: Row = answer
    return row


def show_users(found: Accounts, *, as_json: bool) -> int:
    """One line for each user."""
    for user in found.users():
        state = "active" if user["active"] else "disabled"
        line = f"{user['name']}\t{user['role']}\t{state}\t{user['created_at']}\t{user['id']}"
        give(json.dumps(user) if as_json else line)
    return Exit.WELL


def show_keys(found: Accounts, user: str | None, *, as_json: bool) -> int:
    """One line for each key."""
    names: dict[str, str] = {}
    if user is not None:
        chosen = _named(found, user)
        names[chosen["id"]] = chosen["name"]
    for key in found.keys(next(iter(names), None)):
        if as_json:
            give(json.dumps(key))
            continue
        if key["user_id"] not in names:
            names = _names(found, key["user_id"])
        until = f"until {key['expires_at']}" if key["expires_at"] else "no end"
        used = f"used {key['last_used_at']}" if key["last_used_at"] else "never used"
        state = f"revoked {key['revoked_at']}" if key["revoked_at"] else until
        give("\t".join([key["id"], names[key["user_id"]], key["name"], ",".join(key["scopes"]), state, used]))
    return Exit.WELL


def _names(found: Accounts, own: str) -> dict[str, str]:
    from videoannotator.errors import ServerError

    try:
        return {user["id"]: user["name"] for user in found.users()}
    except ServerError:  # only admins may see all users; others see their own keys
        return {own: "your own"}


def _named(found: Accounts, name: str) -> Row:
    from videoannotator.errors import nearest

    known = {user["name"]: user for user in found.users()}
    by_id = {user["id"]: user for user in known.values()}
    if name not in known and name not in by_id:
        raise UsageError(f"there is no user {name!r}{nearest(name, known)}; see: videoannotator auth users list")
    return known.get(name) or by_id[name]


def add_user(found: Accounts, name: str, role: str, email: str | None, full_name: str | None) -> int:
    """Add a user; the id goes to standard output."""
    made = found.add_user(name, role, email, full_name)
    say(f"{name} is a {role} now; make a key with: videoannotator auth keys create --user {name}")
    give(made["id"])
    return Exit.WELL


def change_user(found: Accounts, name: str, **change: Any) -> int:
    """Change a user."""
    user = found.change_user(_named(found, name)["id"], change)
    say(f"{user['name']}: {user['role']}, {'active' if user['active'] else 'disabled'}")
    return Exit.WELL


def make_key(
    found: Accounts, user: str | None, name: str, scopes: Sequence[str], days: float | None, output: Path | None
) -> int:
    """Make a key and give it, this once."""
    whose = None if user is None else _named(found, user)["id"]
    made = found.make_key(whose, name, comma_list(scopes) or None, days)
    until = f"until {made['expires_at']}" if made["expires_at"] else "until it is revoked"
    say(f"key {made['id']} ({', '.join(made['scopes']) or 'no scopes'}), valid {until}; it is shown this once")
    give_secret(made["key"], output)
    return Exit.WELL


def give_secret(secret: str, output: Path | None) -> None:
    """To standard output, or into a new file that only its owner can read."""
    if output is None:
        give(secret)
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{secret}\n")
    except OSError as error:  # the key exists: it must not be lost for a file's sake
        say(f"{output}: cannot be written: {error.strerror}")
        give(secret)
        return
    say(f"it is in {output}")


def revoke_keys(found: Accounts, ids: Sequence[str]) -> int:
    """End keys."""
    for key_id in ids:
        revoked = found.revoke_key(key_id)
        say(f"key {revoked['id']} ({revoked['name']}) ended {revoked['revoked_at']}")
    return Exit.WELL


def make_token(found: Accounts, user: str | None, scopes: Sequence[str], minutes: float | None) -> int:
    """Make a token and give it."""
    whose = None if user is None else _named(found, user)["id"]
    made = found.make_token(whose, comma_list(scopes) or None, minutes)
    say(f"valid until {made['expires_at']}")
    give(made["token"])
    return Exit.WELL
