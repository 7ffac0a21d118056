"""Every list of the server, by name, as its routes ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.listing.filling import JOBS
from sqlalchemy import text

from videoannotator.serve.operating.metrics import job_counts
from videoannotator.serve.service import Service
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.workers import WorkerStore

__all__ = ["asked"]

_DONE = ("completed", "partial")


def asked(service: Service) -> dict[str, Callable[[], Any]]:
    """What somebody waits for, of tables that are long."""
    return {**_jobs(service), **_others(service)}


def _first(service: Service, statement: str) -> Any:
    with service.database.read() as connection:
        return connection.execute(text(statement)).first()


def _owners(service: Service) -> tuple[str, str]:
    """Who has the most jobs, and who has the fewest."""
    by_number = "SELECT owner_id FROM jobs GROUP BY owner_id ORDER BY count(*)"
    return _first(service, f"{by_number} DESC").owner_id, _first(service, by_number).owner_id


def _cursor(service: Service, table: str) -> Cursor:
    """Near the end of the list."""
    row = _first(service, f"SELECT id, created_at FROM {table} ORDER BY created_at LIMIT 1 OFFSET 60")  # noqa: S608
    return Cursor(created_at=row.created_at, id=row.id)


def _jobs(service: Service) -> dict[str, Callable[[], Any]]:
    listing = service.listing
    owner, small = _owners(service)
    batch = _first(service, "SELECT batch_id FROM jobs WHERE batch_id IS NOT NULL").batch_id
    waiting = _first(service, "SELECT id FROM jobs WHERE state = 'pending' ORDER BY created_at DESC").id
    behind = _cursor(service, "jobs")
    one = listing.get(waiting, None)
    shown = [view.id for view in listing.page(None, states=_DONE, limit=200)]
    return {
        "jobs of all": lambda: listing.page(None),
        "jobs of all, 200": lambda: listing.page(None, limit=200),
        "jobs of one": lambda: listing.page(owner),
        "jobs of one with few": lambda: listing.page(small),
        "failed ones of all": lambda: listing.page(None, states=("failed",)),
        "failed ones of one": lambda: listing.page(owner, states=("failed",)),
        "with a result, of all": lambda: listing.page(None, states=_DONE),
        "with a result, of one": lambda: listing.page(owner, states=_DONE),
        "failed or cancelled, of one": lambda: listing.page(owner, states=("failed", "cancelled")),
        "cancelled ones, of which there are none": lambda: listing.page(None, states=("cancelled",)),
        "far behind": lambda: listing.page(None, after=behind),
        "far behind, of one": lambda: listing.page(owner, after=behind),
        "far behind, with a result, of one": lambda: listing.page(owner, after=behind, states=_DONE),
        "the last page, counted": lambda: listing.page(None, offset=JOBS - 50),
        "the last page of one, counted": lambda: listing.page(owner, offset=15_000, states=_DONE),
        "of a batch": lambda: listing.page(None, batch_id=batch),
        "failed ones of a batch": lambda: listing.page(None, batch_id=batch, states=("failed",)),
        "of a video": lambda: listing.page(None, video_id=one.job.video_id),
        "a waiting one, with its place": lambda: listing.get(one.id, None),
        "how many": lambda: listing.count(None),
        "how many of one": lambda: listing.count(owner),
        "how many failed of one": lambda: listing.count(owner, states=("failed",)),
        "how many have a result": lambda: listing.count(None, states=_DONE),
        "how many of one have a result": lambda: listing.count(owner, states=_DONE),
        "how many of a batch": lambda: listing.count(None, batch_id=batch),
        "how many of a video": lambda: listing.count(None, video_id=one.job.video_id),
        "how many in each state": lambda: job_counts(service),
        "results of a page": lambda: listing.results(shown),
        "events of all behind": lambda: listing.events(None, after=JOBS - 100),
        "events of one behind": lambda: listing.events(owner, after=JOBS - 1000),
        "events of a job": lambda: listing.events(None, job_id=one.id),
        "the last event": listing.last_event,
        "what is at work here": lambda: service.jobs.held("me"),
        "what is at work anywhere": service.jobs.running,
    }


def _others(service: Service) -> dict[str, Callable[[], Any]]:
    videos, batches, keys = service.videos, service.batches, service.keys
    owner, _ = _owners(service)
    sha256 = service.videos.page(None, limit=1)[0].sha256
    behind = _cursor(service, "videos")
    shown = [batch.id for batch in batches.page(None)]
    return {
        "videos of all": lambda: videos.page(None),
        "videos of all, 200": lambda: videos.page(None, limit=200),
        "videos of one": lambda: videos.page(owner),
        "videos far behind": lambda: videos.page(None, after=behind),
        "videos of one content": lambda: videos.page(None, sha256=sha256),
        "how many videos": lambda: videos.count(None),
        "how many videos of one content": lambda: videos.count(None, sha256=sha256),
        "how many videos of one": lambda: videos.count(owner),
        "batches": lambda: batches.page(None),
        "batches of one": lambda: batches.page(owner),
        "how far a page of batches is": lambda: batches.progress(shown),
        "templates": lambda: service.templates.page(owner),
        "uploads": lambda: service.uploads.list(None),
        "uploads of one": lambda: service.uploads.list(owner),
        "users": lambda: service.users.page(limit=200),
        "keys": lambda: keys.page(None, limit=200),
        "keys of one": lambda: keys.page(owner, limit=200),
        "workers": WorkerStore(service.database).all,
    }
