"""The same request sent twice is done once, on both databases."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, update

from videoannotator.serve.errors import KeyReuseError, RequestError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.idempotency import KEPT, IdempotencyStore, digest_of_request
from videoannotator.serve.store.schema import idempotency, users
from videoannotator.serve.store.users import UserStore


class Making:
    """Something that is made inside the transaction: a user."""

    def __init__(self, database: Database, *, wait: float = 0.0) -> None:
        self.users = UserStore(database)
        self.user = self.users.add("who asks", "researcher")
        self.store = IdempotencyStore(database)
        self.wait = wait
        self.made = 0
        self.fails = False

    def make(self, connection: Connection) -> tuple[int, dict[str, Any]]:
        self.made += 1
        name = f"made {self.made} {threading.get_ident()}"
        self.users.add(name, "guest", connection=connection)
        time.sleep(self.wait)
        if self.fails:
            raise RequestError("no")
        return 201, {"name": name}

    def ask(self, key: str | None, body: Any = 1, route: str = "POST /jobs", user: str | None = None) -> Any:
        return self.store.once(
            key, user_id=user or self.user.id, route=route, digest=digest_of_request({"body": body}), make=self.make
        )

    def there(self) -> int:
        with self.store.database.read() as connection:
            return connection.execute(select(func.count()).select_from(users)).scalar_one() - 1


def test_once(databases: Database) -> None:
    asking = Making(databases)
    first = asking.ask("k")
    again = asking.ask("k")
    assert (first.status, first.again) == (201, False)
    assert (again.status, again.body, again.again) == (201, first.body, True)
    assert asking.there() == 1
    asking.ask("other")
    asking.ask("k", route="POST /batches")
    asking.ask("k", user=asking.users.add("another", "researcher").id)
    assert asking.there() == 4 + 1
    asking.ask(None)
    asking.ask(None)
    assert asking.made == 6


def test_another_body_is_refused(databases: Database) -> None:
    asking = Making(databases)
    asking.ask("k")
    with pytest.raises(KeyReuseError, match="another request"):
        asking.ask("k", body=2)
    assert asking.there() == 1


def test_what_failed_is_not_remembered(databases: Database) -> None:
    asking = Making(databases)
    asking.fails = True
    with pytest.raises(RequestError):
        asking.ask("k")
    assert asking.there() == 0
    asking.fails = False
    assert not asking.ask("k", body=2).again


def test_after_a_day_it_is_a_new_request(databases: Database) -> None:
    asking = Making(databases)
    asking.ask("k")
    asking.ask("old")
    with databases.write() as connection:
        connection.execute(update(idempotency).values(created_at=idempotency.c.created_at - KEPT - 1))
    assert not asking.ask("k", body=2).again
    assert asking.store.remove_old() == 1
    assert asking.ask("k", body=2).again


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "é", "a\n", "\x00"])
def test_what_cannot_be_a_key(databases: Database, key: str) -> None:
    with pytest.raises(RequestError, match="Idempotency-Key"):
        Making(databases).ask(key)


def test_requests_at_the_same_time_give_one(databases: Database) -> None:
    asking = Making(databases, wait=0.05)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(asking.ask("k"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({answer.body["name"] for answer in answers}) == 1
    assert sum(not answer.again for answer in answers) == 1
    assert asking.there() == 1


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values=st.dictionaries(st.text(), plain, max_size=4), other=st.dictionaries(st.text(), plain, max_size=4))
def test_digests_tell_requests_apart(values: dict[str, Any], other: dict[str, Any]) -> None:
    backwards = dict(reversed(list(values.items())))
    assert digest_of_request(values) == digest_of_request(backwards)
    if repr(sorted(values.items())) == repr(sorted(other.items())):
        assert digest_of_request(values) == digest_of_request(other)
    if values != other:
        assert digest_of_request(values) != digest_of_request(other)
