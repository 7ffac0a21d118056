"""Routes: short-lived tokens."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Response

from videoannotator.serve.access.tokens import Made
from videoannotator.serve.api.asking import Anybody, Reader, Serving
from videoannotator.serve.api.models import moment_text, problems_for
from videoannotator.serve.api.models_access import NewStreamToken, NewToken, RevokedToken, TokenMade
from videoannotator.serve.errors import ForbiddenError

__all__ = ["router"]

router = APIRouter(tags=["tokens"])


@router.post("/tokens", status_code=201, responses=problems_for())
def make_token(service: Serving, principal: Anybody, new: NewToken | None = None) -> TokenMade:
    """Make a token that a program can be given instead of a key: it ends by itself in minutes.

    Needs an API key or a sign-in: a token makes no token, or one that leaked could be renewed for ever.
    """
    new = new or NewToken()
    if principal.via not in ("key", "session", "local"):
        raise ForbiddenError(
            "a token is made with an API key, not with a token", hint="send the header 'Authorization: Bearer va_...'"
        )
    scopes = principal.scopes_held if new.scopes is None else tuple(new.scopes)
    for scope in scopes:
        principal.require(scope)
    most = service.settings.access.token_minutes
    minutes = most if new.minutes is None else min(new.minutes, most)
    return _told(
        service.tokens.make("access", principal.user_id, scopes, minutes * 60.0, key_id=principal.key_id), "Bearer"
    )


@router.post("/tokens/stream", status_code=201, responses=problems_for())
def make_stream_token(service: Serving, principal: Reader, new: NewStreamToken | None = None) -> TokenMade:
    """Make a token for `GET /events/stream?token=`, for browsers' EventSource, which sends no headers.

    It opens nothing else, and ends in minutes: addresses end up in logs. A stream that is open by then stays open.
    """
    job_id = None if new is None else new.job_id
    seconds = service.settings.access.stream_minutes * 60.0
    made = service.tokens.make("stream", principal.user_id, ("read",), seconds, key_id=principal.key_id, job_id=job_id)
    return _told(made, "stream")


@router.post("/tokens/revoke", status_code=204, responses=problems_for())
def revoke_token(service: Serving, principal: Anybody, which: RevokedToken) -> Response:
    """End a token before its time, as RFC 7009 has it: whoever holds a token may end it.

    One that has ended by itself is no error. `DELETE /keys/{id}` ends all tokens of a key.
    """
    spoken = service.tokens.any_kind(which.token)
    if spoken is not None:
        service.keys.revoke_token(spoken.id, spoken.expires_at)
    return Response(status_code=204)


def _told(made: Made, token_type: Literal["Bearer", "stream"]) -> TokenMade:
    return TokenMade(
        id=made.id,
        access_token=made.token,
        token_type=token_type,
        expires_at=moment_text(made.expires_at),
        expires_in=max(0, round(made.expires_at - time.time())),
    )
