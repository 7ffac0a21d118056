"""The life of jobs against a model that is a few lines long, on both databases."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, insert, select, update

from videoannotator.serve.errors import JobEndedError, LeaseLostError, NotFoundError
from videoannotator.serve.store.database import Database, moment
from videoannotator.serve.store.jobs import FINAL, Claim, Ended, JobStore, NewJob, ProgressReport
from videoannotator.serve.store.schema import job_events, job_results, jobs, users, videos

ROUNDS = int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "20"))
WORKERS = ("one", "two", "three")


@attrs.define
class Known:
    """What the model knows of a job."""

    priority: int
    max_attempts: int
    number: int
    state: str = "pending"
    attempt: int = 0
    worker: str | None = None
    waits: bool = False
    cancel: bool = False
    delete: bool = False
    result: int | None = None


class Life(RuleBasedStateMachine):
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[str] = []  # what an outside queue was told
        self.store = JobStore(
            self.database, on_pending=lambda connection, job, priority, delay: self.pending.append(job)
        )
        self.known: dict[str, Known] = {}
        self.claims: list[Claim] = []
        self.deleted: set[str] = set()
        self.submitted = 0

    @initialize()
    def somebody(self) -> None:
        self.owner, self.video = str(uuid.uuid4()), str(uuid.uuid4())
        with self.database.write() as connection:
            connection.execute(delete(users))
            connection.execute(delete(jobs))
            person = {"id": self.owner, "name": self.owner, "role": "researcher", "active": True}
            connection.execute(insert(users).values(**person, created_at=moment()))
            film = {"id": self.video, "owner_id": self.owner, "name": "a", "path": "a", "stored": False, "bytes": 1}
            more = {"sha256": "", "media": {}, "duration": 1.0, "created_at": moment()}
            connection.execute(insert(videos).values(**film, **more))

    def job(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(list(self.known))))

    def claim_of(self, data: Any) -> tuple[Claim, Known | None]:
        """Any claim there ever was, and the job as the model knows it if the claim still holds."""
        claim = data.draw(st.sampled_from(self.claims))
        known = self.known.get(claim.job.id)
        holds = known and known.state == "running" and (known.worker, known.attempt) == (claim.worker, claim.attempt)
        return claim, known if holds else None

    def back(self, id_: str, known: Known, waits: bool) -> None:
        known.worker = None
        if known.cancel:
            self.end(id_, known, "cancelled")
        elif known.attempt >= known.max_attempts:
            self.end(id_, known, "failed")
        else:
            known.state, known.waits = "pending", waits
            assert self.pending.pop() == id_

    def end(self, id_: str, known: Known, state: str) -> None:
        known.state, known.worker = state, None
        if known.delete:
            del self.known[id_]
            self.deleted.add(id_)

    @rule(priority=st.integers(-2, 2), attempts=st.integers(1, 3))
    def submit(self, priority: int, attempts: int) -> None:
        new = NewJob(owner_id=self.owner, video_id=self.video, request={}, priority=priority, max_attempts=attempts)
        id_ = self.store.submit(new).id
        self.submitted += 1
        self.known[id_] = Known(priority, attempts, self.submitted)
        assert self.pending.pop() == id_

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        ready = [(-k.priority, k.number, id_) for id_, k in self.known.items() if k.state == "pending" and not k.waits]
        claim = self.store.claim(worker, 30.0)
        if not ready:
            assert claim is None
            return
        assert claim is not None
        assert claim.job.id == min(ready)[2]
        self.taken(claim)

    @precondition(lambda self: self.known)
    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def claim_one(self, worker: str, data: Any) -> None:
        id_ = self.job(data)
        known = self.known[id_]
        claim = self.store.claim(worker, 30.0, job_id=id_)
        assert (claim is not None) == (known.state == "pending" and not known.waits)
        if claim is not None:
            self.taken(claim)

    def taken(self, claim: Claim) -> None:
        known = self.known[claim.job.id]
        known.state, known.worker, known.attempt = "running", claim.worker, known.attempt + 1
        assert (claim.attempt, claim.job.state) == (known.attempt, "running")
        self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), fraction=st.none() | st.floats(0, 1))
    def heartbeat(self, data: Any, fraction: float | None) -> None:
        claim, known = self.claim_of(data)
        report = None
        if fraction is not None:
            report = ProgressReport(stage="x", fraction=fraction, frames=1, media_seconds=0.1, eta=None)
        if known is None:
            with pytest.raises(LeaseLostError):
                self.store.heartbeat(claim, 30.0, report)
        else:
            job = self.store.heartbeat(claim, 30.0, report)
            assert (job.cancel_requested_at is not None) == known.cancel

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["completed", "partial", "failed", "cancelled"]), twice=st.booleans())
    def finish(self, data: Any, state: Any, twice: bool) -> None:
        claim, known = self.claim_of(data)
        folder = f"f/{claim.attempt}" if state in ("completed", "partial") else None
        ended = Ended(state=state, folder=folder, bytes=1)
        if known is None:
            other = self.known.get(claim.job.id)
            if folder and other and other.result == claim.attempt:  # its own result, told again
                assert self.store.finish(claim, ended).state == other.state
                return
            with pytest.raises(LeaseLostError):
                self.store.finish(claim, ended)
            return
        assert self.store.finish(claim, ended).state == state
        known.result = claim.attempt if folder else None
        self.end(claim.job.id, known, state)
        if twice and folder and claim.job.id in self.known:
            assert self.store.finish(claim, ended).state == state

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), delay=st.sampled_from([0.0, 3600.0]))
    def retry_later(self, data: Any, delay: float) -> None:
        claim, known = self.claim_of(data)
        if known is None:
            with pytest.raises(LeaseLostError):
                self.store.retry_later(claim, delay, "CRASHED", "gone")
        else:
            self.store.retry_later(claim, delay, "CRASHED", "gone")
            self.back(claim.job.id, known, delay > 0)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: Any) -> None:
        claim, known = self.claim_of(data)
        if known is None:
            with pytest.raises(LeaseLostError):
                self.store.give_back(claim)
        else:
            self.store.give_back(claim)
            known.max_attempts += 1
            self.back(claim.job.id, known, waits=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def reclaim(self, data: Any) -> None:
        claim, known = self.claim_of(data)
        back = self.store.reclaim(claim.worker, claim.attempt, claim.job.id, code="WORKER_LOST", message="gone")
        assert (back is not None) == (known is not None)
        if known is not None:
            self.back(claim.job.id, known, waits=False)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        id_ = self.job(data)
        known = self.known[id_]
        if known.state in FINAL:
            with pytest.raises(JobEndedError):
                self.store.request_cancel(id_)
            return
        known.cancel = True
        if known.state == "pending":
            self.end(id_, known, "cancelled")
        assert self.store.request_cancel(id_).state == known.state

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        id_ = self.job(data)
        known = self.known[id_]
        there = self.store.request_delete(id_)
        assert (there is not None) == (known.state == "running")
        if known.state == "running":
            known.cancel = known.delete = True
        else:
            del self.known[id_]
            self.deleted.add(id_)

    @precondition(lambda self: any(known.waits for known in self.known.values()))
    @rule()
    def an_hour_passes(self) -> None:
        with self.database.write() as connection:
            connection.execute(update(jobs).values(not_before=jobs.c.not_before - 3600.0))
        for known in self.known.values():
            known.waits = False

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        with self.database.read() as connection:
            columns = jobs.c.id, jobs.c.state, jobs.c.attempt, jobs.c.worker, jobs.c.max_attempts
            rows = connection.execute(select(*columns)).all()
            results = dict(connection.execute(select(job_results.c.job_id, job_results.c.attempt)).all())
            ends = (
                connection.execute(select(job_events.c.job_id).where(job_events.c.kind == "complete")).scalars().all()
            )
        assert {row.id: tuple(row)[1:] for row in rows} == {
            id_: (k.state, k.attempt, k.worker, k.max_attempts) for id_, k in self.known.items()
        }
        assert results == {id_: k.result for id_, k in self.known.items() if k.result is not None}
        assert sorted(ends) == sorted(id_ for id_, k in self.known.items() if k.state in FINAL), "told once each"
        assert not self.pending, "the queue was told of nothing else"
        for id_ in self.deleted:
            with pytest.raises(NotFoundError):
                self.store.get(id_)


def test_the_life_of_jobs(databases: Database, tmp_path: Path) -> None:
    machine = type("LifeHere", (Life,), {"database": databases})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=ROUNDS,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
