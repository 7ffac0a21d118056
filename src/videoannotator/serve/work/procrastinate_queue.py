"""Jobs for several machines: Procrastinate on PostgreSQL carries the id of each pending job to whoever is free.

The table ``jobs`` is the truth; a row of the queue is a call to look at one of its jobs, and may be lost or come twice.
It is added in the transaction in which the job becomes pending. One task name, the same in all versions: a worker that
does not know a task would fail it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg_pool import PoolTimeout
from sqlalchemy import Connection, select, text

from videoannotator.errors import ServerError
from videoannotator.serve.store.database import Database
from videoannotator.serve.store.schema import jobs
from videoannotator.serve.work.dispatcher import Dispatcher

__all__ = ["QueueWorker", "call_again", "caller"]

_log = logging.getLogger(__name__)
QUEUE = "videoannotator"
TASK = "videoannotator.execute"
_TIDY = 30.0
_STALLED = 30.0
_AGAIN = 1.0
_GRACE = 60.0
"""Seconds after which a pending job that nobody was called for is taken to be forgotten."""


def caller() -> Callable[[Connection, str, int, float], None]:
    """What `JobStore` is to do in the transaction in which a job becomes pending."""
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())  # never opened: it uses our connection

    def call(connection: Connection, job_id: str, priority: int, delay: float) -> None:
        at = None
        if delay > 0:
            due = connection.execute(select(jobs.c.not_before).where(jobs.c.id == job_id)).scalar_one()
            at = datetime.fromtimestamp(math.ceil(due * 1000) / 1000, UTC)  # not before the job may be claimed
        app.configure_task(
            TASK, queue=QUEUE, priority=priority, schedule_at=at, connection=_raw(connection), allow_unknown=True
        ).defer(job_id=job_id)

    return call


def call_again(database: Database, grace: float = _GRACE) -> int:
    """Call for pending jobs that nobody is called for: a row of the queue may have been lost. Returns how many."""
    forgotten = text(
        "SELECT id, priority FROM jobs WHERE state = 'pending'"
        " AND not_before < extract(epoch from clock_timestamp()) - :grace"
        " AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS calls WHERE calls.task_name = :task"
        " AND calls.status IN ('todo', 'doing') AND calls.args ->> 'job_id' = jobs.id)"
        " FOR UPDATE SKIP LOCKED"
    )
    call = caller()
    with database.write() as connection:
        found = connection.execute(forgotten, {"grace": grace, "task": TASK}).all()
        for row in found:
            call(connection, row.id, row.priority, 0.0)
    return len(found)


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # psycopg's own
    return raw


@asynccontextmanager
async def _opened(app: procrastinate.App) -> AsyncIterator[None]:
    """Its connections, while the block lasts. A pool that is cancelled while it opens never ends: so let it."""
    opening = asyncio.ensure_future(app.open_async())
    try:
        await asyncio.shield(opening)
        yield
    finally:
        await asyncio.wait({opening})
        if opening.exception() is None:
            await app.close_async()


class QueueWorker:
    """A worker on any host: takes calls from the queue, and has the dispatcher do what they call for.

    When the database goes away, jobs at work go on, and it comes back by itself when the database does.
    """

    def __init__(self, database: Database, dispatcher: Dispatcher, *, slots: int = 1) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._slots = slots
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    def run(self) -> None:
        """Work in this thread until `stop` is called in another, or in a signal handler.

        Raises `ServerError` when the dispatcher has crashed: nobody would do what the queue calls for.
        """
        self._dispatcher.start()
        try:
            asyncio.run(self._main())
        finally:
            self._dispatcher.stop()

    def stop(self) -> None:
        """Take no more jobs, and give back those at work; `run` returns soon."""
        self._stopping.set()
        if self._loop is not None and self._ended is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._ended.set)

    async def _main(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        ended = asyncio.create_task(self._ended.wait())
        while not self._stopping.is_set():
            serving = asyncio.create_task(self._serve())
            while self._dispatcher.alive:
                done, _ = await asyncio.wait({serving, ended}, timeout=_AGAIN, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
            if self._stopping.is_set() or not self._dispatcher.alive:
                await asyncio.to_thread(self._dispatcher.stop)  # so that the calls at hand end
                serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            if self._dispatcher.failure is not None:
                raise ServerError("the dispatcher crashed") from self._dispatcher.failure
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended), _AGAIN)

    async def _serve(self) -> None:
        """Take calls, until the database goes away."""
        connector = procrastinate.PsycopgConnector(
            conninfo=self._database.url.set(drivername="postgresql").render_as_string(hide_password=False),
            kwargs={"connect_timeout": 5},
            min_size=1,
            max_size=4,
            timeout=5.0,
        )
        app = procrastinate.App(connector=connector)
        # whatever goes wrong here: the call goes back to the queue, for this worker or another
        app.task(name=TASK, queue=QUEUE, retry=procrastinate.RetryStrategy(wait=1))(self._work_on)
        tidying: asyncio.Task[None] | None = None
        try:
            async with _opened(app):
                tidying = asyncio.create_task(self._tidy(app))
                await app.run_worker_async(
                    queues=[QUEUE],
                    name=self._dispatcher.me.id,
                    concurrency=self._slots,
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=5.0,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=_STALLED / 3,
                    stalled_worker_timeout=_STALLED,
                )
        except (ConnectorException, PoolTimeout, psycopg.Error, OSError) as error:
            _log.warning("the queue does not answer, it is tried again: %s", error.__cause__ or error)
        finally:
            if tidying is not None:
                tidying.cancel()
                with suppress(asyncio.CancelledError):
                    await tidying

    async def _work_on(self, job_id: str) -> None:
        """What a call of the queue does: see the job through, while the database answers."""
        future = asyncio.wrap_future(self._dispatcher.work_on(job_id))
        while not future.done():
            await asyncio.wait({future}, timeout=_AGAIN)
            if self._dispatcher.away:
                return  # the job goes on; the queue's own connection is to be made anew
            if self._dispatcher.failure is not None:
                raise ServerError("the dispatcher crashed") from self._dispatcher.failure  # the call is for another
        future.result()

    async def _tidy(self, app: procrastinate.App) -> None:
        """Give calls that dead workers had to others, and call again for jobs that were forgotten."""
        while True:
            try:
                for stalled in await app.job_manager.get_stalled_jobs(
                    queue=QUEUE, task_name=TASK, seconds_since_heartbeat=_STALLED
                ):
                    await app.job_manager.retry_job(stalled)
                await asyncio.to_thread(call_again, self._database)
            except (ConnectorException, PoolTimeout, psycopg.Error) as error:
                _log.info("the queue could not be tidied: %s", error)
            await asyncio.sleep(_TIDY)
