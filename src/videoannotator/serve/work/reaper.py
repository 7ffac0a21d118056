"""Taking jobs back from workers that are gone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import attrs

from videoannotator.serve.store.jobs import JobStore
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.identity import Identity

__all__ = ["Reaper"]

_log = logging.getLogger(__name__)
_FORGOTTEN = 24 * 3600.0


@attrs.define
class _Seen:
    """A job as it was seen last. ``still``: seconds for which its beat was seen not to change."""

    beat: int
    still: float = 0.0


class Reaper:
    """``lease``: seconds without a sign of life after which a job is taken back. ``step``: between two looks.

    No clock is compared with another: what counts is how long this observer itself has seen a job's beat stand still.
    A look that comes late, because this process or this machine was stopped meanwhile, counts as one step.
    """

    def __init__(
        self,
        me: Identity,
        jobs: JobStore,
        workers: WorkerStore,
        *,
        lease: float,
        step: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._me = me
        self._jobs = jobs
        self._workers = workers
        self._lease = lease
        self._step = step
        self._clock = clock
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._looked: float | None = None

    def forget(self) -> None:
        """The database was away: nobody could give a sign of life, so everybody's time begins anew."""
        self._seen.clear()
        self._looked = None

    def look(self) -> int:
        """Take back what has to be; returns how many jobs that were."""
        now = self._clock()
        passed = 0.0 if self._looked is None else min(now - self._looked, 2 * self._step)
        self._looked = now
        dead = {
            row.id
            for row in self._workers.all()
            if row.id != self._me.id and self._me.knows_dead(row.host, row.pid, row.info)
        }
        seen: dict[tuple[str, int], _Seen] = {}
        taken = 0
        for job, worker, attempt, beat in self._jobs.running():
            if worker == self._me.id:
                continue
            known = self._seen.get((job, attempt))
            one = _Seen(beat, known.still + passed) if known is not None and known.beat == beat else _Seen(beat)
            seen[job, attempt] = one
            if worker in dead:
                taken += self._take_back(job, worker, attempt, "the process that worked on it is gone")
            elif one.still >= self._lease:
                why = f"its worker gave no sign of life for {self._lease:g} s"
                taken += self._take_back(job, worker, attempt, why)
        self._seen = seen
        for worker in dead:
            self._workers.leave(worker)
        self._workers.forget(_FORGOTTEN)
        return taken

    def _take_back(self, job: str, worker: str, attempt: int, why: str) -> bool:
        back = self._jobs.reclaim(worker, attempt, job, code="WORKER_LOST", message=why)
        if back is not None:
            _log.warning("job %s: %s; it is %s", job, why, back.state)
        return back is not None
