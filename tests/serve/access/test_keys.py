"""API keys and users, on both databases."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update
from starlette.testclient import TestClient
from tests.serve.access.conftest import Somebody

from videoannotator.serve.access import secret_keys
from videoannotator.serve.access.authenticating import Authenticator, Credentials, credentials_in
from videoannotator.serve.access.principals import SCOPES, Principal
from videoannotator.serve.access.tokens import Tokens
from videoannotator.serve.errors import (
    ConflictError,
    DatabaseUnavailable,
    NotFoundError,
    RequestError,
    StorageFullError,
    UnauthorizedError,
)
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.keys import KeyStore
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.schema import api_keys
from videoannotator.serve.store.users import UserStore


class Stores:
    """Everything about who is asking, on one database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.users = UserStore(database)
        self.keys = KeyStore(database)
        self.door = Authenticator(Access(), self.users, self.keys, Tokens(folder))

    def enter(self, secret: str) -> Principal:
        return self.door.principal(Credentials(secret, "access"))

    def code(self, secret: str) -> str:
        with pytest.raises(UnauthorizedError) as caught:
            self.enter(secret)
        assert len(secret) < 10 or secret not in str(caught.value)
        return caught.value.stable_code


@pytest.fixture
def stores(databases: Database, tmp_path: Path) -> Stores:
    return Stores(databases, tmp_path)


def test_a_key_opens_the_door_until_it_is_revoked(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    key, secret = stores.keys.create(user.id, "night runs", ("write", "read"))
    assert re.fullmatch(r"va_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", secret)
    who = stores.enter(secret)
    assert (who.user_id, who.name, who.role, who.key_id, who.via) == (user.id, "amelie", "researcher", key.id, "key")
    assert who.scopes_held == ("read", "write")
    with pytest.raises(NotFoundError):
        stores.keys.revoke(key.id, "somebody else")
    assert stores.enter(secret)
    ended = stores.keys.revoke(key.id, user.id)
    assert stores.code(secret) == "KEY_REVOKED"
    assert stores.keys.revoke(key.id, None).revoked_at == ended.revoked_at


def test_only_a_hash_is_kept(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    _, secret = stores.keys.create(user.id, "mine", SCOPES)
    with stores.database.read() as connection:
        kept = repr(connection.execute(text("SELECT * FROM api_keys")).all())
    assert secret.rsplit("_", 1)[-1] not in kept
    assert secret[16:] not in kept
    assert secret_keys.digest_of(secret) in kept


def test_a_key_ends_by_itself(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    key, secret = stores.keys.create(user.id, "short", ("read",), expires_in=1000)
    assert key.expires_at == pytest.approx(key.created_at + 1000, abs=1)
    assert stores.enter(secret)
    with stores.database.write() as connection:
        connection.execute(update(api_keys).values(expires_at=key.created_at))
    assert stores.code(secret) == "KEY_EXPIRED"


def test_what_is_no_key_of_ours(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    _, secret = stores.keys.create(user.id, "mine", SCOPES)
    assert stores.code("va_" + "x" * 43) == "KEY_OF_OLD_VERSION"
    assert stores.code(secret[:-1]) == "KEY_MALFORMED"
    assert stores.code(secret + " ") == "KEY_MALFORMED"
    assert stores.code(secret + "\n") == "KEY_MALFORMED"
    assert stores.code("va_") == "KEY_MALFORMED"
    assert stores.code(f"va_{'0' * 12}_{'A' * 43}") == "KEY_UNKNOWN"
    assert stores.code(secret[:-1] + ("A" if secret[-1] != "A" else "B")) == "KEY_UNKNOWN"
    _, other = stores.keys.create(user.id, "other", SCOPES)
    assert stores.code(secret[:16] + other[16:]) == "KEY_UNKNOWN"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 58), bit=st.integers(0, 6))
def test_no_other_text_is_the_key(service: Service, place: int, bit: int) -> None:
    if not service.users.page():
        service.users.add("amelie", "admin")
    _, secret = service.keys.create(service.users.page()[0].id, "mine", SCOPES)
    changed = secret[:place] + chr(ord(secret[place]) ^ (1 << bit)) + secret[place + 1 :]
    with pytest.raises(UnauthorizedError):
        service.authenticator.principal(Credentials(changed, "access"))


def test_digests_are_compared_in_even_time(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known or not known, the comparison is made, and by `hmac.compare_digest`."""
    compared: list[tuple[str, str]] = []
    real = secret_keys.hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(secret_keys.hmac, "compare_digest", compare)
    user = stores.users.add("amelie", "researcher")
    _, secret = stores.keys.create(user.id, "mine", SCOPES)
    stores.enter(secret)
    stores.code(f"va_{'0' * 12}_{'A' * 43}")
    assert len(compared) == 2
    assert compared[0][0] == compared[0][1] == secret_keys.digest_of(secret)


def test_use_is_written_down_once_a_minute(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    key, _ = stores.keys.create(user.id, "mine", SCOPES)
    assert key.last_used_at is None
    due: list[bool] = []
    together = [threading.Thread(target=lambda: due.append(stores.keys.use_is_due(key.id))) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert sorted(due) == [False, False, False, True]
    stores.keys.was_used(key.id)
    first = stores.keys.get(key.id, None).last_used_at
    assert first == pytest.approx(time.time(), abs=30)
    other = KeyStore(stores.database)  # another server, which has not written a moment ago
    assert other.use_is_due(key.id)
    other.was_used(key.id)
    assert other.get(key.id, None).last_used_at == first
    with stores.database.write() as connection:
        connection.execute(update(api_keys).values(last_used_at=first - 61))
    other.was_used(key.id)
    assert other.get(key.id, None).last_used_at == pytest.approx(time.time(), abs=30)


@pytest.mark.parametrize("error", [StorageFullError("full"), DatabaseUnavailable("busy")])
def test_a_full_disk_keeps_nobody_out(stores: Stores, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    user = stores.users.add("amelie", "researcher")
    key, _ = stores.keys.create(user.id, "mine", SCOPES)

    def refuse() -> None:
        raise error

    monkeypatch.setattr(stores.database, "write", refuse)
    stores.keys.was_used(key.id)
    monkeypatch.undo()
    assert stores.keys.get(key.id, None).last_used_at is None


def test_keys_are_listed_newest_first_page_by_page(stores: Stores) -> None:
    user, other = stores.users.add("amelie", "researcher"), stores.users.add("ben", "researcher")
    made = [stores.keys.create(user.id, f"key {number}", ("read",))[0] for number in range(5)]
    stores.keys.create(other.id, "his", ("read",))
    seen = []
    after: Cursor | None = None
    while page := stores.keys.page(user.id, after=after, limit=2):
        seen += page
        after = Cursor.after(page, 1)
    assert sorted(key.id for key in seen) == sorted(key.id for key in made)
    assert [key.created_at for key in seen] == sorted((key.created_at for key in made), reverse=True)
    assert len(stores.keys.page(None)) == 6


def test_what_a_key_cannot_be(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher")
    with pytest.raises(RequestError):
        stores.keys.create(user.id, "mine", ("everything",))  # type: ignore[arg-type]
    with pytest.raises(RequestError):
        stores.keys.create(user.id, "mine", (), expires_in=0)
    with pytest.raises(RequestError):
        stores.keys.create(user.id, "a\nb", ())
    with pytest.raises(NotFoundError):
        stores.keys.create("nobody", "mine", ())


def test_users(stores: Stores) -> None:
    user = stores.users.add("amelie", "researcher", email="amelie@lab.example", quota_bytes=10)
    assert stores.users.get(user.id) == stores.users.named("amelie") == user
    with pytest.raises(ConflictError):
        stores.users.add("amelie", "guest")
    other = stores.users.add("ben", "guest")
    with pytest.raises(ConflictError):
        stores.users.change(other.id, name="amelie")
    assert stores.users.change(other.id, name="benno", quota_jobs=3).quota_jobs == 3
    assert stores.users.change(other.id) == stores.users.get(other.id)
    for name in ("", " a", "a ", "a\x00", "a\u202eb", "x" * 101):
        with pytest.raises(RequestError):
            stores.users.add(name, "guest")
    with pytest.raises(RequestError):
        stores.users.add("c", "boss")  # type: ignore[arg-type]
    for call in (stores.users.get, stores.users.named, stores.users.change):
        with pytest.raises(NotFoundError):
            call("nobody")


def test_the_last_admin_stays(stores: Stores) -> None:
    first = stores.users.add("first", "admin")
    with pytest.raises(ConflictError, match="last active admin"):
        stores.users.change(first.id, active=False)
    with pytest.raises(ConflictError, match="last active admin"):
        stores.users.change(first.id, role="researcher")
    stores.users.change(first.id, name="the first", role="admin", active=True)
    second = stores.users.add("second", "admin")
    done = []

    def leave(user_id: str) -> None:
        with suppress(ConflictError):
            done.append(stores.users.change(user_id, active=False))

    threads = [threading.Thread(target=leave, args=(one.id,)) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1, "two admins who put each other aside at the same time"


def test_headers_that_carry_a_key() -> None:
    assert credentials_in(None, None) is None
    assert credentials_in(None, "") is None
    assert credentials_in("Bearer va_x", None) == Credentials("va_x", "access")
    assert credentials_in("bearer   va_x ", "va_y") == Credentials("va_x", "access")
    assert credentials_in(None, " va_x ") == Credentials("va_x", "access")
    for wrong in ("va_x", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", ""):
        with pytest.raises(UnauthorizedError, match="Bearer va_"):
            credentials_in(wrong, None)
    assert "va_x" not in repr(Credentials("va_x", "access"))


def test_by_the_api(door: TestClient, somebody: Callable[..., Somebody]) -> None:
    admin, researcher, analyst = somebody("admin"), somebody("researcher"), somebody("analyst")
    made = door.post("/api/v1/keys", headers=researcher.bearer, json={"name": "mine", "expires_in_days": 1})
    assert made.status_code == 201
    assert made.json()["scopes"] == ["read", "write"]
    mine = {"Authorization": f"Bearer {made.json()['key']}"}
    assert door.get("/api/v1/users/me", headers=mine).json()["key_id"] == made.json()["id"]
    listed = door.get("/api/v1/keys", headers=researcher.bearer).json()["keys"]
    assert {key["id"] for key in listed} == {made.json()["id"], researcher.key.id}
    assert made.json()["key"] not in door.get("/api/v1/keys", headers=researcher.bearer).text
    place = f"/api/v1/keys/{made.json()['id']}"
    assert door.get(place, headers=analyst.bearer).status_code == 404
    assert door.delete(place, headers=analyst.bearer).status_code == 404
    assert door.get(place, headers=admin.bearer).json()["name"] == "mine"
    assert door.delete(place, headers=mine).json()["revoked_at"] is not None
    assert door.get("/api/v1/users/me", headers=mine).json()["code"] == "KEY_REVOKED"
    every = door.get("/api/v1/keys", headers=admin.bearer, params={"user_id": "all", "limit": 2}).json()
    assert len(every["keys"]) == 2
    assert every["next_cursor"]


def test_a_key_gives_no_more_than_it_has(door: TestClient, somebody: Callable[..., Somebody]) -> None:
    writer, admin = somebody("researcher"), somebody("admin")
    narrow = somebody("admin", scopes=("read", "write"))

    def make(who: Somebody, **asked: object) -> int:
        return door.post("/api/v1/keys", headers=who.bearer, json={"name": "more", **asked}).status_code

    assert make(writer, scopes=["admin"]) == 403
    assert make(writer, user_id=admin.user.id) == 403
    assert make(narrow, scopes=["admin"]) == 403
    assert make(narrow, user_id=writer.user.id) == 403
    assert make(admin, user_id=writer.user.id, scopes=["admin"]) == 403, "nor more than the user's role"
    assert make(admin, user_id=writer.user.id) == 201
    assert make(somebody("researcher", scopes=("read",))) == 403
    assert make(somebody("analyst")) == 403
    assert make(somebody("guest")) == 403
