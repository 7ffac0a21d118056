"""What is kept of videos, templates and batches, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import insert, update

from videoannotator.serve.errors import ConflictError, ForbiddenError, NotFoundError
from videoannotator.serve.store.batches import BatchStore
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import JobStore, NewJob
from videoannotator.serve.store.listing import JobListing
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.schema import jobs, users
from videoannotator.serve.store.templates import TemplateStore
from videoannotator.serve.store.videos import NewVideo, VideoStore


def user(database: Database, name: str) -> str:
    row = {"id": str(uuid.uuid4()), "name": name, "role": "researcher", "active": True}
    with database.write() as connection:
        connection.execute(insert(users).values(**row, created_at=moment()))
    return str(row["id"])


def video(database: Database, owner: str, duration: float = 10.0, **more: Any) -> str:
    told = {
        "name": "Ünï 🎬.mp4",
        "path": "x",
        "stored": True,
        "bytes": 5,
        "sha256": "0" * 64,
        "media": {"a": [1, None]},
    }
    return VideoStore(database).add(NewVideo(owner_id=owner, duration=duration, **{**told, **more})).id


def test_videos(databases: Database) -> None:
    store, one, two = VideoStore(databases), user(databases, "one"), user(databases, "two")
    made = [video(databases, one) for _ in range(5)][::-1]
    video(databases, two)
    assert [v.id for v in store.page(one)] == made
    first = store.page(one, limit=2)
    assert [v.id for v in store.page(one, limit=9, after=Cursor.after(first, 2))] == made[2:]
    assert (store.count(one), store.count(None)) == (5, 6)
    kept = store.get(made[0], one)
    assert (kept.name, kept.media) == ("Ünï 🎬.mp4", {"a": [1, None]})
    with pytest.raises(NotFoundError):
        store.get(made[0], two)
    with pytest.raises(ConflictError):
        store.add(
            NewVideo(
                owner_id=one, duration=1.0, id=made[0], name="", path="", stored=True, bytes=1, sha256="", media={}
            )
        )
    JobStore(databases).submit(NewJob(owner_id=one, video_id=made[0], request={}))
    with pytest.raises(ConflictError):
        store.remove(made[0], one)
    assert store.remove(made[1], one).id == made[1]


def test_videos_that_came_with_a_job_are_left_over_without_it(databases: Database) -> None:
    store, owner = VideoStore(databases), user(databases, "one")
    film = video(databases, owner, with_jobs=True)
    video(databases, owner)
    job = JobStore(databases).submit(NewJob(owner_id=owner, video_id=film, request={}))
    assert store.leftovers(older_than=0.0) == []
    JobStore(databases).request_delete(job.id)
    assert [v.id for v in store.leftovers(older_than=0.0)] == [film]
    assert store.leftovers(older_than=3600.0) == []


def test_templates(databases: Database) -> None:
    store, one, two = TemplateStore(databases), user(databases, "one"), user(databases, "two")
    own = store.add(one, "classroom", {"pipelines": ["motion"]})
    shared = store.add(two, "classroom", {}, shared=True)
    private = store.add(two, "secret", {})
    assert [t.id for t in store.page(one)] == [shared.id, own.id]
    assert store.named("classroom", one).id == own.id
    assert store.named(shared.id, one).id == shared.id
    with pytest.raises(ConflictError):
        store.add(one, "classroom", {})
    with pytest.raises(NotFoundError):
        store.get(private.id, one)
    with pytest.raises(ForbiddenError):
        store.change(shared.id, one, {"name": "mine"})
    assert store.change(own.id, one, {"name": "new", "shared": True}).name == "new"
    with pytest.raises(ConflictError):
        store.change(private.id, two, {"name": "classroom"})
    store.remove(private.id, "admin", admin=True)
    with pytest.raises(NotFoundError):
        store.remove(private.id, two)


def test_batches_and_how_far_they_are(databases: Database) -> None:
    store, listing, owner = BatchStore(databases), JobListing(databases), user(databases, "one")
    films = [video(databases, owner, duration) for duration in (10.0, 30.0)]
    job_store = JobStore(databases)
    with databases.write() as connection:
        batch = store.add(owner, "wave 2", connection=connection)
        made = [
            job_store.submit(
                NewJob(owner_id=owner, video_id=film, request={}, batch_id=batch.id), connection=connection
            ).id
            for film in films
        ]
    now = store.progress([batch.id])[batch.id]
    assert (now.state, now.fraction, now.jobs, now.media_seconds) == ("pending", 0.0, 2, 40.0)
    with databases.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == made[0]).values(state="completed"))
        connection.execute(update(jobs).where(jobs.c.id == made[1]).values(state="running", fraction=0.5))
    now = store.progress([batch.id])[batch.id]
    assert (now.state, now.ended) == ("running", 1)
    assert now.fraction == pytest.approx((10 + 15) / 40)
    assert {view.id for view in listing.page(owner, batch_id=batch.id)} == set(made)
    assert store.cancel(batch.id, job_store) == 1
    with databases.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == made[1]).values(state="cancelled"))
    assert store.progress([batch.id])[batch.id].state == "partial"
    assert [one.id for one in store.page(owner)] == [batch.id]
    store.remove(batch.id)
    assert listing.get(made[0], owner).job.batch_id is None
