"""Tokens of an issuer, whose keys come from a real HTTP server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from tests.serve.access.conftest import PLENTY

from videoannotator.errors import ConfigError
from videoannotator.serve.access.authenticating import Credentials
from videoannotator.serve.access.issuers import IssuerSilentError
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.errors import UnauthorizedError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, ServerSettings

NAME = "https://accounts.example/realms/lab"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys:
    """What the issuer's server gives, and how often it was asked."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.wait = 0.0
        self.asked = 0
        self.url = ""
        self.give({"one": RSA, "two": EC})

    def give(self, keys: dict[str, Any]) -> None:
        """Serve these keys by kid."""
        documents = []
        for kid, key in keys.items():
            algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
            documents.append(algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"})
        self.body = json.dumps({"keys": documents}).encode()


@pytest.fixture
def keys() -> Iterator[Keys]:
    """A server of keys on this machine."""
    given = Keys()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given.asked += 1
            time.sleep(given.wait)
            self.send_response(given.status)
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    given.url = f"http://127.0.0.1:{server.server_port}/certs"
    yield given
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def trusting(serving: Callable[[ServerSettings], Service], tmp_path: Path, keys: Keys) -> Callable[..., Service]:
    """A service that believes the issuer."""

    def make(**changes: Any) -> Service:
        access = Access(jwks_url=keys.url, issuer=NAME, audience="videoannotator-lab", **changes)
        return serving(ServerSettings(data_dir=tmp_path / "data", limits=PLENTY, access=access))

    return make


def token(*, key: Any = RSA, alg: str = "RS256", kid: str | None = "one", **changes: Any) -> str:
    """As the issuer makes them, but for ``changes`` (None: left out)."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": NAME,
        "aud": ["account", "videoannotator-lab"],
        "sub": "a-1",
        "iat": now,
        "exp": now + 60,
        "preferred_username": "amelie",
        "email": "amelie@lab.example",
    } | changes
    plain = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(plain, key, alg, headers={"kid": kid} if kid else None)


def principal(service: Service, text: str) -> Principal:
    return service.authenticator.principal(Credentials(text, "access"))


def code(service: Service, text: str) -> str:
    with pytest.raises(UnauthorizedError) as caught:
        principal(service, text)
    return caught.value.stable_code


def test_who_the_issuer_vouches_for_is_a_user(trusting: Callable[..., Service], keys: Keys) -> None:
    service = trusting()
    first = principal(service, token())
    assert (first.name, first.role, first.via, first.key_id) == ("amelie", "guest", "issuer", None)
    assert service.users.get(first.user_id).email == "amelie@lab.example"
    assert principal(service, token(key=EC, alg="ES256", kid="two")).user_id == first.user_id
    assert keys.asked == 1
    service.users.change(first.user_id, role="researcher")
    assert principal(service, token()).role == "researcher"
    assert principal(service, token(preferred_username="somebody else")).user_id == first.user_id


def test_a_name_is_not_who_somebody_is(trusting: Callable[..., Service]) -> None:
    service = trusting()
    mine = service.users.add("admin", "admin")
    stranger = principal(service, token(sub="b-2", preferred_username="admin", email=None))
    assert stranger.user_id != mine.id
    assert stranger.role == "guest"
    assert stranger.name.startswith("admin ")
    assert principal(service, token(sub="c-3", preferred_username="\n\u202e", email=None)).name == "c-3"


def test_somebody_put_aside_is_out(trusting: Callable[..., Service]) -> None:
    service = trusting()
    service.users.change(principal(service, token()).user_id, active=False)
    assert code(service, token()) == "USER_INACTIVE"


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"realm_access": {"roles": ["offline", "videoannotator-researcher"]}}, "researcher"),
        ({"realm_access": {"roles": ["videoannotator-guest", "videoannotator-admin"]}}, "admin"),
        ({"realm_access": {"roles": "videoannotator-analyst openid"}}, "analyst"),
        ({"realm_access.roles": ["videoannotator-analyst"]}, "analyst"),
        ({"realm_access": {"roles": ["admin"]}}, "guest"),
        ({"realm_access": {"roles": {"videoannotator-admin": 1}}}, "guest"),
        ({"realm_access": ["videoannotator-admin"]}, "guest"),
        ({"realm_access": {"roles": 5}}, "guest"),
        ({}, "guest"),
    ],
)
def test_roles_of_the_issuer(trusting: Callable[..., Service], claims: dict[str, Any], role: str) -> None:
    service = trusting(role_claim="realm_access.roles")
    assert principal(service, token(**claims)).role == role
    assert principal(service, token()).role == "guest", "a role that the issuer takes back is gone"


def test_each_way_to_be_wrong_has_its_word(trusting: Callable[..., Service]) -> None:
    service = trusting()
    now = int(time.time())
    assert code(service, token(exp=now - 3600)) == "TOKEN_EXPIRED"
    assert code(service, token(nbf=now + 3600)) == "TOKEN_NOT_YET_VALID"
    assert code(service, token(exp=None)) == "TOKEN_MISSING_CLAIM"
    assert code(service, token(sub=None)) == "TOKEN_MISSING_CLAIM"
    assert code(service, token(aud="somebody else")) == "TOKEN_WRONG_AUDIENCE"
    assert code(service, token(aud=None)) == "TOKEN_MISSING_CLAIM"
    assert code(service, token(iss="https://accounts.example/realms/other")) == "TOKEN_WRONG_ISSUER"
    assert code(service, token(iss=None)) == "TOKEN_MISSING_CLAIM"
    assert code(service, token(key=OTHER)) == "TOKEN_BAD_SIGNATURE"
    assert code(service, token(kid="three")) == "TOKEN_UNKNOWN_KEY"
    assert code(service, token(kid=None)) == "TOKEN_UNKNOWN_KEY"
    assert code(service, token(alg="RS512")) == "TOKEN_ALGORITHM"
    assert code(service, token(key=EC, alg="ES256", kid="one")) == "TOKEN_ALGORITHM"


def test_a_public_key_is_no_shared_secret(trusting: Callable[..., Service], keys: Keys) -> None:
    """The old confusion of algorithms: a token signed by HMAC with the text of the issuer's public key."""
    import base64
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    service = trusting()
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, claims, _ = token().split(".")

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    header = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode())
    signature = part(hmac.new(public, f"{header}.{claims}".encode(), hashlib.sha256).digest())
    assert code(service, f"{header}.{claims}.{signature}") == "TOKEN_ALGORITHM"


def test_the_issuers_own_algorithms_are_pinned(trusting: Callable[..., Service]) -> None:
    service = trusting(algorithms=("ES256",))
    assert code(service, token()) == "TOKEN_ALGORITHM"
    assert principal(service, token(key=EC, alg="ES256", kid="two"))


def test_new_keys_are_fetched_but_strangers_cannot_make_us_ask(trusting: Callable[..., Service], keys: Keys) -> None:
    service = trusting()
    principal(service, token())
    for number in range(20):
        assert code(service, token(kid=f"made up {number}")) == "TOKEN_UNKNOWN_KEY"
    assert keys.asked == 1
    keys.give({"three": OTHER})
    ring = service.authenticator._issuer._keys  # type: ignore[union-attr]
    ring._last_successful_fetch -= 31  # type: ignore[operator]  # half a minute later
    assert principal(service, token(key=OTHER, kid="three"))
    assert keys.asked == 2
    assert code(service, token()) == "TOKEN_UNKNOWN_KEY"


def test_an_issuer_that_is_silent(trusting: Callable[..., Service], keys: Keys) -> None:
    service = trusting()
    keys.status = 500
    for _ in range(5):
        with pytest.raises(IssuerSilentError, match="cannot be fetched"):
            principal(service, token())
    assert keys.asked == 1, "a failure is not tried again at once"
    ring = service.authenticator._issuer._keys  # type: ignore[union-attr]
    ring._failed -= 11  # type: ignore[operator]
    keys.status = 200
    assert principal(service, token())


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "eA"}]}']
)
def test_what_is_no_set_of_keys(trusting: Callable[..., Service], keys: Keys, body: bytes) -> None:
    service = trusting()
    keys.body = body
    with pytest.raises(IssuerSilentError):
        principal(service, token())


def test_a_silent_issuer_bars_nobody_else(trusting: Callable[..., Service], keys: Keys) -> None:
    service = trusting()
    keys.status = 500
    user = service.users.add("amelie", "researcher")
    _, secret = service.keys.create(user.id, "mine", ("read",))
    assert principal(service, secret).user_id == user.id
    made = service.tokens.make("access", user.id, ("read",), 60)
    assert principal(service, made.token).user_id == user.id
    assert keys.asked == 0


@attrs.frozen
class Refused:
    """Settings that are not taken, and why."""

    settings: dict[str, Any]
    why: str


@pytest.mark.parametrize(
    "refused",
    [
        Refused({"jwks_url": "https://a.example/certs"}, "belong together"),
        Refused({"jwks_url": "https://a.example/certs", "issuer": "https://a.example"}, "belong together"),
        Refused({"jwks_url": "http://a.example/certs", "issuer": "a", "audience": "b"}, "by https only"),
        Refused({"jwks_url": "file:///etc/passwd", "issuer": "a", "audience": "b"}, "by https only"),
        Refused({"jwks_url": "http://localhost.a.example/c", "issuer": "a", "audience": "b"}, "by https only"),
        Refused({"algorithms": ("RS256", "HS256")}, "HS256 cannot be used"),
        Refused({"algorithms": ("none",)}, "none cannot be used"),
        Refused({"origins": ("*",)}, "no exact origin"),
        Refused({"origins": ("https://a.example/",)}, "no exact origin"),
        Refused({"origins": ("https://*.example",)}, "no exact origin"),
        Refused({"origins": ("null",)}, "no exact origin"),
    ],
)
def test_settings_that_would_open_the_door(refused: Refused) -> None:
    with pytest.raises(ConfigError, match=refused.why):
        Access(**refused.settings)
