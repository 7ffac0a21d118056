"""From what a request carries to who is asking."""

from __future__ import annotations

import attrs

from videoannotator.serve.access.issuers import Issuer
from videoannotator.serve.access.jwt_reading import header_of, unverified_claims, wrong_token
from videoannotator.serve.access.principals import SCOPES, Principal, Scope, Via
from videoannotator.serve.access.secret_keys import digest_of, key_id_of, same_digest
from videoannotator.serve.access.tokens import ISSUER, Kind, Spoken, Tokens
from videoannotator.serve.errors import NotFoundError, UnauthorizedError
from videoannotator.serve.settings import Access
from videoannotator.serve.store.keys import KeyStore, KnownKey
from videoannotator.serve.store.users import User, UserStore

__all__ = ["Authenticator", "Credentials", "credentials_in"]

_NOBODY = digest_of("no key has this digest")
_VIA: dict[Kind, Via] = {"access": "token", "stream": "stream", "session": "session"}


@attrs.frozen
class Credentials:
    """What a request carries: ``text`` as found in ``place``."""

    text: str = attrs.field(repr=False)
    kind: Kind


def credentials_in(authorization: str | None, api_key: str | None) -> Credentials | None:
    """What the headers ``Authorization`` and ``X-API-Key`` carry; None when nothing. Raises `UnauthorizedError`."""
    if authorization is None:
        return None if not api_key else Credentials(api_key.strip(), "access")
    scheme, _, text = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise UnauthorizedError(
            f"the header Authorization has the form {scheme[:20]!r}; what is understood is 'Bearer va_...'",
            code="AUTHORIZATION_MALFORMED",
            hint="send the header 'Authorization: Bearer va_...'",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Credentials(text.strip(), "access")


class Authenticator:
    """Finds out who is asking. Every answer is looked up afresh: what was revoked a moment ago is out."""

    def __init__(self, access: Access, users: UserStore, keys: KeyStore, tokens: Tokens) -> None:
        self._users = users
        self._keys = keys
        self._tokens = tokens
        self._issuer = Issuer.of(access)

    def principal(self, credentials: Credentials) -> Principal:
        """Who is asking. Raises `UnauthorizedError`, `IssuerSilentError`, `DatabaseUnavailable`."""
        if credentials.text.startswith("va_"):
            if credentials.kind != "access":
                raise UnauthorizedError(
                    "an API key does not belong into an address or a cookie: addresses end up in logs",
                    code="KEY_IN_ADDRESS",
                    hint="make a short-lived token for the event stream: POST /api/v1/tokens/stream",
                )
            return self._by_key(credentials.text)
        if credentials.text.count(".") != 2:
            raise UnauthorizedError(
                "this is neither an API key (va_...) nor a JSON Web Token (three parts with dots between them)",
                code="CREDENTIALS_MALFORMED",
                hint="send the header 'Authorization: Bearer va_...' with a key that an admin gave you",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return self._by_token(credentials.text, credentials.kind)

    def still(self, principal: Principal) -> bool:
        """Whether somebody who came in a while ago would be known today. Tokens may have ended: they only open."""
        if principal.via == "local":
            return True
        try:
            if principal.token_id is not None and self._keys.is_revoked(principal.token_id):
                return False
            if principal.key_id is None:
                self._user(principal.user_id)
                return True
            known = self._keys.known(principal.key_id)
            if known is None:
                return False
            self._valid(known)
        except UnauthorizedError:
            return False
        return True

    def _by_key(self, text: str) -> Principal:
        key_id = key_id_of(text)
        known = self._keys.known(key_id)
        if not same_digest(digest_of(text), known.digest if known else _NOBODY) or known is None:
            raise UnauthorizedError(
                "this API key is not known here",
                code="KEY_UNKNOWN",
                hint="look whether it was copied whole, and whether it belongs to this server",
                headers={"WWW-Authenticate": "Bearer"},
            )
        self._valid(known)
        self._keys.was_used(known)
        return _principal(known.user, known.key.scopes, "key", key_id=key_id)

    def _by_token(self, text: str, kind: Kind) -> Principal:
        header = header_of(text)
        claims = unverified_claims(text)
        if claims.get("iss") != ISSUER and self._issuer is not None and kind == "access":
            return self._by_issuer(text, header)
        if claims.get("iss") != ISSUER:
            raise wrong_token(
                "TOKEN_WRONG_ISSUER", "this token was made by somebody whose tokens are not accepted here"
            )
        audience = claims.get("aud")
        spoken = self._tokens.read(text, header, audience if isinstance(audience, str) else "", kind)
        return self._by_spoken(spoken, kind)

    def _by_spoken(self, spoken: Spoken, kind: Kind) -> Principal:
        if self._keys.is_revoked(spoken.id):
            raise wrong_token("TOKEN_REVOKED", "this token was revoked, or its owner has signed out")
        scopes = spoken.scopes
        if spoken.key_id is None:
            user = self._user(spoken.user_id)
        else:
            known = self._keys.known(spoken.key_id)
            if known is None or known.user.id != spoken.user_id:
                raise wrong_token("TOKEN_REVOKED", "the API key behind this token is not there any more")
            self._valid(known, "the API key behind this token")
            user, scopes = known.user, scopes & frozenset(known.key.scopes)
        return _principal(user, scopes, _VIA[kind], key_id=spoken.key_id, token_id=spoken.id, job_id=spoken.job_id)

    def _by_issuer(self, text: str, header: dict[str, object]) -> Principal:
        assert self._issuer is not None  # noqa: S101 - the only caller has looked
        stranger = self._issuer.read(text, header)
        user = self._users.of_issuer(stranger.user_id, stranger.name, stranger.role, stranger.email)
        _active(user)
        return _principal(user, SCOPES, "issuer")

    def _user(self, user_id: str) -> User:
        try:
            user = self._users.get(user_id)
        except NotFoundError:
            raise wrong_token("TOKEN_USER_GONE", "the user of this token is not there any more") from None
        return _active(user)

    def _valid(self, known: KnownKey, what: str = "this API key") -> None:
        if known.key.revoked_at is not None:
            raise _ended("KEY_REVOKED", f"{what} was revoked")
        if known.key.expires_at is not None and known.key.expires_at <= known.now:
            raise _ended("KEY_EXPIRED", f"{what} has expired")
        _active(known.user)


def _principal(
    user: User,
    scopes: tuple[Scope, ...] | frozenset[Scope],
    via: Via,
    *,
    key_id: str | None = None,
    token_id: str | None = None,
    job_id: str | None = None,
) -> Principal:
    return Principal(
        user_id=user.id,
        name=user.name,
        role=user.role,
        scopes=frozenset(scopes),
        via=via,
        key_id=key_id,
        token_id=token_id,
        job_id=job_id,
    )


def _active(user: User) -> User:
    if not user.active:
        raise _ended("USER_INACTIVE", f"the user {user.name} was put aside by an admin")
    return user


def _ended(code: str, message: str) -> UnauthorizedError:
    return UnauthorizedError(
        message,
        code=code,
        hint="ask an admin for a new key, or make one on the server: videoannotator auth keys create",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
