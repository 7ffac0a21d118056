"""``videoannotator auth`` and its options; what each does is in `videoannotator.shell.accounts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from videoannotator.shell.places import FolderOrServer

__all__ = ["auth"]

WHERE = FolderOrServer()

auth = App(name="auth", help="Who may use a server: users, their keys, short-lived tokens.")
keys = App(name="keys", help="API keys: list, make, revoke.")
users = App(name="users", help="Users: list, add, change what they may do.")
tokens = App(name="tokens", help="Short-lived tokens.")
auth.command(keys)
auth.command(users)
auth.command(tokens)

Role = Literal["admin", "researcher", "analyst", "guest"]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
User = Annotated[str | None, Parameter(name="--user")]
Scopes = Annotated[tuple[str, ...], Parameter(name="--scope", consume_multiple=False, negative="", show_default=False)]


@keys.command(name="list")
def keys_list(
    *,
    user: User = None,
    json: Flag = False,
    where: FolderOrServer = WHERE,
) -> int:
    """List keys: id, user, name, scopes, until when, used last, whether revoked. Never the keys themselves.

    Parameters
    ----------
    user
        Only those of this user.
    json
        As JSON, one a line.
    """
    from videoannotator.shell.accounts import accounts, show_keys

    with accounts(where) as open_:
        return show_keys(open_, user, as_json=json)


@keys.command(name="create")
def keys_create(
    *,
    user: User = None,
    name: str = "from the command line",
    scopes: Scopes = (),
    days: float | None = None,
    output: Path | None = None,
    where: FolderOrServer = WHERE,
) -> int:
    """Make a key. It goes to standard output, this once; nobody can show it again.

    Parameters
    ----------
    user
        Whose. [default: admin; with --server the one who asks]
    name
        What it is for.
    scopes
        read, write, admin, separated by commas. [default: what the user's role may do]
    days
        Until when it is valid. [default: until it is revoked]
    output
        Write it into this file, which only you can read, and not to standard output.
    """
    from videoannotator.shell.accounts import accounts, make_key

    with accounts(where) as open_:
        return make_key(open_, user, name, scopes, days, output)


@keys.command(name="revoke")
def keys_revoke(
    ids: Annotated[tuple[str, ...], Parameter(consume_multiple=True)],
    /,
    *,
    where: FolderOrServer = WHERE,
) -> int:
    """End keys, and with them all tokens that were made with them.

    Parameters
    ----------
    ids
        Their ids, as keys list shows them.
    """
    from videoannotator.shell.accounts import accounts, revoke_keys

    with accounts(where) as open_:
        return revoke_keys(open_, ids)


@users.command(name="list")
def users_list(
    *,
    json: Flag = False,
    where: FolderOrServer = WHERE,
) -> int:
    """List users: name, role, whether active, id.

    Parameters
    ----------
    json
        As JSON, one a line.
    """
    from videoannotator.shell.accounts import accounts, show_users

    with accounts(where) as open_:
        return show_users(open_, as_json=json)


@users.command(name="create")
def users_create(
    name: str,
    /,
    *,
    role: Role = "researcher",
    email: str | None = None,
    full_name: str | None = None,
    where: FolderOrServer = WHERE,
) -> int:
    """Add a user. Make a key for them with: videoannotator auth keys create --user NAME

    Parameters
    ----------
    name
        The name they are listed under.
    role
        admin: everything; researcher: their own videos and jobs; analyst: reads everybody's; guest: no media.
    email
        Where to reach them.
    full_name
        What they are called.
    """
    from videoannotator.shell.accounts import accounts, add_user

    with accounts(where) as open_:
        return add_user(open_, name, role, email, full_name)


@users.command(name="set-role")
def users_set_role(
    name: str,
    role: Role,
    /,
    *,
    where: FolderOrServer = WHERE,
) -> int:
    """Change what a user may do; it counts at once, for the keys they have, too.

    Parameters
    ----------
    name
        Who.
    role
        admin, researcher, analyst or guest.
    """
    from videoannotator.shell.accounts import accounts, change_user

    with accounts(where) as open_:
        return change_user(open_, name, role=role)


@users.command(name="disable")
def users_disable(
    name: str,
    /,
    *,
    where: FolderOrServer = WHERE,
) -> int:
    """Let a user in no more. What they own stays.

    Parameters
    ----------
    name
        Who.
    """
    from videoannotator.shell.accounts import accounts, change_user

    with accounts(where) as open_:
        return change_user(open_, name, active=False)


@users.command(name="enable")
def users_enable(
    name: str,
    /,
    *,
    where: FolderOrServer = WHERE,
) -> int:
    """Let a user in again.

    Parameters
    ----------
    name
        Who.
    """
    from videoannotator.shell.accounts import accounts, change_user

    with accounts(where) as open_:
        return change_user(open_, name, active=True)


@tokens.command(name="create")
def tokens_create(
    *,
    user: User = None,
    scopes: Scopes = (),
    minutes: float | None = None,
    where: FolderOrServer = WHERE,
) -> int:
    """Make a token that ends by itself soon. It goes to standard output.

    Parameters
    ----------
    user
        Whose. [default: admin; with --server the one who asks]
    scopes
        read, write, admin, separated by commas. [default: what the user's role may do]
    minutes
        How long it is valid. [default: the setting access.token_minutes]
    """
    from videoannotator.shell.accounts import accounts, make_token

    with accounts(where) as open_:
        return make_token(open_, user, scopes, minutes)
