"""Jobs that hang while their process lives."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from videoannotator.errors import ConfigError
from videoannotator.serve.settings import Jobs

LIMIT = 2.0
"""Seconds without progress."""


def test_a_job_that_hangs_is_ended_and_tried_again(bench: Any, tmp_path: Path) -> None:
    """It is killed with all it has started, says why, and does not keep the only place; a slow one is left alone."""
    seen = tmp_path / "seen"
    with bench.dispatching(stalled=LIMIT):
        bench.wait(bench.submit("counts", start=0.0, end=0.1))  # the process is warm now
        began = time.monotonic()
        (slow,) = bench.wait(bench.submit("counts", config={"counts": {"seconds": 0.35}}))
        assert time.monotonic() - began > 1.5 * LIMIT, "the test must take longer than the limit to tell anything"
        assert (slow.state, slow.attempt) == ("completed", 1)
        hangs = bench.submit("misbehaves", max_attempts=2, config={"misbehaves": {"how": "hangs", "seen": str(seen)}})
        bench.until(hangs, lambda job: seen.exists() and len(seen.read_text().split()) == 2)
        processes = [psutil.Process(int(pid)) for pid in seen.read_text().split()]
        waiting = bench.until(hangs, lambda job: job.state == "pending")
        assert (waiting.error_code, waiting.attempt) == ("STALLED", 1)
        assert "while it was at misbehaves" in waiting.error_message
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)
        job, other = bench.wait(hangs, bench.submit("counts"))
    assert (job.state, job.error_code, job.attempt) == ("failed", "STALLED", 2)
    assert "reported nothing new for 2 s" in job.error_message
    assert "(in 2 attempts)" in job.error_message
    assert other.state == "completed"
    assert bench.result(hangs) is None


def test_cancelling_goes_before(bench: Any, tmp_path: Path) -> None:
    """A job that is to stop anyway is cancelled, not failed."""
    seen = tmp_path / "seen"
    with bench.dispatching(stalled=LIMIT, hard_cancel=LIMIT + 1.0):
        bench.wait(bench.submit("counts", start=0.0, end=0.1))  # the process is warm now
        hangs = bench.submit("misbehaves", config={"misbehaves": {"how": "hangs", "seen": str(seen)}})
        bench.until(hangs, lambda job: seen.exists())
        bench.jobs.request_cancel(hangs)
        (job,) = bench.wait(hangs)
    assert (job.state, job.error_code) == ("cancelled", None)


def test_the_limit_is_checked() -> None:
    assert Jobs(stalled=None).stalled is None
    with pytest.raises(ConfigError, match="stalled"):
        Jobs(stalled=0.0)
