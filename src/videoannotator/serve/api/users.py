"""Routes: users."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from videoannotator.serve.api.asking import Admin, Anybody, Serving
from videoannotator.serve.api.models import After, Limit, problems_for
from videoannotator.serve.api.models_access import Me, NewUser, UserChange, UserId, UserPage, UserShown
from videoannotator.serve.api.quick import quick
from videoannotator.serve.store.paging import Cursor

__all__ = ["router"]

router = APIRouter(tags=["users"])


@router.get("/users/me", responses=problems_for())
@quick
def me(service: Serving, principal: Anybody) -> Me:
    """Who is asking, in which role, with which scopes."""
    return Me.of(principal, service.users.get(principal.user_id))


@router.patch("/users/me", include_in_schema=False)
@router.delete("/users/me", include_in_schema=False)
def not_me(principal: Anybody) -> None:
    """`me` is no id of a user: without this the routes below would take it for one."""
    raise HTTPException(405, "to change a user name them by id", headers={"Allow": "GET"})


@router.get("/users", responses=problems_for())
@quick
def users(
    service: Serving,
    principal: Admin,
    cursor: After = None,
    limit: Limit = 50,
) -> UserPage:
    """All users, newest first. For admins."""
    found = service.users.page(after=Cursor.of(cursor), limit=limit)
    after = Cursor.after(found, limit)
    return UserPage(users=[UserShown.of(user) for user in found], next_cursor=None if after is None else str(after))


@router.post("/users", status_code=201, responses=problems_for(409))
def add_user(service: Serving, principal: Admin, new: NewUser) -> UserShown:
    """Add a user; `POST /keys` then makes their first key. For admins."""
    return UserShown.of(service.users.add(**new.model_dump()))


@router.get("/users/{user_id}", responses=problems_for(404))
@quick
def user(service: Serving, principal: Admin, user_id: UserId) -> UserShown:
    """One user. For admins."""
    return UserShown.of(service.users.get(user_id))


@router.patch("/users/{user_id}", responses=problems_for(404, 409))
def change_user(service: Serving, principal: Admin, user_id: UserId, change: UserChange) -> UserShown:
    """Give a user another name, role or quota, put them aside (`active: false`) or take them back. For admins.

    What is changed counts from the next request on, whatever keys and tokens there are.
    """
    return UserShown.of(service.users.change(user_id, **change.changes()))


@router.delete("/users/{user_id}", responses=problems_for(404, 409))
def put_user_aside(service: Serving, principal: Admin, user_id: UserId) -> UserShown:
    """Put a user aside: no key or token of theirs is accepted any more. Their videos and results stay. For admins."""
    return UserShown.of(service.users.change(user_id, active=False))
