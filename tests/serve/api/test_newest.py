"""One look at the database for all streams."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sqlalchemy import event, insert

from videoannotator.serve.api.newest import Newest
from videoannotator.serve.service import Service
from videoannotator.serve.store.database import moment
from videoannotator.serve.store.jobs import NewJob
from videoannotator.serve.store.schema import users, videos


def _job(service: Service) -> None:
    owner, video = "o" * 36, "v" * 36
    with service.database.write() as connection:
        person = {"id": owner, "name": "o", "role": "researcher", "active": True}
        connection.execute(insert(users).values(**person, created_at=moment()))
        film = {"id": video, "owner_id": owner, "name": "v.mp4", "path": "v", "stored": False, "bytes": 1}
        film |= {"sha256": "0" * 64, "media": {}, "duration": 1.0}
        connection.execute(insert(videos).values(**film, created_at=moment()))
    service.jobs.submit(NewJob(owner_id=owner, video_id=video, request={}))


def test_many_streams_look_once_and_see_what_is_new(service: Service) -> None:
    asked: list[str] = []

    @event.listens_for(service.database.engine, "before_cursor_execute")
    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "job_events" in statement and statement.startswith("SELECT"):
            asked.append(statement)

    newest = Newest(service.listing, every=0.2)

    async def streams(seconds: float) -> list[int]:
        until = time.monotonic() + seconds
        last: list[int] = []

        async def one(place: int) -> None:
            while time.monotonic() < until:
                last[place] = await newest.number()
                await asyncio.sleep(0.02)

        last.extend([-2] * 30)
        await asyncio.gather(*(one(place) for place in range(30)))
        return last

    assert set(asyncio.run(streams(0.5))) == {0}
    assert 1 <= len(asked) <= 4, "thirty streams for half a second, one look each fifth of a second"
    before = newest.changed
    _job(service)
    seen = set(asyncio.run(streams(0.5)))
    assert seen == {service.listing.last_event()}
    assert newest.changed > before
