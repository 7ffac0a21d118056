"""How an API key looks, and what is kept of it.

``va_`` + id (12 hexadecimal digits, may be shown) + ``_`` + 43 characters (256 random bits). Only the SHA-256 of the
whole is kept: a secret of that strength needs no slow hash, and whoever reads the database cannot sign in with it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from videoannotator.serve.errors import UnauthorizedError

__all__ = ["digest_of", "key_id_of", "made_key", "same_digest"]

_FORM = re.compile(r"va_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_OLD_FORM = re.compile(r"va_[A-Za-z0-9_-]{43}")


def made_key() -> tuple[str, str]:
    """A new key: its id and the whole of it."""
    key_id = secrets.token_hex(6)
    return key_id, f"va_{key_id}_{secrets.token_urlsafe(32)}"


def key_id_of(key: str) -> str:
    """The id inside a key. Raises `UnauthorizedError` that says what is wrong with its form."""
    match = _FORM.fullmatch(key)
    if match is not None:
        return match[1]
    if _OLD_FORM.fullmatch(key):
        raise UnauthorizedError(
            "this is a key of VideoAnnotator 1.x; keys of that version are not known here",
            code="KEY_OF_OLD_VERSION",
            hint="ask an admin for a new key, or make one on the server: videoannotator auth keys create",
        )
    raise UnauthorizedError(
        f"this is no whole API key: {len(key)} characters instead of 59 in the form va_<id>_<secret>",
        code="KEY_MALFORMED",
        hint="copy the key again, from 'va_' to its end, without spaces or quotation marks",
    )


def digest_of(key: str) -> str:
    """SHA-256 of a whole key, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Whether two digests are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one, other)
