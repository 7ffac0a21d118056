"""Users, keys and tokens in the database itself. Needs the extra ``server``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs

from videoannotator.errors import UsageError
from videoannotator.serve.access.first import ADMIN
from videoannotator.serve.access.principals import SCOPES, Scope, scopes_of
from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.service import Service
from videoannotator.serve.store.paging import Cursor

__all__ = ["Local"]

PAGE = 200


class Local:
    """Whoever can write the database may do everything."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def users(self) -> list[dict[str, Any]]:
        """All of them."""
        return [_plain(user) for user in _all(self.service.users.page)]

    def add_user(self, name: str, role: str, email: str | None, full_name: str | None) -> dict[str, Any]:
        """Add one."""
        return _plain(self.service.users.add(name, role, email=email, full_name=full_name))  # type: ignore[arg-type]

    def change_user(self, user_id: str, change: dict[str, Any]) -> dict[str, Any]:
        """Another role, or put aside."""
        return _plain(self.service.users.change(user_id, **change))

    def keys(self, user_id: str | None) -> list[dict[str, Any]]:
        """Of a user, or of all."""
        return [_plain(key) for key in _all(lambda **page: self.service.keys.page(user_id, **page))]

    def make_key(self, user_id: str | None, name: str, scopes: list[str] | None, days: float | None) -> dict[str, Any]:
        """For a user, or for the first admin."""
        user_id, held = self._of(user_id, scopes)
        seconds = None if days is None else days * 86400.0
        key, secret = self.service.keys.create(user_id, name, held, expires_in=seconds)
        return {**_plain(key), "key": secret}

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """End it."""
        return _plain(self.service.keys.revoke(key_id, None))

    def make_token(self, user_id: str | None, scopes: list[str] | None, minutes: float | None) -> dict[str, Any]:
        """For a user, or for the first admin."""
        user_id, held = self._of(user_id, scopes)
        most = self.service.settings.access.token_minutes
        if minutes is not None and not 0 < minutes <= most:
            raise UsageError(f"--minutes must be above 0 and at most {most:g}, the setting access.token_minutes")
        made = self.service.tokens.make("access", user_id, held, (minutes or most) * 60.0)
        return {"token": made.token, "expires_at": _utc(made.expires_at)}

    def _of(self, user_id: str | None, scopes: list[str] | None) -> tuple[str, tuple[Scope, ...]]:
        """Whose it is, and its scopes: no more than the role allows, for more would be a promise not kept."""
        try:
            user = self.service.users.named(ADMIN) if user_id is None else self.service.users.get(user_id)
        except NotFoundError as error:
            raise UsageError(f"there is no user {ADMIN!r}; say whose it shall be with --user") from error
        may = scopes_of(user.role)
        if scopes is None:
            return user.id, may
        unknown = [scope for scope in scopes if scope not in SCOPES]
        beyond = [scope for scope in scopes if scope not in may]
        if unknown:
            raise UsageError(f"there is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}")
        if beyond:
            raise UsageError(f"{user.name} is a {user.role} and may not {beyond[0]}; leave that scope out")
        return user.id, tuple(scope for scope in SCOPES if scope in scopes)


def _all(page: Any) -> list[Any]:
    found: list[Any] = []
    after: Cursor | None = None
    while True:
        some = page(after=after, limit=PAGE)
        found += some
        after = Cursor.after(some, PAGE)
        if after is None:
            return found


def _plain(value: Any) -> dict[str, Any]:
    """As the API shows it."""
    plain = attrs.asdict(value, recurse=False)
    for name, one in plain.items():
        if name.endswith("_at") and one is not None:
            plain[name] = _utc(one)
        elif isinstance(one, tuple):
            plain[name] = list(one)
    return plain


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
