"""Who is asking, and what that one may do.

==========  =======================================================================================
admin       everything, of everybody
researcher  videos, jobs, batches, templates and results of their own
analyst     reads everybody's videos, jobs and results; changes nothing
guest       looks around: pipelines, shared templates, whether settings are right; no media
==========  =======================================================================================

A key can carry less than its owner's role: its scopes are ``read``, ``write`` and ``admin``. An admin whose key has no
scope ``admin`` sees and changes only their own.
"""

from __future__ import annotations

from typing import Literal

import attrs

from videoannotator.serve.errors import ForbiddenError

__all__ = ["ROLES", "SCOPES", "Principal", "Role", "Scope", "Via", "scopes_of"]

Role = Literal["admin", "researcher", "analyst", "guest"]
Scope = Literal["read", "write", "admin"]
Via = Literal["key", "session", "token", "issuer", "stream", "local"]
ROLES: tuple[Role, ...] = ("admin", "researcher", "analyst", "guest")
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")

_MAY: dict[Role, frozenset[Scope]] = {
    "admin": frozenset({"read", "write", "admin"}),
    "researcher": frozenset({"read", "write"}),
    "analyst": frozenset({"read"}),
    "guest": frozenset(),
}


def scopes_of(role: Role) -> tuple[Scope, ...]:
    """What a role may do at most."""
    return tuple(scope for scope in SCOPES if scope in _MAY[role])


@attrs.frozen(kw_only=True)
class Principal:
    """Who is asking.

    ``via``: how that one is known. ``key_id``: of the API key that the request, the token or the sign-in goes back to;
    None for an issuer's token and where nobody is asked for one. ``token_id``: of a token of ours. ``job_id``: of the
    one job whose events a stream token opens.
    """

    user_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    via: Via = "key"
    key_id: str | None = None
    token_id: str | None = None
    job_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """True when both the role and the key allow it."""
        return scope in self.scopes and scope in _MAY[self.role]

    def require(self, scope: Scope) -> None:
        """Raises `ForbiddenError` that says whether the role or the key is what stops it."""
        if scope not in _MAY[self.role]:
            raise ForbiddenError(
                f"a {self.role} may not do this: it needs the scope {scope!r}",
                hint="ask an admin for another role",
            )
        if scope not in self.scopes:
            raise ForbiddenError(
                f"this key or token has no scope {scope!r}", hint="make a key that has it: POST /api/v1/keys"
            )

    @property
    def owner(self) -> str | None:
        """Whose rows a query may give: this user's, or (None) everybody's."""
        return None if self.role == "analyst" or self.may("admin") else self.user_id

    @property
    def scopes_held(self) -> tuple[Scope, ...]:
        """What both the role and the key allow, in the order of `SCOPES`."""
        return tuple(scope for scope in SCOPES if self.may(scope))
