"""Tokens of somebody else: an issuer (OpenID Connect: Keycloak, Entra, Authentik, ...) whose public keys we fetch.

What is checked: the signature, by a key of the issuer's JWKS document that has the token's ``kid``; its algorithm,
pinned in the settings; ``iss``, ``aud``, ``exp`` (all three must be there), ``nbf`` and ``iat`` when given. Keys are
fetched with a time-out, kept for ten minutes, asked for again at most every 30 s because of an unknown ``kid``, and
after a failure not before 10 s: a stranger's tokens cannot make this server hammer the issuer, or wait for it.

A user is ``iss`` and ``sub`` together, never a name or an address of mail, which people can choose.

The role: with ``access.role_claim`` the issuer gives it. That claim (dots lead into objects) is a list or a
text with spaces; of its values that begin with ``access.role_prefix`` the mightiest role counts, and with none
of them the user is a guest. Without ``role_claim`` a new user is a guest until an admin gives them a role here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

import attrs
import jwt

from videoannotator.serve.access.jwt_reading import claims_of, wrong_token
from videoannotator.serve.access.principals import ROLES, Role
from videoannotator.serve.errors import RefusedError
from videoannotator.serve.settings import Access

__all__ = ["Issuer", "IssuerSilentError", "Stranger"]

_KEPT = 600.0
_AGAIN = 30.0
_AFTER_FAILURE = 10.0
_TIMEOUT = 5.0


class IssuerSilentError(RefusedError):
    """The issuer's keys cannot be had, so that its tokens can be neither believed nor refused."""

    status = 503
    code = "ISSUER_UNAVAILABLE"


@attrs.frozen(kw_only=True)
class Stranger:
    """Who an issuer says is asking. ``role``: None when roles are given here."""

    user_id: str
    name: str
    email: str | None
    role: Role | None


class _Keyring(jwt.PyJWKClient):
    """Keys by ``kid``; a failed fetch is not tried again for a while."""

    def __init__(self, url: str) -> None:
        super().__init__(url, lifespan=_KEPT, timeout=_TIMEOUT, cooldown_duration=_AGAIN)
        self._failed: float | None = None

    def fetch_data(self) -> Any:
        if self._failed is not None and time.monotonic() - self._failed < _AFTER_FAILURE:
            raise jwt.PyJWKClientConnectionError("it did not answer a moment ago")
        try:
            fetched = super().fetch_data()
        except (jwt.PyJWTError, ValueError):
            self._failed = time.monotonic()
            raise
        self._failed = None
        return fetched


class Issuer:
    """Verifies the tokens of the issuer named in the settings."""

    def __init__(self, access: Access) -> None:
        if access.jwks_url is None or access.issuer is None or access.audience is None:
            raise ValueError("no issuer is set")
        self.name = access.issuer
        self._audience = access.audience
        self._access = access
        self._keys = _Keyring(access.jwks_url)

    @classmethod
    def of(cls, access: Access) -> Issuer | None:
        """The one of the settings, or None."""
        return None if access.jwks_url is None else cls(access)

    def read(self, token: str, header: Mapping[str, Any]) -> Stranger:
        """Who is asking. Raises `UnauthorizedError`, `IssuerSilentError`."""
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise wrong_token("TOKEN_UNKNOWN_KEY", "this token does not say which key it was signed with (kid)", _ASK)
        if header.get("alg") not in self._access.algorithms:
            accepted = " or ".join(self._access.algorithms)
            raise wrong_token("TOKEN_ALGORITHM", f"this token is not signed with {accepted}", _ASK)
        claims = claims_of(
            token,
            self._key(kid),
            algorithms=self._access.algorithms,
            issuer=self.name,
            audience=self._audience,
            leeway=self._access.leeway,
        )
        user_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}\n{claims['sub']}"))
        return Stranger(
            user_id=user_id, name=_name_in(claims), email=_text(claims.get("email"), 320), role=self._role(claims)
        )

    def _key(self, kid: str) -> jwt.PyJWK:
        try:
            return self._keys.get_signing_key(kid)
        except jwt.PyJWKClientConnectionError as error:
            raise IssuerSilentError(
                f"the keys of {self.name} cannot be fetched: {error}",
                hint="try again in a minute, or use an API key",
                headers={"Retry-After": str(int(_AFTER_FAILURE))},
            ) from error
        except (jwt.PyJWTError, ValueError) as error:
            if "Unable to find" not in str(error):
                raise IssuerSilentError(
                    f"what {self._access.jwks_url} gives is no set of keys: {error}", hint="tell who runs this server"
                ) from error
            raise wrong_token("TOKEN_UNKNOWN_KEY", f"{self.name} has no signing key {kid[:100]!r}", _ASK) from None

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        claim = self._access.role_claim
        if claim is None:
            return None
        found: Any = claims.get(claim)
        if found is None:
            found = claims
            for step in claim.split("."):
                found = found.get(step) if isinstance(found, Mapping) else None
        values = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        for role in ROLES:  # the mightiest first
            if f"{self._access.role_prefix}{role}" in values:
                return role
        return "guest"


_ASK = "get a new token from its issuer"


def _name_in(claims: Mapping[str, Any]) -> str:
    for claim in ("preferred_username", "email", "name", "sub"):
        name = _text(claims.get(claim), 100)
        if name is not None:
            return name
    return "unnamed"


def _text(value: Any, length: int) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(one for one in value if one.isprintable()).strip()[:length].strip() or None
