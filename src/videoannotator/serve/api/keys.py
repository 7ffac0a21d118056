"""Routes: API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from videoannotator.serve.access.principals import Principal, Scope, scopes_of
from videoannotator.serve.api.asking import Anybody, Serving, Writer
from videoannotator.serve.api.models import After, Limit, problems_for
from videoannotator.serve.api.models_access import KeyId, KeyMade, KeyPage, KeyShown, NewKey
from videoannotator.serve.api.quick import quick
from videoannotator.serve.errors import ForbiddenError
from videoannotator.serve.service import Service
from videoannotator.serve.store.paging import Cursor

__all__ = ["router"]

router = APIRouter(tags=["keys"])


@router.get("/keys", responses=problems_for())
@quick
def keys(
    service: Serving,
    principal: Anybody,
    user_id: Annotated[str | None, Query(pattern=r"^([0-9a-f-]{36}|all)$")] = None,
    cursor: After = None,
    limit: Limit = 50,
) -> KeyPage:
    """One's own keys, newest first; for admins with `user_id` those of a user, or of `all`."""
    whose: str | None = principal.user_id
    if user_id is not None and user_id != principal.user_id:
        principal.require("admin")
        whose = None if user_id == "all" else user_id
    found = service.keys.page(whose, after=Cursor.of(cursor), limit=limit)
    after = Cursor.after(found, limit)
    return KeyPage(keys=[KeyShown.of(key) for key in found], next_cursor=None if after is None else str(after))


@router.post("/keys", status_code=201, responses=problems_for(404))
def make_key(service: Serving, principal: Writer, new: NewKey, response: Response) -> KeyMade:
    """Make a key. Its secret is in this answer and nowhere else.

    A key can carry no more than the one that makes it, and no more than its user's role. Analysts and guests get theirs
    from an admin.
    """
    whose = principal.user_id if new.user_id is None else new.user_id
    if whose != principal.user_id:
        principal.require("admin")
    scopes = _scopes(service, principal, whose, new.scopes)
    days = new.expires_in_days
    key, secret = service.keys.create(whose, new.name, scopes, expires_in=None if days is None else days * 86400.0)
    response.headers["Location"] = f"/api/v1/keys/{key.id}"
    return KeyMade.made(key, secret)


@router.get("/keys/{key_id}", responses=problems_for(404))
@quick
def key(service: Serving, principal: Anybody, key_id: KeyId) -> KeyShown:
    """One key of one's own; for admins anybody's."""
    return KeyShown.of(service.keys.get(key_id, _owner(principal)))


@router.delete("/keys/{key_id}", responses=problems_for(404))
def revoke_key(service: Serving, principal: Anybody, key_id: KeyId) -> KeyShown:
    """End a key at once, and with it every token and sign-in that was made with it; one's own, for admins anybody's."""
    return KeyShown.of(service.keys.revoke(key_id, _owner(principal)))


def _owner(principal: Principal) -> str | None:
    """Whose keys may be seen: other than of jobs, an analyst's own only."""
    return None if principal.may("admin") else principal.user_id


def _scopes(service: Service, principal: Principal, user_id: str, wanted: list[Scope] | None) -> list[Scope]:
    role = scopes_of(service.users.get(user_id).role)
    if wanted is None:
        return [scope for scope in role if scope in principal.scopes_held]
    beyond = [scope for scope in wanted if scope not in role or scope not in principal.scopes_held]
    if beyond:
        raise ForbiddenError(
            f"a key with {', '.join(beyond)} is more than this key or the user's role allows",
            hint=f"leave out 'scopes', or choose from {', '.join(set(role) & set(principal.scopes_held)) or 'none'}",
        )
    return wanted
