"""Reading a JSON Web Token (RFC 7519): strictly, and with a clear word for every way in which one can be wrong."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt

from videoannotator.serve.errors import UnauthorizedError

__all__ = ["claims_of", "header_of", "unverified_claims", "wrong_token"]

MAX_CHARACTERS = 8192
_SIGN_IN_AGAIN = "get a new token: POST /api/v1/tokens"


def wrong_token(code: str, message: str, hint: str = _SIGN_IN_AGAIN) -> UnauthorizedError:
    """An answer about a wrong token, as RFC 6750 wants it."""
    plain = "".join(one if " " <= one <= "~" and one not in '"\\' else "'" for one in message)
    challenge = f'Bearer error="invalid_token", error_description="{plain}"'
    return UnauthorizedError(message, code=code, hint=hint, headers={"WWW-Authenticate": challenge})


def header_of(token: str) -> dict[str, Any]:
    """The header of a token, which nobody has vouched for. Raises `UnauthorizedError` on everything but three parts.

    Each part must be the one right spelling of its bytes: base64 leaves bits unused, and no two texts may be one token.
    """
    if len(token) > MAX_CHARACTERS:
        raise wrong_token("TOKEN_MALFORMED", f"this token is longer than {MAX_CHARACTERS} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise wrong_token("TOKEN_MALFORMED", f"this is no JSON Web Token: it has {len(parts)} parts, not 3")
    try:
        header, claims, _ = (_decoded(part) for part in parts)
        read = json.loads(header)
        payload = json.loads(claims)
    except (ValueError, RecursionError):
        raise wrong_token("TOKEN_MALFORMED", "this is no JSON Web Token: a part of it cannot be read") from None
    if not isinstance(read, dict) or not isinstance(payload, dict):
        raise wrong_token("TOKEN_MALFORMED", "this is no JSON Web Token: a part of it is no JSON object")
    algorithm = read.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == "none" or not parts[2]:
        raise wrong_token("TOKEN_UNSIGNED", "this token is not signed; unsigned tokens are never accepted")
    return read


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says, before its signature is looked at: only to choose who has to vouch for it."""
    claims = json.loads(_decoded(token.split(".")[1]))
    return claims if isinstance(claims, dict) else {}


def claims_of(
    token: str,
    key: Any,
    *,
    algorithms: Sequence[str],
    issuer: str,
    audience: str,
    leeway: float,
    required: Sequence[str] = ("exp", "sub"),
) -> dict[str, Any]:
    """What a token says, when its signature and times are right and issuer and audience are these.

    Raises `UnauthorizedError` with one of the codes TOKEN_EXPIRED, TOKEN_NOT_YET_VALID, TOKEN_WRONG_ISSUER,
    TOKEN_WRONG_AUDIENCE, TOKEN_BAD_SIGNATURE, TOKEN_ALGORITHM, TOKEN_MISSING_CLAIM, TOKEN_MALFORMED.
    """
    try:
        return jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            issuer=issuer,
            audience=audience,
            leeway=leeway,
            options={"require": [*required, "iss", "aud"], "verify_sub": True, "verify_jti": True},
        )
    except jwt.ExpiredSignatureError:
        raise wrong_token("TOKEN_EXPIRED", f"this token ended at {_moment(token, 'exp')}") from None
    except jwt.ImmatureSignatureError:
        hint = "wait, or set the clocks of both machines right"
        begins = _moment(token, "nbf") or _moment(token, "iat")
        raise wrong_token("TOKEN_NOT_YET_VALID", f"this token is not valid before {begins}", hint) from None
    except jwt.InvalidIssuerError:
        raise wrong_token("TOKEN_WRONG_ISSUER", f"this token was not made by {issuer}") from None
    except jwt.InvalidAudienceError:
        raise wrong_token("TOKEN_WRONG_AUDIENCE", f"this token is not made for {audience}") from None
    except jwt.InvalidSignatureError:
        raise wrong_token(
            "TOKEN_BAD_SIGNATURE", "the signature of this token is wrong: it was changed, or not made here"
        ) from None
    except (jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
        raise wrong_token("TOKEN_ALGORITHM", f"this token is not signed with {' or '.join(algorithms)}") from None
    except jwt.MissingRequiredClaimError as error:
        raise wrong_token("TOKEN_MISSING_CLAIM", f"this token does not say {error.claim!r}") from None
    except jwt.PyJWTError as error:
        raise wrong_token("TOKEN_MALFORMED", f"this token cannot be read: {error}") from None


def _decoded(part: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise ValueError("not the one right spelling of its bytes")
    return raw


def _moment(token: str, claim: str) -> str:
    value = unverified_claims(token).get(claim)
    try:
        return f"{datetime.fromtimestamp(float(value), UTC):%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[arg-type]  # any JSON
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
