"""Events as streams get them: all of them, each once, and read from the database once for all streams."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, insert
from tests.serve.api.test_stores import user, video

from videoannotator.serve.api import following
from videoannotator.serve.api.following import Follower, Tail
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import JobStore, NewJob
from videoannotator.serve.store.listing import JobListing
from videoannotator.serve.store.schema import job_events


def job_of(database: Database, owner: str) -> str:
    request = NewJob(owner_id=owner, video_id=video(database, owner), request={})
    return JobStore(database).submit(request).id


def tell(database: Database, number: int, job_id: str, owner: str, age: float = 0.0) -> None:
    values = {"id": number, "job_id": job_id, "owner_id": owner, "kind": "update", "data": {}}
    with database.write() as connection:
        connection.execute(insert(job_events).values(**values, created_at=moment() - age))


async def numbers(follower: Follower) -> list[int]:
    """All that there is now."""
    found = [told.event.id for told in await follower.new()]
    while follower.is_late:
        found += [told.event.id for told in await follower.new()]
    return found


def following_of(database: Database, every: float = 0.0) -> tuple[Tail, Callable[..., Follower]]:
    listing = JobListing(database)
    tail = Tail(listing, every)
    return tail, lambda owner, job_id=None, after=None: Follower(tail, listing, owner, job_id, after)


def run(steps: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(steps())  # type: ignore[arg-type]


def test_many_streams_look_once_and_see_what_is_new(databases: Database) -> None:
    asked: list[str] = []

    @event.listens_for(databases.engine, "before_cursor_execute")
    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "job_events" in statement and statement.startswith("SELECT"):
            asked.append(statement)

    owner = user(databases, "one")
    _, follows = following_of(databases, every=0.2)
    seen: list[list[str]] = []

    async def one(until: float) -> None:
        follower = follows(owner)
        mine: list[str] = []
        seen.append(mine)
        while time.monotonic() < until:
            mine += [told.event.kind for told in await follower.new()]
            await asyncio.sleep(0.02)

    async def steps() -> None:
        began = time.monotonic()
        streams = [asyncio.create_task(one(began + 1.0)) for _ in range(30)]
        await asyncio.sleep(0.3)
        asked.clear()
        await asyncio.to_thread(job_of, databases, owner)
        await asyncio.gather(*streams)

    run(steps)
    assert seen == [["update"]] * 30
    assert 1 <= len(asked) <= 8, "thirty streams for most of a second, one look each fifth of a second"


def test_events_that_become_visible_late_are_not_missed(databases: Database) -> None:
    owner = user(databases, "one")
    job = job_of(databases, owner)
    last = JobListing(databases).last_event()
    _, follows = following_of(databases)

    async def steps() -> None:
        new, resumed = follows(owner), follows(owner, after=last)
        assert await numbers(new) == []
        assert await numbers(resumed) == ([] if databases.is_sqlite else [last])
        tell(databases, last + 2, job, owner)
        for follower in (new, resumed):
            assert await numbers(follower) == [last + 2]
        tell(databases, last + 1, job, owner)  # began earlier, was committed later: on PostgreSQL that happens
        for follower in (new, resumed):
            late = await numbers(follower)
            assert late == ([] if databases.is_sqlite else [last + 1])  # SQLite has one writer: there it does not
        tell(databases, last + 3, job, owner)
        for follower in (new, resumed):
            assert await numbers(follower) == [last + 3]
            assert await numbers(follower) == []

    run(steps)


def test_nobody_sees_what_is_not_theirs(databases: Database) -> None:
    one, two = user(databases, "one"), user(databases, "two")
    jobs = [job_of(databases, one), job_of(databases, one), job_of(databases, two)]
    last = JobListing(databases).last_event()
    _, follows = following_of(databases)

    async def steps() -> None:
        ones, twos, everybodys, a_jobs = follows(one), follows(two), follows(None), follows(one, jobs[1])
        assert [await numbers(one) for one in (ones, twos, everybodys)] == [[], [], []]
        assert len(await numbers(a_jobs)) == 1, "a job is told from its beginning"
        for place, (job, owner) in enumerate(zip(jobs, (one, one, two), strict=True), 1):
            tell(databases, last + place, job, owner)
        assert await numbers(ones) == [last + 1, last + 2]
        assert await numbers(twos) == [last + 3]
        assert await numbers(everybodys) == [last + 1, last + 2, last + 3]
        assert await numbers(a_jobs) == [last + 2]

    run(steps)


def test_nothing_is_remembered_for_ever(databases: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_ONCE", 50)
    owner = user(databases, "one")
    job = job_of(databases, owner)
    tail, follows = following_of(databases)

    async def steps() -> None:
        follower, late = follows(owner), follows(owner, after=0)
        await numbers(follower)
        for number in range(1000, 1130):
            tell(databases, number, job, owner, age=60.0)
        assert await numbers(follower) == list(range(1000, 1130))
        assert [number for number in await numbers(late) if number >= 1000] == list(range(1000, 1130))
        for one in (follower, late):
            assert await numbers(one) == []
        assert len(tail._known) <= 1
        assert len(late._seen) <= 1

    run(steps)


@pytest.mark.parametrize("seed", range(8))
def test_everything_comes_once_and_in_order_whoever_comes_when(
    databases: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Followers that begin at any time, and are slower than what the tail remembers."""
    monkeypatch.setattr(following, "_ONCE", 4)
    monkeypatch.setattr(following, "_BEFORE", 0)  # what may come twice is another matter
    monkeypatch.setattr(following, "_KEPT", 6)
    owner = user(databases, "one")
    job = job_of(databases, owner)
    first = JobListing(databases).last_event()
    _, follows = following_of(databases)
    draw = random.Random(seed)

    async def steps() -> None:
        last = first
        followers: list[tuple[Follower, int, list[int]]] = []
        for _ in range(60):
            step = draw.choice(["tell", "tell", "tell", "begin", "resume", "of a job", "read", "read"])
            if step == "tell":
                last += draw.randint(1, 3)
                tell(databases, last, job, owner)
            elif step == "read":
                for follower, _, got in draw.sample(followers, len(followers) // 2):
                    got += [told.event.id for told in await follower.new()]
            else:
                after = draw.randint(first, last)
                made = {"begin": (None, None), "resume": (None, after), "of a job": (job, after)}[step]
                follower = follows(owner, *made)
                got = [told.event.id for told in await follower.new()]
                followers.append((follower, last if step == "begin" else after, got))
        there = [one.id for one in JobListing(databases).events(owner)]
        for follower, after, got in followers:
            while fresh := await numbers(follower):
                got += fresh
            assert got == [number for number in there if number > after]

    run(steps)
