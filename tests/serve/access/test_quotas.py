"""How much one user may have, on both databases."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import attrs
import pytest
from sqlalchemy import insert

from videoannotator.serve.access.quotas import Quotas, Streams, _size
from videoannotator.serve.errors import QuotaError
from videoannotator.serve.settings import Limits
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import JobStore, NewJob
from videoannotator.serve.store.schema import job_results, uploads, videos
from videoannotator.serve.store.users import UserStore


class Having:
    """A user who has something."""

    def __init__(self, database: Database, **limits: Any) -> None:
        self.database = database
        self.users = UserStore(database)
        self.jobs = JobStore(database)
        self.user = self.users.add("amelie", "researcher")
        self.quotas = Quotas(database, Limits(**limits))

    def video(self, size: int, *, stored: bool = True) -> str:
        video = str(uuid.uuid4())
        with self.database.write() as connection:
            connection.execute(
                insert(videos).values(
                    id=video,
                    owner_id=self.user.id,
                    name="a.mp4",
                    path="a.mp4",
                    stored=stored,
                    bytes=size,
                    sha256="0" * 64,
                    media={},
                    duration=1.0,
                    created_at=moment(),
                )
            )
        return video

    def upload(self, size: int, **values: Any) -> str:
        upload = str(uuid.uuid4())
        with self.database.write() as connection:
            connection.execute(
                insert(uploads).values(
                    id=upload,
                    owner_id=self.user.id,
                    name="b.mp4",
                    length=size,
                    metadata={},
                    created_at=moment(),
                    expires_at=moment(),
                    **values,
                )
            )
        return upload

    def more_bytes(self, more: int, **values: Any) -> None:
        with self.database.write() as connection:
            self.quotas.require_bytes(connection, self.user.id, more, **values)

    def more_jobs(self, more: int = 1) -> None:
        with self.database.write() as connection:
            self.quotas.require_jobs(connection, self.user.id, more)


def test_bytes(databases: Database) -> None:
    having = Having(databases, user_bytes=1000)
    having.more_bytes(1000)
    with pytest.raises(QuotaError, match=r"1 kB more is above the quota: 0 bytes of 1 kB"):
        having.more_bytes(1001)
    having.video(300)
    having.video(10_000, stored=False)  # a file of a server folder takes nothing
    video = having.video(100)
    having.upload(100, video_id=video)
    having.upload(100, error="no media")
    waiting = having.upload(200)
    having.more_bytes(400)
    with pytest.raises(QuotaError):
        having.more_bytes(401)
    having.more_bytes(600, besides=waiting)
    job = having.jobs.submit(NewJob(owner_id=having.user.id, video_id=video, request={}))
    with databases.write() as connection:
        connection.execute(
            insert(job_results).values(
                job_id=job.id, attempt=1, worker="w", folder="f", bytes=400, summary={}, created_at=moment()
            )
        )
    with pytest.raises(QuotaError):
        having.more_bytes(1)
    having.users.change(having.user.id, quota_bytes=2000)
    having.more_bytes(1000)
    having.users.change(having.user.id, quota_bytes=0)
    with pytest.raises(QuotaError):
        having.more_bytes(1)
    having.users.change(having.user.id, quota_bytes=None)
    having.more_bytes(0)


def test_no_quota_is_no_limit(databases: Database) -> None:
    Having(databases).more_bytes(10**15)


def test_jobs(databases: Database) -> None:
    having = Having(databases, user_jobs=2)
    video = having.video(1)
    one = NewJob(owner_id=having.user.id, video_id=video, request={})
    having.more_jobs(2)
    with pytest.raises(QuotaError, match="0 jobs are waiting or running, and 2 are allowed"):
        having.more_jobs(3)
    first, _ = having.jobs.submit(one), having.jobs.submit(one)
    with pytest.raises(QuotaError) as caught:
        having.more_jobs()
    assert caught.value.headers["Retry-After"]
    having.jobs.request_cancel(first.id)
    having.more_jobs()


def test_the_last_place_is_taken_once(databases: Database) -> None:
    having = Having(databases, user_jobs=3)
    one = NewJob(owner_id=having.user.id, video_id=having.video(1), request={})
    refused: list[QuotaError] = []

    def submit() -> None:
        try:
            with databases.write() as connection:
                having.quotas.require_jobs(connection, having.user.id)
                having.jobs.submit(one, connection=connection)
        except QuotaError as error:
            refused.append(error)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5


def test_streams() -> None:
    streams = Streams(2)
    with streams.place("a"), streams.place("a"), streams.place("b"):
        assert streams.open == 3
        with pytest.raises(QuotaError), streams.place("a"):
            pass
        assert streams.open == 3
    assert streams.open == 0
    with pytest.raises(ZeroDivisionError), streams.place("a"):
        raise ZeroDivisionError
    assert streams.open == 0


@attrs.frozen
class Size:
    """A count of bytes, and how it is said."""

    count: int
    said: str


@pytest.mark.parametrize(
    "size",
    [
        Size(0, "0 bytes"),
        Size(999, "999 bytes"),
        Size(1000, "1 kB"),
        Size(1_234_567, "1.23 MB"),
        Size(5 * 10**15, "5e+03 TB"),
    ],
)
def test_sizes_in_words(size: Size) -> None:
    assert _size(size.count) == size.said
