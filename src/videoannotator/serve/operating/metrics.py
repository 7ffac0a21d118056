"""What Prometheus reads: jobs, workers, disk, requests, streams; and how long pipelines took.

Numbers of jobs come from the database when they are asked for, so every server of several tells the same ones. What has
ended since this server began is followed there, too (`_Ended`): the counters are right wherever a job was executed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from videoannotator import __version__
from videoannotator.serve.errors import RefusedError
from videoannotator.serve.operating.health import disk_bytes
from videoannotator.serve.store.database import moment
from videoannotator.serve.store.schema import STATES, job_results, jobs, workers

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["CONTENT_TYPE", "Metrics", "job_counts"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_MINUTES = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
_AT_ONCE = 1000
_FOLLOWED = ("id", "state", "attempt", "started_at", "finished_at")


def job_counts(service: Service) -> dict[str, int]:
    """How many jobs are in each state."""
    wanted = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    with service.database.read() as connection:
        found = {row[0]: int(row[1]) for row in connection.execute(wanted)}
    return {state: found.get(state, 0) for state in STATES}


class Metrics:
    """The registry of a service; `text` is what is scraped."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "videoannotator_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "videoannotator_http_request_seconds",
            "Time until an answer began.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._ended = _Ended(service, self.registry)
        self.registry.register(_Now(service))

    def answered(self) -> tuple[int, float]:
        """How many requests were answered, and the mean time until an answer began, seconds."""
        count, total = _of_histogram(self.seconds)
        return count, total / count if count else 0.0

    def pipeline_seconds(self) -> float | None:
        """The mean time of a pipeline in jobs that ended since this server began; None before there is any."""
        self._ended.follow()
        count, total = _of_histogram(self._ended.pipelines)
        return total / count if count else None

    def text(self) -> bytes:
        """In Prometheus' text format."""
        self._ended.follow()
        return generate_latest(self.registry)


class _Now(Collector):
    """What is so when it is asked. Where the database does not answer, its part is left out, and that is told."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[GaugeMetricFamily]:
        service = self._service
        yield _gauge("videoannotator_info", "The version that runs.", 1, {"version": __version__})
        yield _gauge("videoannotator_uptime_seconds", "Since the start.", time.monotonic() - service.started)
        yield _gauge("videoannotator_event_streams", "Open event streams of this server.", service.streams.open)
        total, free = disk_bytes(service.settings.data_dir)
        yield _gauge("videoannotator_disk_bytes", "Size of the disk that holds the data folder.", total)
        yield _gauge("videoannotator_disk_free_bytes", "What of it is free.", free)
        try:
            yield from self._of_database()
            up = 1
        except RefusedError:
            up = 0
        yield _gauge("videoannotator_database_up", "1 when the database answers.", up)

    def _of_database(self) -> Iterator[GaugeMetricFamily]:
        counts = GaugeMetricFamily("videoannotator_jobs", "Jobs by state.", labels=("state",))
        for state, count in job_counts(self._service).items():
            counts.add_metric((state,), count)
        waiting = jobs.c.state == "pending", jobs.c.not_before <= moment()
        with self._service.database.read() as connection:
            age = connection.execute(select(moment() - func.min(jobs.c.created_at)).where(*waiting)).scalar_one()
            there = connection.execute(
                select(func.count()).where(workers.c.seen_at > moment() - self._service.settings.jobs.lease)
            ).scalar_one()
            kept = connection.execute(select(func.coalesce(func.sum(job_results.c.bytes), 0))).scalar_one()
        yield counts
        yield _gauge("videoannotator_queue_age_seconds", "How long the oldest job that could run waits.", age or 0.0)
        yield _gauge("videoannotator_workers", "Workers that are there.", there)
        yield _gauge("videoannotator_result_bytes", "Size of all results.", int(kept))


class _Ended:
    """Jobs that ended since the server began, each counted once.

    A job that ended a little earlier may be committed a little later: the last minute is looked at again.
    """

    _AGAIN = 60.0

    def __init__(self, service: Service, registry: CollectorRegistry) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._since: float | None = None
        self._began = 0.0
        self._seen: OrderedDict[str, float] = OrderedDict()
        self.ended = Counter("videoannotator_jobs_ended", "Jobs that ended.", ("state",), registry=registry)
        self.attempts = Counter("videoannotator_job_attempts", "Attempts of jobs that ended.", registry=registry)
        self.took = Histogram(
            "videoannotator_job_seconds",
            "From the first attempt to the end.",
            ("state",),
            buckets=_MINUTES,
            registry=registry,
        )
        self.pipelines = Histogram(
            "videoannotator_pipeline_seconds",
            "Time of a pipeline in a job; what the cache had is not counted.",
            ("pipeline",),
            buckets=_MINUTES,
            registry=registry,
        )
        self.media = Counter("videoannotator_media_seconds", "Length of the media of jobs that gave a result.",
                             registry=registry)  # fmt: skip

    def follow(self) -> None:
        """Count what has ended since the last time."""
        with self._lock:
            try:
                if self._since is None:
                    up = time.monotonic() - self._service.started
                    self._since = self._began = self._service.database.now() - up
                while self._block():
                    pass
            except RefusedError:
                return  # `videoannotator_database_up` says so; the next time counts all

    def _block(self) -> bool:
        """Up to so many; True when there may be more."""
        assert self._since is not None  # noqa: S101 - set by `follow`
        wanted = (
            select(
                jobs.c.id, jobs.c.state, jobs.c.attempt, jobs.c.started_at, jobs.c.finished_at, job_results.c.summary
            )
            .join(job_results, job_results.c.job_id == jobs.c.id, isouter=True)
            .where(jobs.c.finished_at >= max(self._began, self._since - self._AGAIN))
            .where(jobs.c.id.not_in(list(self._seen)))
            .order_by(jobs.c.finished_at, jobs.c.id)
            .limit(_AT_ONCE)
        )
        with self._service.database.read() as connection:
            found = connection.execute(wanted).all()
        for row in found:
            self._count(row)
            self._seen[row.id] = row.finished_at
            self._since = max(self._since, row.finished_at)
        while self._seen and next(iter(self._seen.values())) < self._since - self._AGAIN:
            self._seen.popitem(last=False)
        return len(found) == _AT_ONCE

    def _count(self, row: Any) -> None:
        self.ended.labels(row.state).inc()
        self.attempts.inc(row.attempt)
        if row.started_at is not None:
            self.took.labels(row.state).observe(max(0.0, row.finished_at - row.started_at))
        summary = row.summary or {}
        for name, told in summary.get("pipelines", {}).items():
            if not told.get("cached") and told.get("seconds") is not None:
                self.pipelines.labels(name).observe(told["seconds"])
        self.media.inc((summary.get("media") or {}).get("duration") or 0.0)


def _of_histogram(histogram: Histogram) -> tuple[int, float]:
    samples = [sample for family in histogram.collect() for sample in family.samples]
    count = sum(sample.value for sample in samples if sample.name.endswith("_count"))
    return int(count), sum(sample.value for sample in samples if sample.name.endswith("_sum"))


def _gauge(name: str, text: str, value: float, labels: dict[str, str] | None = None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=tuple(labels or {}))
    family.add_metric(tuple((labels or {}).values()), value)
    return family
