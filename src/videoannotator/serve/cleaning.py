"""The clean-up: what is old, what is too much, and what belongs to nobody. Safe while jobs run, on several machines.

What goes, in this order:

1. jobs that ended so many days ago (``retention.days``), with their results;
2. the oldest ended jobs, while stored videos and results are more than ``retention.bytes``;
3. videos that came with a job and have none any more; with ``retention.days``, also other uploaded ones of that age
   that no job uses;
4. uploads that were not continued in time;
5. in the data folder, what no row names: folders of jobs that are gone, of attempts that do not count, files of videos
   that are gone, parts of uploads, exports that were not finished, or that nobody asked for in a day;
6. rows that have served their time: events of progress of jobs that ended a day ago, idempotency keys, revoked tokens
   that have expired, workers that are gone;
7. entries of the cache above its limit.

What was written into a user's own folder is never touched, and neither is a file younger than an hour. Rows whose file
is gone are told, not removed: somebody should know.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import ColumnElement, Row, Table, delete, exists, func, select, tuple_

from videoannotator.run.cache import ResultCache
from videoannotator.serve import instance
from videoannotator.serve.errors import DataFolderError
from videoannotator.serve.orphans import missing_files, nobodys_files
from videoannotator.serve.store.database import moment
from videoannotator.serve.store.idempotency import KEPT
from videoannotator.serve.store.jobs import FINAL
from videoannotator.serve.store.schema import (
    idempotency,
    job_events,
    job_results,
    jobs,
    revoked_tokens,
    uploads,
    videos,
    workers,
)
from videoannotator.serve.sweeping import DAY, GRACE, Removal, Sweep, blocks, size_of

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["Cleaned", "Removal", "clean"]

_log = logging.getLogger(__name__)

_ROWS = 5000
"""Rows of one kind that go in one transaction."""


@attrs.frozen(kw_only=True)
class Cleaned:
    """What a clean-up did, or (``dry``) would do. ``problems``: what somebody should look at."""

    dry: bool
    removals: tuple[Removal, ...]
    problems: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Bytes of the disk that are free again; a video or file of several names is counted once for each."""
        return sum(removal.bytes for removal in self.removals)

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return {**attrs.asdict(self), "bytes": self.bytes}

    def __str__(self) -> str:
        would = "would go" if self.dry else "went"
        lines = [f"{one.what} {one.name}: {one.why} ({one.bytes:,} bytes)" for one in self.removals]
        lines += [f"look at this: {problem}" for problem in self.problems]
        return "\n".join([*lines, f"{len(self.removals)} {would}, {self.bytes:,} bytes"])


def clean(service: Service, *, dry_run: bool = False) -> Cleaned:
    """Clean up once; ``dry_run``: only tell what would go. Raises `DatabaseUnavailable`, `StorageFullError`."""
    work = _Cleaning(service, dry_run)
    work.old_jobs()
    work.too_many_jobs()
    work.unused_videos()
    work.uploads()
    try:
        instance.join(service.database, service.settings.data_dir)
    except DataFolderError as error:
        work.problems.append(f"files that no row names are left alone: {error}")
    else:
        nobodys_files(work)
    missing_files(work)
    work.served_rows()
    work.cache()
    for removal in work.removals:
        if not dry_run:
            _log.info("removed %s %s: %s", removal.what, removal.name, removal.why)
    for problem in work.problems:
        _log.warning("%s", problem)
    return Cleaned(dry=dry_run, removals=tuple(work.removals), problems=tuple(work.problems))


class _Cleaning(Sweep):
    def old_jobs(self) -> None:
        """Those that ended so many days ago; and those that somebody deleted while they ran."""
        days = self.service.settings.retention.days
        if days is not None:
            old = jobs.c.finished_at < moment() - days * DAY
            self._remove_jobs(self._ended(old), f"it ended more than {days:g} days ago")
        self._remove_jobs(self._ended(jobs.c.delete_requested_at.is_not(None)), "it was deleted while it ran")

    def too_many_jobs(self) -> None:
        """The oldest, until what is kept is little enough: each with its video, if it was the last to use it."""
        most = self.service.settings.retention.bytes
        if most is None:
            return
        kept = self._kept_bytes()
        if kept <= most:
            return
        uses = self._uses()
        chosen = []
        for row in self._ended():
            if kept <= most:
                break
            if row.id in self.jobs:
                continue
            chosen.append(row)
            kept -= row.bytes or 0
            uses[row.video_id] -= 1
            if row.stored and not uses[row.video_id]:
                kept -= row.video_bytes
        why = f"more than {most:,} bytes were kept, and it was the oldest"
        self._remove_jobs(chosen, why)
        last = {row.video_id: row for row in chosen if row.stored and not uses[row.video_id]}
        self._remove_videos([(row.video_id, row.path, row.video_bytes) for row in last.values()], why)

    def _ended(self, *which: ColumnElement[bool]) -> list[Row[Any]]:
        """Ended jobs, oldest first, with the sizes of result and video."""
        wanted = (
            select(
                jobs.c.id,
                jobs.c.video_id,
                job_results.c.bytes,
                job_results.c.folder,
                videos.c.path,
                videos.c.stored,
                videos.c.bytes.label("video_bytes"),
            )
            .join(videos, videos.c.id == jobs.c.video_id)
            .join(job_results, job_results.c.job_id == jobs.c.id, isouter=True)
            .where(jobs.c.state.in_(FINAL), jobs.c.finished_at.is_not(None), *which)
            .order_by(jobs.c.finished_at, jobs.c.id)
        )
        with self.database.read() as connection:
            return list(connection.execute(wanted))

    def _kept_bytes(self) -> int:
        """Bytes of stored videos and results, without what went already (also when that is only told)."""
        of_videos = select(func.coalesce(func.sum(videos.c.bytes), 0)).where(videos.c.stored)
        of_results = select(func.coalesce(func.sum(job_results.c.bytes), 0))
        with self.database.read() as connection:
            kept = int(connection.execute(of_videos).scalar_one()) + int(connection.execute(of_results).scalar_one())
        return kept - sum(removal.bytes for removal in self.removals) if self.dry else kept

    def _uses(self) -> dict[str, int]:
        """How many jobs use each video, without those that went already."""
        wanted = select(jobs.c.video_id, jobs.c.id)
        uses: dict[str, int] = {}
        with self.database.read() as connection:
            for video, job in connection.execute(wanted):
                uses[video] = uses.get(video, 0) + (job not in self.jobs)
        return uses

    def _remove_jobs(self, rows: Iterable[Row[Any]], why: str) -> None:
        for block in blocks([row for row in rows if row.id not in self.jobs]):
            gone = {row.id for row in block}
            if not self.dry:
                # only those that are still ended: somebody may have begun one anew meanwhile
                wanted = delete(jobs).where(jobs.c.id.in_(gone), jobs.c.state.in_(FINAL)).returning(jobs.c.id)
                with self.database.write() as connection:
                    gone = set(connection.execute(wanted).scalars())
            for row in block:
                if row.id in gone:
                    self.jobs.add(row.id)
                    self.gone("job", row.id, why, row.bytes or 0)
                    self.remove_path(self.data / "jobs" / row.id)

    def unused_videos(self) -> None:
        """Uploaded ones that no job uses: at once if they came with one, after so many days if not."""
        rule = videos.c.with_jobs & (videos.c.created_at < moment() - GRACE)
        if self.service.settings.retention.days is not None:
            rule = rule | (videos.c.created_at < moment() - self.service.settings.retention.days * DAY)
        wanted = select(videos.c.id, videos.c.path, videos.c.bytes).where(videos.c.stored, rule)
        with self.database.read() as connection:
            found = list(connection.execute(wanted.order_by(videos.c.created_at, videos.c.id)))
        uses = self._uses()
        self._remove_videos([(row.id, row.path, row.bytes) for row in found if not uses.get(row.id)], "no job uses it")

    def _remove_videos(self, found: Iterable[tuple[str, str, int]], why: str) -> None:
        for block in blocks([video for video in found if video[0] not in self.videos]):
            gone = {video[0] for video in block}
            if not self.dry:
                used = exists().where(jobs.c.video_id == videos.c.id)
                wanted = delete(videos).where(videos.c.id.in_(gone), ~used).returning(videos.c.id)
                with self.database.write() as connection:
                    gone = set(connection.execute(wanted).scalars())
            for video, path, size in block:
                if video in gone:
                    self.videos.add(video)
                    self.gone("video", video, why, size)
                    self.remove_path(self.data / path)

    def uploads(self) -> None:
        """Those that were not continued in time, and what was said of those that are over."""
        late = moment() - self.service.settings.retention.upload_hours * 3600.0
        over = uploads.c.video_id.is_not(None) | uploads.c.error.is_not(None)
        rule = (uploads.c.expires_at < moment()) | (over & (uploads.c.created_at < late))
        with self.database.read() as connection:
            found = list(connection.execute(select(uploads.c.id, uploads.c.received).where(rule)))
        for block in blocks(found):
            gone = {row.id for row in block}
            if not self.dry:
                with self.database.write() as connection:
                    wanted = delete(uploads).where(uploads.c.id.in_(gone), rule).returning(uploads.c.id)
                    gone = set(connection.execute(wanted).scalars())
            for row in block:
                if row.id in gone:
                    part = self.data / "uploads" / f"{row.id}.part"
                    self.gone("upload", row.id, "it was not continued in time", size_of(part))
                    self.remove_path(part)

    # ---- what has served its time ---------------------------------------------------------------------------------

    def served_rows(self) -> None:
        """Rows nobody asks for any more."""
        now = moment()
        ended = select(jobs.c.id).where(jobs.c.state.in_(FINAL), jobs.c.finished_at < now - DAY)
        progress = job_events.c.kind.in_(("update", "progress")) & job_events.c.job_id.in_(ended)
        self._remove_rows(job_events, progress, "events of progress of jobs that ended a day ago")
        self._remove_rows(idempotency, idempotency.c.created_at < now - KEPT, "keys that are a day old")
        self._remove_rows(revoked_tokens, revoked_tokens.c.expires_at < now - GRACE, "tokens that have expired")
        has_jobs = exists().where(jobs.c.worker == workers.c.id)
        self._remove_rows(workers, (workers.c.seen_at < now - DAY) & ~has_jobs, "that were not seen for a day")

    def _remove_rows(self, table: Table, rule: ColumnElement[bool], why: str) -> None:
        if self.dry:
            with self.database.read() as connection:
                count = int(connection.execute(select(func.count()).select_from(table).where(rule)).scalar_one())
        else:
            count = more = _ROWS
            while more == _ROWS:
                some = select(*table.primary_key).where(rule).limit(_ROWS)
                with self.database.write() as connection:
                    more = connection.execute(delete(table).where(tuple_(*table.primary_key).in_(some))).rowcount
                count += more
            count -= _ROWS
        if count:
            self.gone("rows", table.name, f"{count} {why}")

    def cache(self) -> None:
        """What is above the limit of the cache of results, least recently used first."""
        folder = self.data / "cache"
        if folder.is_dir() and not self.dry and (freed := ResultCache(folder).trim()):
            self.gone("cache", "cache", "above its limit", freed)
