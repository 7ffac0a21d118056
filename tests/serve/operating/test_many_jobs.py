"""A hundred thousand jobs: every list stays quick, because an index answers it; on both databases.

What is looked at here is the same on any machine: the plan, and how much of the database is read. How long that takes
is measured by `python -m benchmarks.listing`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from benchmarks.listing.__main__ import failings, measure
from benchmarks.listing.asking import asked
from benchmarks.listing.filling import JOBS, PENDING, RUNNING, fill
from sqlalchemy import event
from tests.serve.operating import filling

from videoannotator.serve import migrating
from videoannotator.serve.operating.metrics import job_counts
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

_LONG = ("jobs", "videos", "job_events", "job_results", "batches", "users", "api_keys", "templates", "uploads")
PAGES = 2000
"""Pages of 8 kB that PostgreSQL reads for a list, at most: 200 rows, each from the trees of two tables, are 1600."""
FEW = 20_000
"""Steps of SQLite's machine that take no time: what takes more must read indexes only, and sort nothing."""
STEPS = 2_000_000
"""Steps of SQLite's machine for a list, at most: going through a whole index is a million."""
SORTED = 1000
"""Rows that may be sorted: a page, or what there is of one content."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with so many jobs; PostgreSQL's tables are emptied afterwards."""
    folder = tmp_path_factory.mktemp("many")
    if request.param == "sqlite":
        service = Service.of(ServerSettings(data_dir=folder))
    else:
        service = Service.of(ServerSettings(data_dir=folder, database=request.getfixturevalue("postgres_url")))
        filling.drop_everything(service.database)
    migrating.upgrade(service.database)
    fill(service)
    yield service
    if request.param == "postgresql":
        filling.made_anew(service.database)
    service.close()


def _statements(service: Service, ask: Callable[[], Any]) -> list[tuple[str, Any]]:
    """What it asks the database."""
    found: list[tuple[str, Any]] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        found.append((statement, parameters))

    event.listen(service.database.engine, "before_cursor_execute", listen)
    ask()
    event.remove(service.database.engine, "before_cursor_execute", listen)
    return [(statement, parameters) for statement, parameters in found if statement.startswith("SELECT")]


def test_an_index_answers_every_list(many: Service) -> None:
    """No list reads a long table from end to end, sorts more than a page, or reads more than it needs."""
    look = _sqlite if many.database.is_sqlite else _postgres
    wrong = {}
    for name, ask in asked(many).items():
        statements = _statements(many, ask)
        assert statements, name
        if found := [fault for statement, parameters in statements for fault in look(many, statement, parameters)]:
            wrong[name] = found
    assert wrong == {}


def _sqlite(service: Service, statement: str, parameters: Any) -> list[str]:
    """What is wrong with how SQLite would answer."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1000
        return 0

    with service.database.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 1000)
        connection.exec_driver_sql(statement, parameters).all()
        driver.set_progress_handler(None, 0)
    wrong = [step for step in plan if any(step.startswith(f"SCAN {name}") for name in _LONG) and "INDEX" not in step]
    if steps > FEW:
        before = plan[: plan.index("SCAN page")] if "SCAN page" in plan else plan  # behind it: once for a row shown
        reads = [step for step in before if any(step.split()[1:2] == [name] for name in _LONG)]
        wrong += [f"{step}, of {steps} steps" for step in reads if "COVERING INDEX" not in step]
    if steps > STEPS:
        wrong.append(f"{steps} steps")
    return wrong


def _postgres(service: Service, statement: str, parameters: Any) -> list[str]:
    """What is wrong with how PostgreSQL answers."""
    with service.database.read() as connection:
        asked_for = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
        told = connection.exec_driver_sql(asked_for, parameters).scalar_one()
    root = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    wrong = []
    for node in _nodes(root):
        if node["Node Type"].endswith("Seq Scan") and node["Relation Name"] in _LONG:
            wrong.append(f"{node['Node Type']} of {node['Relation Name']}")
        if "Sort" in node["Node Type"] and node["Plans"][0]["Actual Rows"] > SORTED:
            wrong.append(f"{node['Plans'][0]['Actual Rows']} rows are sorted")
    pages = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
    if pages > PAGES:
        wrong.append(f"{pages} pages are read")
    return wrong


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM jobs ORDER BY error_code LIMIT 50",
        "SELECT * FROM videos ORDER BY owner_id DESC, bytes LIMIT 50",
        "SELECT count(*) FROM jobs WHERE error_code IS NULL AND state = 'completed'",
        "SELECT count(*) FROM jobs JOIN videos ON videos.id = jobs.video_id WHERE videos.name <> ''",
    ],
)
def test_a_missing_index_would_be_seen(many: Service, statement: str) -> None:
    """The check above can fail."""
    look = _sqlite if many.database.is_sqlite else _postgres
    assert look(many, statement, ())


def test_lists_are_right(many: Service) -> None:
    """What the indexes answer is what there is: counts, order, pages that follow each other, places in the queue."""
    counts = job_counts(many)
    assert (counts["pending"], counts["running"], sum(counts.values())) == (PENDING, RUNNING, JOBS)
    assert many.listing.count(None) == JOBS
    assert many.listing.count(None, states=("completed", "partial")) == counts["completed"] + counts["partial"]
    both = many.listing.page(None, states=("partial", "failed"), limit=200)
    assert {view.job.state for view in both} == {"partial", "failed"}
    assert [view.id for view in both[50:100]] == [
        view.id for view in many.listing.page(None, states=("failed", "partial"), limit=50, offset=50)
    ]
    assert sorted(both, key=lambda view: (view.created_at, view.id), reverse=True) == both
    newest = many.listing.page(None, limit=200)
    places = {view.id: view.position for view in newest}
    assert [place for view, place in places.items() if place is None] == [None] * RUNNING
    assert many.listing.get(newest[-1].id, None).position == places[newest[-1].id] > 0


def test_the_next_job_is_found_at_once(many: Service) -> None:
    """However many have ended."""
    took = []
    for _ in range(10):
        began = time.thread_time()
        claim = many.jobs.claim("me", 30.0)
        took.append(time.thread_time() - began)
        assert claim is not None
        many.jobs.give_back(claim)
    assert sorted(took)[5] < 0.020


def test_the_measurement_works(many: Service) -> None:
    """Each list has its times; one that is too slow is told."""
    times = measure(many, rounds=2)
    assert times.keys() == asked(many).keys()
    assert failings({"here": times}, limit=1e9) == []
    assert failings({"here": {"jobs": {"p50": 1.0, "p95": 20.1}}}, limit=20.0) == ["here: jobs: p95 is 20.1 ms"]
