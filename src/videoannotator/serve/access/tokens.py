"""Our own short-lived tokens: for programs, for event streams, and for who is signed in on the page.

JSON Web Tokens, signed with the key of the data folder. A token names its user, never their role: that is looked up
each time, so that somebody who is put aside is out at once. One made with an API key ends with that key, at the latest.

========  ================================  ===========================================================
kind      audience (``aud``)                 opens
========  ================================  ===========================================================
access    ``videoannotator``                 what its scopes allow
stream    ``videoannotator:events``          ``GET /api/v1/events/stream``, of one job (``job``) or of all
session   ``videoannotator:session``         what its scopes allow, out of the cookie of the page only
========  ================================  ===========================================================
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import attrs
import jwt

from videoannotator.serve.access.jwt_reading import claims_of, header_of, wrong_token
from videoannotator.serve.access.principals import SCOPES, Scope
from videoannotator.serve.access.signing import fingerprint, signing_key
from videoannotator.serve.errors import UnauthorizedError

__all__ = ["AUDIENCES", "ISSUER", "Kind", "Made", "Spoken", "Tokens"]

Kind = Literal["access", "stream", "session"]
ISSUER = "videoannotator"
AUDIENCES: dict[Kind, str] = {
    "access": "videoannotator",
    "stream": "videoannotator:events",
    "session": "videoannotator:session",
}
_KINDS = {audience: kind for kind, audience in AUDIENCES.items()}
_ALGORITHM = "HS256"


@attrs.frozen(kw_only=True)
class Made:
    """A new token. ``expires_at``: seconds since 1970."""

    id: str
    token: str = attrs.field(repr=False)
    expires_at: float


@attrs.frozen(kw_only=True)
class Spoken:
    """What a token of ours says, its signature and times being right."""

    id: str
    kind: Kind
    user_id: str
    scopes: frozenset[Scope]
    key_id: str | None
    job_id: str | None
    expires_at: float


class Tokens:
    """Makes and reads our own tokens. ``leeway``: seconds by which clocks may differ."""

    def __init__(self, data_dir: Path, *, leeway: float = 30.0) -> None:
        self._data_dir = data_dir
        self._leeway = leeway

    @functools.cached_property
    def _key(self) -> bytes:
        return signing_key(self._data_dir)

    def make(
        self,
        kind: Kind,
        user_id: str,
        scopes: Iterable[Scope],
        seconds: float,
        *,
        key_id: str | None = None,
        job_id: str | None = None,
    ) -> Made:
        """A token of a user that ends after ``seconds``."""
        now = time.time()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCES[kind],
            "sub": user_id,
            "jti": uuid.uuid4().hex,
            "iat": int(now),
            "exp": int(now + seconds),
            "scopes": sorted(scopes),
        }
        if key_id is not None:
            claims["key"] = key_id
        if job_id is not None:
            claims["job"] = job_id
        token = jwt.encode(claims, self._key, _ALGORITHM, headers={"kid": fingerprint(self._key)})
        return Made(id=claims["jti"], token=token, expires_at=float(claims["exp"]))

    def read(self, token: str, header: dict[str, Any], audience: str, kind: Kind) -> Spoken:
        """What a token of ours says. ``header``, ``audience``: as it claims them. Raises `UnauthorizedError`."""
        if header.get("kid") != fingerprint(self._key):
            raise wrong_token(
                "TOKEN_UNKNOWN_KEY", "this token was signed with a key that this server does not have (any more)"
            )
        if audience in _KINDS and audience != AUDIENCES[kind]:
            raise wrong_token(
                "TOKEN_WRONG_KIND", f"this is a token for {_PLACES[_KINDS[audience]]}, not for this place"
            )
        claims = claims_of(
            token,
            self._key,
            algorithms=[_ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCES[kind],
            leeway=self._leeway,
            required=("exp", "iat", "sub", "jti"),
        )
        return Spoken(
            id=claims["jti"],
            kind=kind,
            user_id=claims["sub"],
            scopes=frozenset(scope for scope in SCOPES if scope in claims.get("scopes", ())),
            key_id=claims.get("key"),
            job_id=claims.get("job"),
            expires_at=float(claims["exp"]),
        )

    def any_kind(self, token: str) -> Spoken | None:
        """What a token of ours of any kind says; None for one that is not ours, or counts no more."""
        for kind in AUDIENCES:
            with suppress(UnauthorizedError):
                return self.read(token, header_of(token), AUDIENCES[kind], kind)
        return None


_PLACES: dict[Kind, str] = {
    "access": "the header 'Authorization: Bearer'",
    "stream": "GET /api/v1/events/stream?token=",
    "session": "the cookie of the web page",
}
