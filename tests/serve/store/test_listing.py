"""Lists against the same lists made by hand from all rows: what, in which order, how many, page by page."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from tests.serve.operating import filling

from videoannotator.serve.store.database import Database
from videoannotator.serve.store.listing import JobListing
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.schema import STATES, batches, jobs, templates, users
from videoannotator.serve.store.templates import TemplateStore

SOME = [(), ("failed",), ("completed", "partial"), ("cancelled", "pending", "running"), STATES]


def _newest(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True)]


@pytest.fixture
def there(databases: Database) -> list[dict[str, Any]]:
    """Rows of 60 jobs, many of the same moment; those that are to go are not among them."""
    rows = filling.fill(databases, jobs=60)["jobs"]
    going = {row["id"] for number, row in enumerate(rows) if row["state"] == "running" and number % 2}
    assert going
    with databases.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id.in_(going)).values(delete_requested_at=1.0))
    return [row for row in rows if row["id"] not in going]


@pytest.mark.parametrize("states", SOME, ids=lambda states: "-".join(states) or "any")
def test_jobs(databases: Database, there: list[dict[str, Any]], states: tuple[str, ...]) -> None:
    """By owner, state, batch and video; by cursor and by number."""
    listing = JobListing(databases)
    with databases.read() as connection:
        batch = connection.execute(select(batches.c.id)).scalar_one()
    for owner in (None, *sorted({row["owner_id"] for row in there})):
        for more in ({}, {"batch_id": batch}, {"video_id": there[7]["video_id"]}):
            chosen = [
                row
                for row in there
                if (not states or row["state"] in states)
                and (owner is None or row["owner_id"] == owner)
                and all(row[name] == value for name, value in more.items())
            ]
            wanted = _newest(chosen)
            assert listing.count(owner, states=states, **more) == len(wanted)
            assert [view.id for view in listing.page(owner, states=states, limit=200, **more)] == wanted
            by_number, by_cursor, after = list[str](), list[str](), None
            for offset in range(0, len(wanted) + 7, 7):
                page = listing.page(owner, states=states, limit=7, offset=offset, **more)
                by_number += [view.id for view in page]
                page = listing.page(owner, states=states, limit=7, after=after, **more)
                by_cursor += [view.id for view in page]
                after = Cursor.after(page, 7)
                if after is None:
                    break
            assert by_cursor == by_number == wanted


def test_places_in_the_queue(databases: Database, there: list[dict[str, Any]]) -> None:
    """Higher priority first, then the older one; the same in a list and alone."""
    listing = JobListing(databases)
    waiting = [row for row in there if row["state"] == "pending"]
    waiting.sort(key=lambda row: (-row["priority"], row["created_at"], row["id"]))
    wanted = {row["id"]: place for place, row in enumerate(waiting, 1)}
    assert {view.id: view.position for view in listing.page(None, limit=200) if view.position} == wanted
    assert {job: listing.get(job, None).position for job in wanted} == wanted


def test_templates(databases: Database) -> None:
    """One's own and those that are shared, each once, page by page."""
    row = {"role": "researcher", "active": True, "created_at": 1.0}
    made = [
        {"id": f"{n:08x}-0000-4000-8000-000000000000", "owner_id": "ab"[n % 2], "name": f"t{n}", "shared": n % 3 == 0,
         "request": {}, "created_at": float(n // 4), "updated_at": 1.0}
        for n in range(40)
    ]  # fmt: skip
    with databases.write() as connection:
        connection.execute(insert(users), [{**row, "id": one, "name": one} for one in "ab"])
        connection.execute(insert(templates), made)
    store = TemplateStore(databases)
    for user, limit in product("ab", (3, 50)):
        wanted = _newest([one for one in made if one["owner_id"] == user or one["shared"]])
        found, after = list[str](), None
        while page := store.page(user, after=after, limit=limit):
            found += [one.id for one in page]
            after = Cursor.after(page, limit)
            if after is None:
                break
        assert found == wanted
