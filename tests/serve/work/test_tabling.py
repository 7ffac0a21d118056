"""Results as tables of an SQLite file that the client names."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as budget

from videoannotator.data.result import Result
from videoannotator.errors import FormatError
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.work.tabling import add_tables
from videoannotator.testing.whole_results import results


@pytest.fixture
def settings(settings: ServerSettings, tmp_path: Path) -> ServerSettings:
    """With a root that jobs may write to."""
    (tmp_path / "root").mkdir()
    return attrs.evolve(settings, roots=(tmp_path / "root",))


def rows_of(file: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as book:
        return book.execute(query, values).fetchall()


def test_jobs_write_their_rows_side_by_side(bench: Any, plugin: None, tmp_path: Path) -> None:
    file = tmp_path / "root" / "study.db"
    one, two = (bench.submit("counts", db_location=str(file)) for _ in range(2))
    with bench.dispatching():
        assert [job.state for job in bench.wait(one, two)] == ["completed", "completed"]
    assert dict(rows_of(file, "SELECT job_id, count(*) FROM counts_values GROUP BY job_id")) == {one: 40, two: 40}
    assert rows_of(file, "SELECT max(value) FROM counts_values") == [(sum(range(40)),)]
    runs = rows_of(file, "SELECT job_id, media, provenance FROM runs")
    assert {run[0] for run in runs} == {one, two}
    assert {run[1] for run in runs} == {"Mutter & Kind.mp4"}
    assert json.loads(runs[0][2])["pipelines"][0]["name"] == "counts"
    assert bench.jobs.request_delete(one) is None
    assert {run[0] for run in rows_of(file, "SELECT job_id FROM runs")} == {one, two}, "the file is its owner's"


def test_outside_the_roots_nothing_is_written(bench: Any, plugin: None, tmp_path: Path) -> None:
    file = tmp_path / "outside.db"
    job = bench.submit("counts", db_location=str(file))
    with bench.dispatching():
        (ended,) = bench.wait(job)
    assert (ended.state, ended.error_code) == ("failed", "OUTSIDE_ROOTS")
    assert not file.exists()


def test_a_file_that_is_no_database_stays_as_it_is_and_is_told(bench: Any, plugin: None, tmp_path: Path) -> None:
    file = tmp_path / "root" / "letter.txt"
    file.write_text("dear all, this is no database\n" * 100)
    job = bench.submit("counts", db_location=str(file))
    with bench.dispatching():
        (ended,) = bench.wait(job)
    assert (ended.state, ended.error_code) == ("partial", "FORMAT_FAILED")
    assert "letter.txt could not be written" in ended.error_message
    assert file.read_text().startswith("dear all")


@budget(deadline=None, max_examples=25)
@given(results())
def test_all_kinds_of_rows_and_again_without_doubles(tmp_path_factory: Any, result: Result) -> None:
    file = tmp_path_factory.mktemp("tables") / "all.db"
    for _ in range(2):
        add_tables(result, file, "job-1")
    for pipeline, output, table in result.tables():
        assert rows_of(file, f'SELECT count(*) FROM "{pipeline}_{output}"') == [(len(table),)], output
    with pytest.raises(FormatError, match="could not be written"):
        add_tables(result, file / "x", "job-1")
