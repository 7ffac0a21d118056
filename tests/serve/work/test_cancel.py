"""Jobs that somebody does not want any more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from videoannotator.serve.errors import JobEndedError, NotFoundError
from videoannotator.serve.work.naming import job_folder

SLACK = 1.5
"""Seconds that a busy machine may take for what takes no time."""


def test_a_running_job_stops_by_itself(bench: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    id_ = bench.submit("counts", config={"counts": {"seconds": 0.2, "seen": str(seen)}})
    with bench.dispatching():
        bench.until(id_, lambda job: seen.exists())
        began = time.monotonic()
        assert bench.jobs.request_cancel(id_).state == "running"
        (job,) = bench.wait(id_)
        took = time.monotonic() - began
        (other,) = bench.wait(bench.submit("counts"))  # in the same process, that was not ended
    assert (job.state, job.error_code, job.error_message) == ("cancelled", None, None)
    assert bench.result(id_) is None
    assert took < bench.settings.jobs.soft_cancel + SLACK
    assert len(seen.read_text().split()) < 40
    assert other.state == "completed"
    assert [told["status"] for told in bench.told(id_, "complete")] == ["cancelled"]
    with pytest.raises(JobEndedError, match="cancelled already"):
        bench.jobs.request_cancel(id_)


def test_one_that_hears_nothing_is_killed_with_all_it_has_started(bench: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    id_ = bench.submit("misbehaves", config={"misbehaves": {"how": "hangs", "seen": str(seen)}})
    with bench.dispatching():
        bench.until(id_, lambda job: seen.exists() and len(seen.read_text().split()) == 2)
        processes = [psutil.Process(int(pid)) for pid in seen.read_text().split()]
        began = time.monotonic()
        bench.jobs.request_cancel(id_)
        (job,) = bench.wait(id_)
        took = time.monotonic() - began
        assert job.state == "cancelled"
        assert bench.settings.jobs.hard_cancel <= took < bench.settings.jobs.hard_cancel + SLACK
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
        (other,) = bench.wait(bench.submit("counts"))
    assert other.state == "completed"


def test_one_that_waits_is_cancelled_at_once(bench: Any) -> None:
    id_ = bench.submit("counts")
    assert bench.jobs.request_cancel(id_).state == "cancelled"
    with bench.dispatching():
        bench.wait(bench.submit("counts", start=0.0, end=0.2))
    assert bench.jobs.get(id_).attempt == 0


def test_deleting_a_running_job_cancels_it_first(bench: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    id_ = bench.submit("counts", config={"counts": {"seconds": 0.2, "seen": str(seen)}})
    with bench.dispatching():
        bench.until(id_, lambda job: seen.exists())
        assert job_folder(bench.settings, id_).is_dir(), "the note of its process"
        held = bench.jobs.request_delete(id_)
        assert held is not None
        assert held.state == "running"
        until = time.monotonic() + 10
        while job_folder(bench.settings, id_).exists() or _is_there(bench, id_):
            assert time.monotonic() < until
            time.sleep(0.02)
    assert len(seen.read_text().split()) < 40


def test_a_job_that_is_cancelled_while_it_waits_for_its_retry(bench: Any) -> None:
    id_ = bench.submit("misbehaves", config={"misbehaves": {"how": "crashes"}})
    with bench.dispatching(back_off=60.0):
        bench.until(id_, lambda job: job.state == "pending" and job.attempt == 1)
        waiting = bench.jobs.get(id_)
        assert waiting.error_code == "CRASHED"
        assert 55 < waiting.not_before - bench.database.now() < 61
        assert bench.jobs.request_cancel(id_).state == "cancelled"


def _is_there(bench: Any, id_: str) -> bool:
    try:
        bench.jobs.get(id_)
    except NotFoundError:
        return False
    return True
