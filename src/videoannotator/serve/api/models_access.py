"""What the routes about users, keys, tokens and sign-ins take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AfterValidator, Field

from videoannotator.serve.access.principals import Principal, Role, Scope
from videoannotator.serve.api.models import Model, moment_text
from videoannotator.serve.store.keys import Key
from videoannotator.serve.store.users import User

__all__ = [
    "KeyId",
    "KeyMade",
    "KeyPage",
    "KeyShown",
    "Me",
    "NewKey",
    "NewStreamToken",
    "NewToken",
    "NewUser",
    "RevokedToken",
    "SignIn",
    "TokenMade",
    "UserChange",
    "UserId",
    "UserPage",
    "UserShown",
]

_USER = "0f8f6bd2-6a4c-4f0c-9a53-1d2f6a1f7a10"
_MOMENT = "2026-11-28T09:30:00.000Z"


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("only printable characters, no space at the ends")
    return text


UserId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$", description="Id of a user.", examples=[_USER])]
KeyId = Annotated[
    str,
    Path(pattern=r"^[0-9a-f]{12}$", description="The part of a key between 'va_' and '_'.", examples=["3f9a1c5be207"]),
]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
FullName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(_printable)]
Count = Annotated[int, Field(ge=0, le=2**62)]
Jobs = Annotated[int, Field(ge=0, le=2**31 - 1)]
Scopes = Annotated[list[Scope], Field(max_length=3)]


class UserShown(Model):
    """A user."""

    id: str = Field(examples=[_USER])
    name: str = Field(examples=["amelie"])
    full_name: str | None = Field(examples=["Amélie Duval"])
    email: str | None = Field(examples=["amelie@lab.example"])
    role: Role
    active: bool = Field(description="False: put aside; no key or token of theirs is accepted.")
    quota_bytes: int | None = Field(description="Of stored videos and results; null: the server's default.")
    quota_jobs: int | None = Field(description="Waiting and running jobs at once; null: the server's default.")
    created_at: str = Field(examples=[_MOMENT])

    @classmethod
    def of(cls, user: User) -> UserShown:
        """As stored."""
        return cls(
            id=user.id,
            name=user.name,
            full_name=user.full_name,
            email=user.email,
            role=user.role,
            active=user.active,
            quota_bytes=user.quota_bytes,
            quota_jobs=user.quota_jobs,
            created_at=moment_text(user.created_at),
        )


class UserPage(Model):
    """Users, newest first."""

    users: list[UserShown]
    next_cursor: str | None = Field(description="Ask with it for the next page; null: this is the last.")


class NewUser(Model):
    """A user to add."""

    name: Name = Field(examples=["amelie"])
    role: Role = "researcher"
    full_name: FullName | None = None
    email: Email | None = None
    quota_bytes: Count | None = None
    quota_jobs: Jobs | None = None


class UserChange(Model):
    """What to change of a user; what is left out stays. A null takes a name, an address or an own quota away."""

    name: Name | None = Field(default=None, description="Null: as it is.", examples=["amelie"])
    role: Role | None = Field(default=None, description="Null: as it is.")
    active: bool | None = Field(default=None, description="Null: as it is.")
    full_name: FullName | None = None
    email: Email | None = None
    quota_bytes: Count | None = None
    quota_jobs: Jobs | None = None

    def changes(self) -> dict[str, Any]:
        """The columns to change."""
        asked = self.model_dump(exclude_unset=True)
        return {name: value for name, value in asked.items() if value is not None or name not in _NEVER_NULL}


_NEVER_NULL = frozenset({"name", "role", "active"})


class Me(Model):
    """Who is asking, and what that one may do."""

    user: UserShown
    scopes: list[Scope] = Field(description="What both the role and the key allow.")
    via: Literal["key", "session", "token", "issuer", "stream", "local"] = Field(
        description="How that is known; 'local': this server asks nobody for a key."
    )
    key_id: str | None

    @classmethod
    def of(cls, principal: Principal, user: User) -> Me:
        """As known."""
        return cls(
            user=UserShown.of(user),
            scopes=list(principal.scopes_held),
            via=principal.via,
            key_id=principal.key_id,
        )


class KeyShown(Model):
    """An API key, without its secret."""

    id: str = Field(examples=["3f9a1c5be207"])
    user_id: str = Field(examples=[_USER])
    name: str = Field(examples=["night runs"])
    scopes: list[Scope]
    created_at: str = Field(examples=[_MOMENT])
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: Key) -> KeyShown:
        """As stored."""
        return cls(**_shown(key))


class KeyMade(KeyShown):
    """A new API key. This is the only time that its secret is told."""

    key: str = Field(examples=["va_3f9a1c5be207_Zm9yIHRoZSBkb2NzIG9ubHksIG5vdCBhIHJlYWwga2U"])

    @classmethod
    def made(cls, key: Key, secret: str) -> KeyMade:
        """With its secret."""
        return cls(key=secret, **_shown(key))


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "user_id": key.user_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": moment_text(key.created_at),
        "expires_at": moment_text(key.expires_at),
        "revoked_at": moment_text(key.revoked_at),
        "last_used_at": moment_text(key.last_used_at),
    }


class KeyPage(Model):
    """Keys, newest first."""

    keys: list[KeyShown]
    next_cursor: str | None = Field(description="Ask with it for the next page; null: this is the last.")


class NewKey(Model):
    """A key to make."""

    name: Name = Field(examples=["night runs"])
    scopes: Scopes | None = Field(
        default=None, description="Left out: all that the user's role and the asking key allow."
    )
    expires_in_days: float | None = Field(default=None, gt=0, le=36500, examples=[90])
    user_id: str | None = Field(
        default=None, pattern=r"^[0-9a-f-]{36}$", description="Whose it shall be; admins only. Left out: one's own."
    )


class NewToken(Model):
    """A token to make."""

    scopes: Scopes | None = Field(default=None, description="Left out: those of the key.")
    minutes: float | None = Field(
        default=None, gt=0, description="Left out, or more than the server allows: what it allows."
    )


class NewStreamToken(Model):
    """A token for an event stream to make."""

    job_id: str | None = Field(
        default=None, pattern=r"^[0-9a-f-]{36}$", description="Only this job's events. Left out: all that one may see."
    )


class TokenMade(Model):
    """A new token."""

    id: str = Field(description="Its `jti`.", examples=["9b2d1f0c7f0e4c7c8a8f0d3b5b1e6a21"])
    access_token: str = Field(examples=["eyJhbGciOi...a JSON Web Token"])
    token_type: Literal["Bearer", "stream"]
    expires_at: str = Field(examples=[_MOMENT])
    expires_in: int = Field(description="Seconds.", examples=[900])


class RevokedToken(Model):
    """A token that shall count no more."""

    token: str = Field(max_length=8192, examples=["eyJhbGciOi...a JSON Web Token"])


class SignIn(Model):
    """What signs in on the page."""

    key: str = Field(max_length=200, description="An API key.", examples=["va_3f9a1c5be207_..."])
