"""What every request passes through: ids, hosts, origins, rates, sizes, cookies."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import attrs
import pytest
from fastapi import Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.serve.access.conftest import PAGE, PLENTY, Somebody, with_key

from videoannotator.errors import ConfigError
from videoannotator.serve.access.limiting import RateLimits, address_of
from videoannotator.serve.access.places import is_public, is_upload
from videoannotator.serve.access.principals import Principal
from videoannotator.serve.access.requests import REQUEST_ID, URL_TOKEN, request_id_from, without_token
from videoannotator.serve.api.app import create_app
from videoannotator.serve.api.guarding import COOKIE
from videoannotator.serve.errors import RateLimitError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, Limits, ServerSettings

ME = "/api/v1/users/me"


@pytest.fixture
def opened(
    serving: Callable[[ServerSettings], Service], tmp_path: Path
) -> Iterator[Callable[..., tuple[TestClient, Service]]]:
    """``opened(access=..., limits=...)``: a server with such settings."""
    clients: list[TestClient] = []

    def make(*, access: Access | None = None, limits: Limits = PLENTY, **more: Any) -> tuple[TestClient, Service]:
        access = access or Access(hosts=("testserver",))
        service = serving(ServerSettings(data_dir=tmp_path / "data", limits=limits, access=access, **more))
        app = create_app(service)

        @app.get("/boom")
        def boom() -> None:
            raise RuntimeError("inside")

        @app.get("/id")
        def shown(request: Request) -> dict[str, Any]:
            return {"state": request.state.request_id, "variable": REQUEST_ID.get()}

        client = TestClient(app, raise_server_exceptions=False)
        clients.append(client)
        return client, service

    yield make
    for client in clients:
        client.close()


def is_problem(answer: Any, status: int, code: str) -> None:
    """Every refusal is the same kind of document, with the id that the header has, too."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["detail"]
    assert document["error"]["code"] == code
    if document["request_id"] is not None:
        assert document["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


# request ids ---------------------------------------------------------------------------------------------------------


def test_a_request_has_an_id_everywhere(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    client, service = opened()
    who = with_key(service, "admin")
    with caplog.at_level("INFO", "videoannotator.serve.requests"):
        answer = client.get("/id", headers={**who.bearer, "X-Request-ID": "from-the-client.1"})
    assert answer.headers["x-request-id"] == "from-the-client.1"
    assert answer.json() == {"state": "from-the-client.1", "variable": "from-the-client.1"}
    assert REQUEST_ID.get() is None
    assert "GET /id 200" in caplog.text
    is_problem(client.get("/nowhere", headers=who.bearer), 404, "NOT_FOUND")
    is_problem(client.put(ME, headers=who.bearer), 405, "METHOD_NOT_ALLOWED")
    is_problem(client.get("/api/v1/users/zzz", headers=who.bearer), 422, "VALIDATION_ERROR")
    is_problem(client.get("/boom", headers=who.bearer), 500, "INTERNAL_ERROR")


@given(given_id=st.text())
def test_only_harmless_ids_are_taken_over(given_id: str) -> None:
    taken = request_id_from(given_id)
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,100}", taken)
    assert taken == given_id or re.fullmatch(r"[0-9a-f]{32}", taken)


@pytest.mark.parametrize("bad", ["a b", "a\tb", "x" * 101, "<img>", "-a", 'a"b', "é"])
def test_an_id_with_more_in_it_is_replaced(opened: Any, bad: str) -> None:
    client, _ = opened()
    answer = client.get(ME, headers={"X-Request-ID": bad.encode("utf-8")})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_path_cannot_write_lines_into_the_log(opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = opened()
    with caplog.at_level("INFO", "videoannotator.serve.requests"):
        client.get("/api/v1/a%0d%0aGET%20/forged", params={"token": "abc"})
    lines = [record.getMessage() for record in caplog.records if record.name == "videoannotator.serve.requests"]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert "abc" not in lines[0]


# hosts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "host", "fine"),
    [
        ((), "localhost", True),
        ((), "LOCALHOST:18011", True),
        ((), "127.0.0.1:18011", True),
        ((), "[::1]:18011", True),
        ((), "192.168.1.7", True),
        ((), "evil.example", False),
        ((), "localhost.evil.example", False),
        ((), "127.0.0.1.evil.example", False),
        ((), "", False),
        ((), "[::1", False),
        ((), "a@localhost", True),
        (("va.lab.example",), "va.lab.example", True),
        (("va.lab.example",), "VA.lab.example.:443", True),
        (("va.lab.example",), "localhost:18011", True),
        (("va.lab.example",), "lab.example", False),
        (("va.lab.example",), "x.va.lab.example", False),
    ],
)
def test_hosts(opened: Any, hosts: tuple[str, ...], host: str, fine: bool) -> None:
    client, service = opened(access=Access(hosts=hosts))
    who = with_key(service, "admin")
    answer = client.get(ME, headers={**who.bearer, "Host": host})
    if fine:
        assert answer.status_code == 200
    else:
        is_problem(answer, 421, "HOST_NOT_ALLOWED")


def test_signs_of_life_for_any_name(opened: Any) -> None:
    client, _ = opened(access=Access(hosts=("va.lab.example",)))
    assert client.get("/healthz", headers={"Host": "10-0-0-7.pod.cluster"}).status_code in (200, 404)


# origins -------------------------------------------------------------------------------------------------------------

OURS = "https://viewer.lab.example"
ORIGINS = [OURS, "https://viewer.lab.example.evil.example", "http://viewer.lab.example", "null", "https://evil.example"]


@pytest.mark.parametrize("allowed", [(), (OURS,)])
def test_origins_by_method(opened: Any, allowed: tuple[str, ...]) -> None:
    client, service = opened(access=Access(hosts=("testserver",), origins=allowed))
    who = with_key(service, "admin")
    for origin in ORIGINS:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            by_origin(client, who, allowed, origin, method)


def by_origin(client: TestClient, who: Somebody, allowed: tuple[str, ...], origin: str, method: str) -> None:
    """What is answered before, and to, a request of a page of ``origin``."""
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    before = client.options(ME, headers=asked)
    answer = client.request(method, "/api/v1/users", headers={**who.bearer, "Origin": origin})
    if origin in allowed:
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == answer.headers["access-control-allow-origin"] == OURS
        assert method in before.headers["access-control-allow-methods"]
        assert "RateLimit" in answer.headers["access-control-expose-headers"]
    else:
        assert before.status_code in (400, 401)
        assert before.headers["content-type"] == "application/problem+json"
        for one in (before, answer):
            assert "access-control-allow-origin" not in one.headers
    for one in (before, answer):
        assert "access-control-allow-credentials" not in one.headers


def test_a_refusal_can_be_read_by_an_allowed_page(opened: Any) -> None:
    client, _ = opened(access=Access(hosts=("testserver",), origins=(OURS,)))
    answer = client.get(ME, headers={"Origin": OURS})
    is_problem(answer, 401, "NO_CREDENTIALS")
    assert answer.headers["access-control-allow-origin"] == OURS


# the page's cookie ---------------------------------------------------------------------------------------------------


def test_signing_in_and_out(opened: Any) -> None:
    client, service = opened()
    who = with_key(service, "researcher")
    is_problem(client.post("/api/v1/session", json={"key": who.secret}), 403, "CROSS_SITE")
    answer = client.post("/api/v1/session", json={"key": f" {who.secret}\n"}, headers=PAGE)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    assert "Secure" not in cookie
    assert who.secret not in cookie + answer.text
    assert client.get(ME).json()["via"] == "session"
    kept = client.cookies[COOKIE]
    assert client.delete("/api/v1/session").status_code == 403
    assert client.delete("/api/v1/session", headers=PAGE).status_code == 204
    assert COOKIE not in client.cookies
    is_problem(client.get(ME, headers={"Cookie": f"{COOKIE}={kept}"}), 401, "TOKEN_REVOKED")
    assert client.delete("/api/v1/session", headers=PAGE).status_code == 204


def test_a_cookie_by_https_stays_there(opened: Any) -> None:
    client, service = opened()
    client.base_url = "https://testserver"
    answer = client.post("/api/v1/session", json={"key": with_key(service, "guest").secret}, headers=PAGE)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "KEY_MALFORMED"),
        ("secret", "KEY_MALFORMED"),
        ("a.b.c", "KEY_MALFORMED"),
        ("va_" + "x" * 43, "KEY_OF_OLD_VERSION"),
        (f"va_{'0' * 12}_{'x' * 43}", "KEY_UNKNOWN"),
    ],
)
def test_what_does_not_sign_in(opened: Any, key: str, code: str) -> None:
    client, _ = opened()
    answer = client.post("/api/v1/session", json={"key": key}, headers=PAGE)
    is_problem(answer, 401, code)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "fine"),
    [
        ({}, False),
        ({"X-Requested-With": "XMLHttpRequest"}, False),
        (PAGE, True),
        ({**PAGE, "Origin": "http://testserver"}, True),
        ({**PAGE, "Origin": "http://evil.example"}, False),
        ({**PAGE, "Origin": "null"}, False),
        ({"Origin": "http://testserver"}, False),
    ],
)
def test_another_page_cannot_act_with_the_cookie(opened: Any, headers: dict[str, str], fine: bool) -> None:
    client, service = opened()
    client.post("/api/v1/session", json={"key": with_key(service, "admin").secret}, headers=PAGE)
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        answer = client.request(method, "/api/v1/keys/000000000000", headers=headers)
        if fine:
            assert answer.status_code in (404, 405)
        else:
            is_problem(answer, 403, "CROSS_SITE")


def test_a_key_in_a_header_goes_before_a_cookie(opened: Any) -> None:
    client, service = opened()
    one, other = with_key(service, "admin"), with_key(service, "guest")
    client.post("/api/v1/session", json={"key": one.secret}, headers=PAGE)
    assert client.get(ME, headers=other.bearer).json()["user"]["id"] == other.user.id
    wrong = client.get(ME, headers={"Authorization": "Bearer va_"})
    is_problem(wrong, 401, "KEY_MALFORMED")


# nobody is asked -----------------------------------------------------------------------------------------------------


def test_where_nobody_is_asked_everybody_is_admin(opened: Any) -> None:
    client, service = opened(access=Access(hosts=("testserver",), required=False))
    told = client.get(ME).json()
    assert (told["user"]["name"], told["user"]["role"], told["via"]) == ("local", "admin", "local")
    assert client.get(ME, headers={"Authorization": "Bearer dev-token"}).json()["via"] == "local"
    who = with_key(service, "guest")
    assert client.get(ME, headers=who.bearer).json()["user"]["id"] == who.user.id
    assert client.post("/api/v1/users", json={"name": "a"}).status_code == 201
    evil = client.post("/api/v1/users", json={"name": "b"}, headers={"Origin": "https://evil.example"})
    is_problem(evil, 403, "CROSS_SITE")
    own = client.post("/api/v1/users", json={"name": "b"}, headers={"Origin": "http://testserver"})
    assert own.status_code == 201
    token = client.post("/api/v1/tokens").json()["access_token"]
    assert client.get(ME, headers={"Authorization": f"Bearer {token}"}).json()["via"] == "token"


def test_nobody_is_asked_on_this_machine_only() -> None:
    with pytest.raises(ConfigError, match="this machine alone"):
        ServerSettings(host="0.0.0.0", access=Access(required=False))


# rates ---------------------------------------------------------------------------------------------------------------


def test_a_key_has_its_rate(opened: Any) -> None:
    client, service = opened(limits=Limits(per_key="5/minute", per_address="100/minute"))
    one, other = with_key(service, "admin"), with_key(service, "guest")
    left = [client.get(ME, headers=one.bearer).headers["ratelimit"] for _ in range(5)]
    assert [re.search(r"r=(\d+)", text)[1] for text in left] == ["4", "3", "2", "1", "0"]  # type: ignore[index]
    answer = client.get(ME, headers=one.bearer)
    is_problem(answer, 429, "RATE_LIMITED")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["ratelimit-policy"] == '"key";q=5;w=60'
    assert client.get(ME, headers=other.bearer).status_code == 200
    made = service.tokens.make("access", one.user.id, ("read",), 60, key_id=one.key.id)
    assert client.get(ME, headers={"Authorization": f"Bearer {made.token}"}).status_code == 429, (
        "its tokens count for it"
    )


def test_the_use_of_a_key_is_seen(opened: Any) -> None:
    client, service = opened()
    who = with_key(service, "researcher")
    assert client.get(ME, headers=who.bearer).status_code == 200
    key = service.keys.get(who.key.id, None)
    assert key.last_used_at == pytest.approx(time.time(), abs=30)


def test_an_address_has_its_rate(opened: Any) -> None:
    client, service = opened(limits=Limits(per_key="100/minute", per_address="4/minute"))
    who = with_key(service, "admin")
    for headers in ({}, {"Authorization": "Bearer va_"}, {"Authorization": "Basic x"}, {"Cookie": f"{COOKIE}=a.b.c"}):
        assert client.get(ME, headers=headers).status_code == 401
    is_problem(client.get(ME), 429, "RATE_LIMITED")
    is_problem(client.get(ME, headers={"Authorization": "Bearer va_"}), 429, "RATE_LIMITED")
    is_problem(client.post("/api/v1/session", json={"key": "va_"}, headers=PAGE), 429, "RATE_LIMITED")
    assert client.get(ME, headers=who.bearer).status_code == 200, "whoever has a key is not barred by a neighbour"
    assert client.get("/healthz").status_code in (200, 404)


@settings(max_examples=60, deadline=None)
@given(
    amount=st.integers(1, 12),
    begin=st.floats(0, 120),
    steps=st.lists(st.floats(0, 40), min_size=1, max_size=40),
)
def test_the_wait_that_is_told_is_long_enough_and_no_longer(amount: int, begin: float, steps: list[float]) -> None:
    now = 1_800_000_000.0 + begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        limits = RateLimits("1/second", f"{amount}/minute")
        refused = 0
        for step in steps:
            now += step
            try:
                limits.count(None, "a")
                continue
            except RateLimitError:
                refused += 1
            allowed, wait, remaining = limits._counted(limits._per_address, ("address", "a"))
            assert (allowed, remaining) == (False, 0)
            assert 0 < wait <= 60
            now += wait - 0.01
            if wait > 0.02:
                with pytest.raises(RateLimitError) as caught:
                    limits.count(None, "a")
                assert int(caught.value.headers["Retry-After"]) >= 1
            now += 0.02
            limits.count(None, "a")


@settings(max_examples=60, deadline=None)
@given(amount=st.integers(1, 9), callers=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 90)), max_size=60))
def test_what_is_allowed_is_what_limits_allows(amount: int, callers: list[tuple[str, float]]) -> None:
    now = 1_800_000_000.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now)
        mine = RateLimits("1/second", f"{amount}/minute")
        theirs = SlidingWindowCounterRateLimiter(MemoryStorage())
        rule = parse(f"{amount}/minute")
        for caller, step in callers:
            now += step
            try:
                standing = mine.count(None, caller)
            except RateLimitError:
                assert not theirs.hit(rule, caller)
                continue
            assert theirs.hit(rule, caller)
            assert standing.remaining == theirs.get_window_stats(rule, caller).remaining


def test_who_does_not_come_back_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    limits = RateLimits("1/second", "5/minute")
    threads = threading.active_count()
    for caller in range(20_000):
        now += 30.0
        limits.count(None, str(caller))
        limits.count(None, "always")
        assert len(limits._windows) <= 1000
    assert threading.active_count() <= threads, "counting needs no threads"


def test_rates_hold_between_threads() -> None:
    limits = RateLimits("50/minute", "1/minute")
    who = Principal(user_id="u", name="u", role="admin", scopes=frozenset())
    allowed: list[int] = []

    def ask() -> None:
        for _ in range(20):
            try:
                limits.count(who, "a")
                allowed.append(1)
            except RateLimitError:
                pass

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(allowed) == 50


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("10.0.0.1", 5), "10.0.0.1"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5), "fe80::/64"),
        (("::ffff:10.0.0.1", 5), "10.0.0.1"),
        (("testclient", 5), "testclient"),
        (None, "unknown"),
    ],
)
def test_addresses(client: Any, counted: str) -> None:
    assert address_of(client) == counted


@pytest.mark.parametrize("text", ["", "many", "10", "10/fortnight", "-1/second"])
def test_a_rate_that_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.per_key"):
        RateLimits(text, "1/second")


# bodies --------------------------------------------------------------------------------------------------------------


@attrs.frozen
class Body:
    """A body and what becomes of it."""

    size: int
    chunked: bool
    refused: bool


BODIES = [Body(2000, False, True), Body(2000, True, True), Body(900, False, False), Body(900, True, False)]


@pytest.mark.parametrize("body", BODIES)
def test_bodies(opened: Any, body: Body) -> None:
    client, service = opened(limits=attrs.evolve(PLENTY, body_bytes=1000))
    who = with_key(service, "admin")
    name = b'{"name": "' + b"x" * (body.size - 12) + b'"}'
    content: Any = (name[start : start + 100] for start in range(0, len(name), 100)) if body.chunked else name
    answer = client.post("/api/v1/users", content=content, headers={**who.bearer, "Content-Type": "application/json"})
    if body.refused:
        is_problem(answer, 413, "TOO_LARGE")
        assert answer.headers["connection"] == "close"
    else:
        is_problem(answer, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("method", "path", "kind", "upload"),
    [
        ("POST", "/api/v1/videos", "video/mp4", True),
        ("PUT", "/api/v1/videos/abc", "", True),
        ("POST", "/api/v1/videos/from-folder", "application/json", False),
        ("POST", "/api/v1/uploads", "application/offset+octet-stream", True),
        ("PATCH", "/api/v1/uploads/abc", "application/offset+octet-stream", True),
        ("POST", "/api/v1/jobs", "multipart/form-data; boundary=x", True),
        ("POST", "/api/v1/jobs/", "Multipart/Form-Data; boundary=x", True),
        ("POST", "/api/v1/jobs", "application/json", False),
        ("POST", "/api/v1/jobs/abc/cancel", "multipart/form-data", False),
        ("POST", "/api/v1/users", "multipart/form-data", False),
        ("POST", "/api/v1/session", "video/mp4", False),
    ],
)
def test_which_bodies_may_be_large(method: str, path: str, kind: str, upload: bool) -> None:
    assert is_upload(method, path, kind) is upload


@pytest.mark.parametrize(
    ("method", "path", "public"),
    [
        ("GET", "/", True),
        ("HEAD", "/", True),
        ("POST", "/", False),
        ("GET", "/api/v1/system/health", True),
        ("GET", "/api/v1/system/health/", True),
        ("GET", "/api/v1/system/info", False),
        ("GET", "/page/app.mjs", True),
        ("POST", "/page/app.mjs", False),
        ("GET", "/pages", False),
        ("GET", "/viewerx", False),
        ("GET", "/api/v1/jobs", False),
        ("GET", "//api/v1/jobs", False),
        ("GET", "/openapi.json", True),
        ("GET", "/metrics", False),
    ],
)
def test_which_places_are_open(method: str, path: str, public: bool) -> None:
    assert is_public(method, path) is public


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.dictionaries(
        st.sampled_from(["Authorization", "X-API-Key", "Cookie", "X-Request-ID", "Origin"]), st.binary(max_size=60)
    )
)
def test_no_header_brings_the_door_down(service: Service, headers: dict[str, bytes]) -> None:
    plain = {name: re.sub(rb"[\x00-\x1f\x7f]", b"?", value) for name, value in headers.items()}
    client = TestClient(create_app(service), raise_server_exceptions=False)
    is_problem(client.get(ME, headers=plain), 401, client.get(ME, headers=plain).json()["code"])


# addresses -----------------------------------------------------------------------------------------------------------


@given(
    before=st.lists(st.sampled_from(["job_id=1", "a", "", "tokens=2", "token2=3"]), max_size=3),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_a_token_is_taken_out_of_the_address(before: list[str], value: str) -> None:
    query = "&".join([*before, f"token={quote_plus(value)}", "z=1"]).encode()
    scope = {"type": "http", "query_string": query, "state": {"a": 1}}
    cleaned = without_token(scope)
    assert cleaned["query_string"] == "&".join([*before, "z=1"]).encode()
    assert cleaned["state"] == {"a": 1, URL_TOKEN: value}
    assert scope["query_string"] == query


def test_an_address_without_a_token_is_left_alone() -> None:
    scope = {"type": "http", "query_string": b"job_id=1"}
    assert without_token(scope) is scope
    assert without_token({"type": "http"}) == {"type": "http"}


def test_no_websocket_comes_in(opened: Any) -> None:
    client, service = opened()
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/api/v1/events/stream", headers=with_key(service, "admin").bearer),
    ):
        pass


TRACED = """
import sys
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
from videoannotator.serve.api.app import create_app
from videoannotator.serve.operating import tracing
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

spans = InMemorySpanExporter()
tracing.install(None, exporter=spans)
client = TestClient(create_app(Service.of(ServerSettings(data_dir=sys.argv[1]))), base_url="http://localhost")
client.get("/api/v1/events/stream?job_id=seen&token=SECRET-1", headers={"Authorization": "Bearer SECRET-2"})
print([(span.name, dict(span.attributes)) for span in spans.get_finished_spans()])
"""


def test_a_trace_holds_no_token(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.sdk")
    said = subprocess.run([sys.executable, "-c", TRACED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "job_id=*" in said.stdout
    assert "seen" not in said.stdout
    assert "SECRET" not in said.stdout
