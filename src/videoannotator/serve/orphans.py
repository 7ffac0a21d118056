"""Files that no row names, and rows whose file is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import ColumnElement, select

from videoannotator.serve.keeping import EXPORTS, count_again
from videoannotator.serve.store.schema import job_results, jobs, uploads, videos
from videoannotator.serve.sweeping import DAY, GRACE, Sweep, blocks, listed, newest_in, size_of
from videoannotator.serve.work.naming import PART

__all__ = ["missing_files", "nobodys_files"]


def nobodys_files(sweep: Sweep) -> None:
    """Files and folders that no row names, and folders of attempts that do not count."""
    _nobodys(sweep, "videos", _known(sweep, videos.c.path, "videos/"), "no video has this file")
    _nobodys(sweep, "uploads", _known(sweep, uploads.c.id, "", ".part"), "no upload has this file")
    _nobodys(sweep, "jobs", _known(sweep, jobs.c.id, ""), "there is no such job")
    _dead_attempts(sweep)
    _exports(sweep)
    for left in sweep.data.glob("restore-*.part"):
        _left_over(sweep, left, "a restore did not end")


def _known(sweep: Sweep, column: ColumnElement[str], before: str, after: str = "") -> Callable[[list[str]], set[str]]:
    """Which of these names rows have, ``before`` and ``after`` being around them in the database or on the disk."""

    def known(names: list[str]) -> set[str]:
        asked = [before + name.removesuffix(after) for name in names]
        with sweep.database.read() as connection:
            found = set(connection.execute(select(column).where(column.in_(asked))).scalars())
        return {name for name, there in zip(names, asked, strict=True) if there in found}

    return known


def _nobodys(sweep: Sweep, folder: str, known: Callable[[list[str]], set[str]], why: str) -> None:
    for names in blocks(sorted(listed(sweep.data / folder))):
        for name in sorted(set(names) - known(names)):
            _left_over(sweep, sweep.data / folder / name, why)


def _dead_attempts(sweep: Sweep) -> None:
    """In folders of jobs: what is neither the result nor of the attempt that is at work."""
    for names in blocks(sorted(listed(sweep.data / "jobs"))):
        wanted = (
            select(jobs.c.id, jobs.c.state, jobs.c.attempt, job_results.c.folder)
            .join(job_results, job_results.c.job_id == jobs.c.id, isouter=True)
            .where(jobs.c.id.in_(names))
        )
        with sweep.database.read() as connection:
            rows = list(connection.execute(wanted))
        for row in rows:
            if row.id in sweep.jobs:
                continue  # told as a whole
            for name in listed(sweep.data / "jobs" / row.id):
                number = _attempt(name)
                at_work = row.state == "running" and number is not None and number >= row.attempt
                if number is not None and not at_work and row.folder != f"jobs/{row.id}/{name}":
                    _left_over(sweep, sweep.data / "jobs" / row.id / name, "of an attempt that does not count")


def _exports(sweep: Sweep) -> None:
    """Exports that nobody asked for in a day: they are made again; and those that were not finished."""
    for names in blocks(sorted(set(listed(sweep.data / "jobs")) - sweep.jobs)):
        with sweep.database.read() as connection:
            wanted = select(job_results.c.job_id, job_results.c.folder).where(job_results.c.job_id.in_(names))
            folders = {row.job_id: row.folder for row in connection.execute(wanted)}
        for job in names:
            place = sweep.data / "jobs" / job / EXPORTS
            gone = 0
            for name in sorted(listed(place)):
                if name.endswith(PART):
                    gone += _left_over(sweep, place / name, "an export that was not finished")
                else:
                    gone += _left_over(sweep, place / name, "nobody asked for this export in a day", DAY)
            if gone and job in folders and not sweep.dry:
                with sweep.database.write() as connection:
                    count_again(connection, sweep.service.settings, job, folders[job])


def _left_over(sweep: Sweep, path: Path, why: str, age: float = GRACE) -> bool:
    """Remove it, if nobody has touched it for so many seconds; whether it goes."""
    try:
        if time.time() - newest_in(path) < age:
            return False
    except FileNotFoundError:
        return False
    if path.parent.name == "jobs" and path.name in sweep.jobs:
        return False  # told already
    sweep.gone("folder" if path.is_dir() else "file", str(path.relative_to(sweep.data)), why, size_of(path))
    sweep.remove_path(path)
    return True


def missing_files(sweep: Sweep) -> None:
    """Rows whose file or folder is not there."""
    of_videos = select(videos.c.id, videos.c.path, videos.c.name).order_by(videos.c.created_at)
    of_results = select(job_results.c.job_id, job_results.c.folder)
    with sweep.database.read() as connection:
        for row in connection.execute(of_videos).yield_per(1000):
            if row.id not in sweep.videos and not (sweep.data / row.path).exists():
                sweep.problems.append(f"the file of video {row.id} ({row.name!r}) is gone")
        for result in connection.execute(of_results).yield_per(1000):
            if result.job_id not in sweep.jobs and not (sweep.data / result.folder).exists():
                sweep.problems.append(f"the result of job {result.job_id} is gone")


def _attempt(name: str) -> int | None:
    """``attempt-2`` and ``attempt-2.part`` as 2; None for other names."""
    number = name.removeprefix("attempt-").partition(".")[0]
    return int(number) if name.startswith("attempt-") and number.isdecimal() else None
