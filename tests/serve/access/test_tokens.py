"""Tokens: every way in which one can be wrong is refused with its own clear word, and the right ones are taken."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.serve.access.conftest import Somebody

from videoannotator.serve.access.authenticating import Credentials
from videoannotator.serve.access.signing import fingerprint, signing_key
from videoannotator.serve.access.tokens import AUDIENCES
from videoannotator.serve.errors import UnauthorizedError
from videoannotator.serve.service import Service


def refused(service: Service, token: str, kind: Any = "access") -> UnauthorizedError:
    with pytest.raises(UnauthorizedError) as caught:
        service.authenticator.principal(Credentials(token, kind))
    return caught.value


def forged(service: Service, *, alg: str = "HS256", key: Any = None, kid: str | None = "", **changes: Any) -> str:
    """A token as ours, but for ``changes`` (None: left out)."""
    secret = signing_key(service.settings.data_dir)
    now = int(time.time())
    claims = {
        "iss": "videoannotator",
        "aud": "videoannotator",
        "sub": service.users.page()[0].id,
        "jti": "0" * 32,
        "iat": now,
        "exp": now + 60,
        "scopes": ["read"],
    } | changes
    headers = {"kid": fingerprint(secret) if kid == "" else kid}
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        secret if key is None else key,
        alg,
        headers={name: value for name, value in headers.items() if value is not None},
    )


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_forged_token_without_a_fault_is_taken(service: Service, somebody: Callable[..., Somebody]) -> None:
    """The proof that each refusal below comes from the one thing that was changed."""
    who = somebody("researcher")
    principal = service.authenticator.principal(Credentials(forged(service), "access"))
    assert (principal.user_id, principal.via, principal.scopes_held) == (who.user.id, "token", ("read",))


HOUR = 3600
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"exp": int(time.time()) - HOUR}, "TOKEN_EXPIRED", "ended at 20"),
    "not yet valid": ({"nbf": int(time.time()) + HOUR}, "TOKEN_NOT_YET_VALID", "not valid before 20"),
    "made in the future": ({"iat": int(time.time()) + HOUR}, "TOKEN_NOT_YET_VALID", "not valid before 20"),
    "no end": ({"exp": None}, "TOKEN_MISSING_CLAIM", "'exp'"),
    "no user": ({"sub": None}, "TOKEN_MISSING_CLAIM", "'sub'"),
    "no id": ({"jti": None}, "TOKEN_MISSING_CLAIM", "'jti'"),
    "no issuer": ({"iss": None}, "TOKEN_WRONG_ISSUER", "somebody whose tokens"),
    "another issuer": ({"iss": "https://elsewhere.example"}, "TOKEN_WRONG_ISSUER", "somebody whose tokens"),
    "another audience": ({"aud": "somebody else"}, "TOKEN_WRONG_AUDIENCE", "not made for videoannotator"),
    "no audience": ({"aud": None}, "TOKEN_MISSING_CLAIM", "'aud'"),
    "of a stream": ({"aud": AUDIENCES["stream"]}, "TOKEN_WRONG_KIND", "events/stream"),
    "of a sign-in": ({"aud": AUDIENCES["session"]}, "TOKEN_WRONG_KIND", "cookie"),
    "another key": ({"key": b"x" * 32}, "TOKEN_BAD_SIGNATURE", "signature"),
    "another algorithm": ({"alg": "HS512", "key": b"x" * 64}, "TOKEN_ALGORITHM", "HS256"),
    "unknown key": ({"kid": "elsewhere"}, "TOKEN_UNKNOWN_KEY", "does not have"),
    "no key named": ({"kid": None}, "TOKEN_UNKNOWN_KEY", "does not have"),
    "no such user": ({"sub": "nobody"}, "TOKEN_USER_GONE", "not there any more"),
    "a user that is a number": ({"sub": 5}, "TOKEN_MALFORMED", "cannot be read"),
    "an end that is a word": ({"exp": "soon"}, "TOKEN_MALFORMED", "cannot be read"),
    "a beginning beyond all dates": ({"nbf": 10**40}, "TOKEN_NOT_YET_VALID", "not valid before"),
    "an end beyond all time": ({"exp": float("inf")}, "TOKEN_MALFORMED", "cannot be read"),
    "an end that is no number": ({"exp": float("nan")}, "TOKEN_MALFORMED", "cannot be read"),
    "an end that is a list": ({"exp": [1]}, "TOKEN_MALFORMED", "cannot be read"),
}


@pytest.mark.parametrize("way", WRONG)
def test_each_way_to_be_wrong_has_its_word(service: Service, somebody: Callable[..., Somebody], way: str) -> None:
    somebody("admin")
    changes, code, words = WRONG[way]
    error = refused(service, forged(service, **changes))
    assert (error.status, error.stable_code) == (401, code)
    assert words in str(error)
    assert error.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "CREDENTIALS_MALFORMED"),
        ("secret", "CREDENTIALS_MALFORMED"),
        ("dev-token", "CREDENTIALS_MALFORMED"),
        ("test-token", "CREDENTIALS_MALFORMED"),
        ("a.b", "CREDENTIALS_MALFORMED"),
        ("a.b.c.d", "CREDENTIALS_MALFORMED"),
        ("a.b.c", "TOKEN_MALFORMED"),
        ("..", "TOKEN_MALFORMED"),
        ("é.é.é", "TOKEN_MALFORMED"),
        (f"{part({'alg': 'HS256'})}.{part([1])}.{part('x')}", "TOKEN_MALFORMED"),
        (f"{part(['HS256'])}.{part({})}.{part('x')}", "TOKEN_MALFORMED"),
        (f"{part({'alg': 'none'})}.{part({'iss': 'videoannotator', 'sub': 'admin'})}.", "TOKEN_UNSIGNED"),
        (f"{part({'alg': 'nOnE'})}.{part({'iss': 'videoannotator', 'sub': 'admin'})}.{part('x')}", "TOKEN_UNSIGNED"),
        (f"{part({'alg': 'HS256'})}.{part({'iss': 'videoannotator', 'sub': 'admin'})}.", "TOKEN_UNSIGNED"),
        (f"{part({'alg': 5})}.{part({'iss': 'videoannotator'})}.{part('x')}", "TOKEN_UNSIGNED"),
        (f"{part({'alg': 'HS256'})}.{'A' * 9000}.{part('x')}", "TOKEN_MALFORMED"),
        (
            f"{part({'alg': 'HS256'})}.{base64.urlsafe_b64encode(b'[' * 5000).rstrip(b'=').decode()}.AAAA",
            "TOKEN_MALFORMED",
        ),
    ],
)
def test_what_is_no_token(service: Service, token: str, code: str) -> None:
    assert refused(service, token).stable_code == code


def test_a_revoked_token(service: Service, somebody: Callable[..., Somebody]) -> None:
    who = somebody("researcher")
    made = service.tokens.make("access", who.user.id, ("read",), 60, key_id=who.key.id)
    assert service.authenticator.principal(Credentials(made.token, "access")).key_id == who.key.id
    service.keys.revoke_token(made.id, made.expires_at)
    service.keys.revoke_token(made.id, made.expires_at)
    assert refused(service, made.token).stable_code == "TOKEN_REVOKED"


def test_a_token_ends_with_its_key_and_has_no_more_scopes_than_it(
    service: Service, somebody: Callable[..., Somebody]
) -> None:
    who = somebody("researcher", scopes=("read",))
    made = service.tokens.make("access", who.user.id, ("read", "write"), 60, key_id=who.key.id)
    assert service.authenticator.principal(Credentials(made.token, "access")).scopes_held == ("read",)
    service.keys.revoke(who.key.id, None)
    error = refused(service, made.token)
    assert error.stable_code == "KEY_REVOKED"
    assert "behind this token" in str(error)


def test_a_token_of_somebody_put_aside(service: Service, somebody: Callable[..., Somebody]) -> None:
    who = somebody("researcher")
    made = service.tokens.make("access", who.user.id, ("read",), 60)
    service.users.change(who.user.id, active=False)
    assert refused(service, made.token).stable_code == "USER_INACTIVE"
    assert refused(service, who.secret).stable_code == "USER_INACTIVE"


def test_a_role_counts_as_it_is_now(service: Service, somebody: Callable[..., Somebody]) -> None:
    who = somebody("researcher")
    made = service.tokens.make("access", who.user.id, ("read", "write"), 60, key_id=who.key.id)
    service.users.change(who.user.id, role="guest")
    assert service.authenticator.principal(Credentials(made.token, "access")).scopes_held == ()


def test_a_token_outlives_its_time_by_the_leeway_only(service: Service, somebody: Callable[..., Somebody]) -> None:
    somebody("admin")
    leeway = service.settings.access.leeway
    now = int(time.time())
    assert service.authenticator.principal(Credentials(forged(service, exp=now - int(leeway) + 5), "access"))
    assert refused(service, forged(service, exp=now - int(leeway) - 5)).stable_code == "TOKEN_EXPIRED"


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_other_text_is_the_token(service: Service, data: st.DataObject) -> None:
    """Any bit of any character changed, any character left out or added: refused."""
    if not service.users.page():
        service.users.add("first", "admin")
    made = service.tokens.make("access", service.users.page()[0].id, ("read",), 600)
    place = data.draw(st.integers(0, len(made.token) - 1))
    how = data.draw(st.sampled_from(["flip", "drop", "double", "other"]))
    one = made.token[place]
    new = {
        "flip": chr(ord(one) ^ (1 << data.draw(st.integers(0, 6)))),
        "drop": "",
        "double": one * 2,
        "other": data.draw(st.sampled_from("ABCDEFabcdef0189-_=.+/ \n\0é")),
    }[how]
    changed = made.token[:place] + new + made.token[place + 1 :]
    if changed == made.token:
        return
    with pytest.raises(UnauthorizedError):
        service.authenticator.principal(Credentials(changed, "access"))


@pytest.mark.parametrize("kind", ["access", "stream", "session"])
@pytest.mark.parametrize("place", ["access", "stream", "session"])
def test_each_kind_opens_its_own_place_only(
    service: Service, somebody: Callable[..., Somebody], kind: Any, place: Any
) -> None:
    who = somebody("admin")
    made = service.tokens.make(kind, who.user.id, ("read",), 60)
    if kind == place:
        assert service.authenticator.principal(Credentials(made.token, place)).user_id == who.user.id
    else:
        assert refused(service, made.token, place).stable_code == "TOKEN_WRONG_KIND"


def test_a_key_in_an_address_is_refused(service: Service, somebody: Callable[..., Somebody]) -> None:
    assert refused(service, somebody("admin").secret, "stream").stable_code == "KEY_IN_ADDRESS"


def test_made_by_the_api(door: TestClient, service: Service, somebody: Callable[..., Somebody]) -> None:
    who = somebody("researcher")
    answer = door.post("/api/v1/tokens", headers=who.bearer, json={"scopes": ["read"], "minutes": 1})
    assert answer.status_code == 201
    made = answer.json()
    assert 55 <= made["expires_in"] <= 60
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    assert door.get("/api/v1/users/me", headers=bearer).json()["scopes"] == ["read"]
    assert door.post("/api/v1/tokens", headers=bearer).json()["code"] == "FORBIDDEN"
    assert door.post("/api/v1/tokens", headers=who.bearer, json={"scopes": ["admin"]}).status_code == 403
    most = door.post("/api/v1/tokens", headers=who.bearer, json={"minutes": 1e9}).json()["expires_in"]
    assert most <= service.settings.access.token_minutes * 60
    assert door.post("/api/v1/tokens/revoke", headers=bearer, json={"token": made["access_token"]}).status_code == 204
    assert door.get("/api/v1/users/me", headers=bearer).json()["code"] == "TOKEN_REVOKED"
    assert door.post("/api/v1/tokens/revoke", headers=who.bearer, json={"token": "nonsense"}).status_code == 204


def test_a_stream_token_by_the_api(door: TestClient, somebody: Callable[..., Somebody]) -> None:
    who = somebody("analyst")
    job = "0f8f6bd2-6a4c-4f0c-9a53-1d2f6a1f7a10"
    of_one = door.post("/api/v1/tokens/stream", headers=who.bearer, json={"job_id": job}).json()["access_token"]
    other = door.get("/api/v1/events/stream", params={"token": of_one})
    assert (other.status_code, other.json()["code"]) == (403, "TOKEN_OF_ANOTHER_JOB")
    assert (
        door.get("/api/v1/users/me", headers={"Authorization": f"Bearer {of_one}"}).json()["code"] == "TOKEN_WRONG_KIND"
    )
    assert door.get("/api/v1/users/me", params={"token": of_one}).json()["code"] == "NO_CREDENTIALS"
    key = door.get("/api/v1/events/stream", params={"token": who.secret})
    assert (key.status_code, key.json()["code"]) == (401, "KEY_IN_ADDRESS")
    assert who.secret not in key.text
