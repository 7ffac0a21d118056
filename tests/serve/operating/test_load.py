"""The load test itself, short: `python -m benchmarks.load` is the long one, with a limit on how long answers take."""

from __future__ import annotations

import os

from benchmarks.load.__main__ import failings, measure


def test_a_little_load() -> None:
    """Jobs, clients and streams at once: no 5xx, nothing locked, jobs completed, events seen."""
    minutes = float(os.environ.get("VIDEOANNOTATOR_TEST_LOAD_MINUTES", "0.15"))
    found = measure(minutes=minutes, running=2, clients=5, streams=6)
    assert failings(found, limit=10.0) == [], found


def test_what_must_not_be_is_seen() -> None:
    """The check above can fail, in each of its ways."""
    fine = {"statuses": {200: 9}, "locked": 0, "jobs": {"completed": 1}, "events": 1, "errors": [], "p95": 0.1}
    assert failings(fine, 0.2) == []
    for change in (
        {"statuses": {503: 1}},
        {"locked": 1},
        {"jobs": {"completed": 1, "failed": 1}},
        {"jobs": {}},
        {"events": 0},
        {"errors": ["reset"]},
        {"p95": 0.3},
    ):
        assert len(failings({**fine, **change}, 0.2)) == 1
