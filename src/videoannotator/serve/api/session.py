"""Routes: signing in and out on the page.

The key goes in once; what stays in the browser is a cookie that no script can read and no other site's page can send.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from videoannotator.serve.access.authenticating import Credentials
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Serving
from videoannotator.serve.api.guarding import COOKIE, require_own_page
from videoannotator.serve.api.models import problems_for
from videoannotator.serve.api.models_access import Me, SignIn
from videoannotator.serve.errors import UnauthorizedError

__all__ = ["router"]

router = APIRouter(tags=["session"])


@router.post("/session", responses=problems_for())
def sign_in(service: Serving, request: Request, response: Response, given: SignIn) -> Me:
    """Sign in with an API key; the answer sets a cookie. Send the header `X-Requested-With: videoannotator`.

    Signed in like that, requests that change something need the same header, and no key.
    """
    require_own_page(request, header=True)
    text = given.key.strip()
    if not text.startswith("va_"):
        raise UnauthorizedError("this is no API key: those begin with 'va_'", code="KEY_MALFORMED")
    principal = service.authenticator.principal(Credentials(text, "access"))
    seconds = service.settings.access.session_hours * 3600.0
    made = service.tokens.make("session", principal.user_id, principal.scopes_held, seconds, key_id=principal.key_id)
    response.set_cookie(
        COOKIE,
        made.token,
        max_age=int(seconds),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return Me.of(principal, service.users.get(principal.user_id))


@router.delete("/session", status_code=204, responses=problems_for())
def sign_out(service: Serving, request: Request) -> Response:
    """Sign out: the cookie goes, and what was in it counts no more."""
    require_own_page(request, header=True)
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is not None and principal.via == "session":
        spoken = service.tokens.any_kind(request.cookies[COOKIE])
        if spoken is not None:
            service.keys.revoke_token(spoken.id, spoken.expires_at)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return response
