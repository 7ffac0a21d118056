"""Jobs are done by real processes, and what comes of them is in the database and on the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import update

import videoannotator as va
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.schema import metadata, videos
from videoannotator.serve.work.naming import absolute


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, clip: Path, fast: Any, bench_type: Any) -> Iterator[Any]:
    """A bench whose dispatcher is at work, two jobs at once, for all tests of this file that need nothing special."""
    folder = tmp_path_factory.mktemp("busy")
    (folder / "out").mkdir()
    settings = ServerSettings(data_dir=folder / "data", jobs=fast, roots=(folder / "out",))
    service = Service.of(settings)
    metadata.create_all(service.database.engine)
    bench = bench_type.of(settings, service.database, clip)
    with bench.dispatching(concurrent=2):
        yield bench
    service.close()


def test_a_job_is_done_and_its_result_is_there(busy: Any) -> None:
    (done,) = busy.wait(busy.submit("counts", "after", formats=["csv"]))
    assert (done.state, done.error_code, done.attempt) == ("completed", None, 1)
    row = busy.result(done.id)
    assert row.folder == f"jobs/{done.id}/attempt-1"
    folder = absolute(busy.settings, row.folder)
    assert row.summary["pipelines"]["counts"]["rows"] == {"values": 40}
    assert row.summary["pipelines"]["counts"]["coverage"]["duration"] == 1.6
    assert row.bytes == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    result = va.read(folder / "Mutter & Kind.videoannotator")
    assert result["counts"].values.value[-1] == sum(range(40))
    assert result["after"].values.value.tolist() == [40.0]
    assert result.provenance.media_name == "Mutter & Kind.mp4"
    assert str(busy.settings.data_dir) not in (folder / "Mutter & Kind.videoannotator/manifest.json").read_text()
    assert {file.name for file in folder.iterdir()} == {*row.summary["files"]["csv"], "Mutter & Kind.videoannotator"}
    assert busy.told(done.id, "complete") == [{"status": "completed", "error_message": None}]
    assert [event["status"] for event in busy.told(done.id, "update")] == ["pending", "running"]
    assert not busy.told(done.id, "progress"), "of no use when the job has ended"
    assert [path.name for path in folder.parent.iterdir()] == ["attempt-1"], "nothing else is left"


def test_the_stretch_that_was_asked_for(busy: Any) -> None:
    one, more = busy.submit("counts", start=0.4, end=0.8), busy.submit("counts", spans=[[0.0, 0.2], [1.0, 1.2]])
    busy.wait(one, more)
    assert busy.result(one).summary["span"] == [0.4, 0.8]
    assert busy.result(one).summary["pipelines"]["counts"]["rows"] == {"values": 10}
    assert busy.result(more).summary["pipelines"]["counts"]["coverage"]["spans"] == [[0.0, 0.2], [1.0, 1.2]]


@pytest.mark.parametrize(
    ("pipelines", "how", "state", "rows"),
    [
        (["counts", "misbehaves"], "fails", "partial", {"counts": 40, "misbehaves": 0}),
        (["misbehaves"], "fails", "failed", {"misbehaves": 0}),
        (["misbehaves"], "fails late", "failed", {"misbehaves": 12}),
        (["counts", "misbehaves"], "prints", "completed", {"counts": 40, "misbehaves": 40}),
    ],
)
def test_a_pipeline_that_fails_is_never_a_success(
    busy: Any, pipelines: list[str], how: str, state: str, rows: dict[str, int]
) -> None:
    (job,) = busy.wait(busy.submit(*pipelines, config={"misbehaves": {"how": how}}))
    assert (job.state, job.attempt) == (state, 1)
    found = busy.result(job.id).summary["pipelines"]
    assert {name: one["rows"]["values"] for name, one in found.items()} == rows
    if state != "completed":
        assert job.error_code == "PIPELINE_FAILED"
        assert "misbehaves: pipeline_error" in job.error_message
        assert busy.told(job.id, "complete") == [{"status": state, "error_message": job.error_message}]


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        ({"pipelines": ["count"]}, "UNKNOWN_PIPELINE", "did you mean 'counts'"),
        ({"pipelines": ["counts"], "config": {"counts": {"second": 1}}}, "INVALID_CONFIG", "did you mean 'seconds'"),
        ({"pipelines": ["counts"], "device": "abacus"}, "DEVICE_MISSING", "abacus"),
        ({"pipelines": ["counts"], "start": 9.0}, "INVALID_CONFIG", "1.600 s long"),
        ({"pipelines": ["counts"], "formats": ["rttn"]}, "INVALID_CONFIG", "did you mean 'rttm'"),
        ({"pipelines": ["counts"], "formats": 3}, "INVALID_CONFIG", "formats"),
        ({"pipelines": ["counts"], "output_directory": "/etc/results"}, "OUTSIDE_ROOTS", "outside the folders"),
        ({"pipelines": ["counts"], "output_directory": "results"}, "OUTSIDE_ROOTS", "absolute path"),
    ],
)
def test_what_cannot_pass_is_not_tried_again(busy: Any, request_: dict[str, Any], code: str, says: str) -> None:
    (job,) = busy.wait(busy.submit(**request_))
    assert (job.state, job.error_code, job.attempt) == ("failed", code, 1)
    assert says in job.error_message


@pytest.mark.parametrize("name", ["absent.mp4", "broken.mp4"])
def test_a_file_that_is_none(busy: Any, tmp_path: Path, clip: Path, name: str) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 100)
    with busy.database.write() as connection:
        connection.execute(update(videos).values(path=str(tmp_path / name)))
    try:
        (job,) = busy.wait(busy.submit("counts"))
    finally:
        with busy.database.write() as connection:
            connection.execute(update(videos).values(path=str(clip)))
    assert (job.state, job.error_code, job.attempt) == ("failed", "MEDIA_REFUSED", 1)
    assert busy.result(job.id) is None


def test_a_crash_is_tried_again_and_told_with_its_last_words(busy: Any) -> None:
    (job,) = busy.wait(busy.submit("misbehaves", config={"misbehaves": {"how": "crashes"}}, max_attempts=2))
    assert (job.state, job.error_code, job.attempt) == ("failed", "CRASHED", 2)
    assert "ended by SIGSEGV" in job.error_message
    assert "(in 2 attempts)" in job.error_message
    assert "Segmentation fault" in job.error_message, "faulthandler tells where"
    assert [told["status"] for told in busy.told(job.id, "update")] == ["pending", "running"] * 2


def test_a_result_goes_where_it_was_asked_to_go(busy: Any) -> None:
    wanted = busy.settings.roots[0] / "study" / "one"
    (job,) = busy.wait(busy.submit("counts", output_directory=str(wanted)))
    assert job.state == "completed", job
    assert busy.result(job.id).folder == str(wanted / f"Mutter & Kind-{job.id[:8]}")
    assert va.read(wanted / f"Mutter & Kind-{job.id[:8]}" / "Mutter & Kind.videoannotator").ok


def test_a_link_does_not_lead_out_of_the_roots(busy: Any, tmp_path: Path) -> None:
    (busy.settings.roots[0] / "link").symlink_to(tmp_path)
    (job,) = busy.wait(busy.submit("counts", output_directory=str(busy.settings.roots[0] / "link" / "x")))
    assert (job.state, job.error_code) == ("failed", "OUTSIDE_ROOTS")
    assert not list(tmp_path.iterdir())


def test_progress_is_told_while_it_goes_on(busy: Any) -> None:
    id_ = busy.submit("counts", "after", config={"counts": {"seconds": 0.3}})
    job = busy.until(id_, lambda job: 0 < job.fraction < 1)
    assert job.stage == "counts"
    assert 0 < job.frames <= 40
    assert 0 < job.media_seconds < 1.6
    assert busy.told(id_, "progress")[-1]["status"] == "running"
    (done,) = busy.wait(id_)
    assert (done.fraction, done.stage, done.eta) == (1.0, None, None)
    assert any("counts is done" in told["message"] for told in busy.told(id_, "log"))


def test_the_same_question_is_not_computed_twice(busy: Any, tmp_path: Path) -> None:
    asked = {"config": {"counts": {"seen": str(tmp_path / "seen")}}}
    first, second = busy.submit("counts", **asked), busy.submit("counts", **asked)
    busy.wait(first, second)
    assert len((tmp_path / "seen").read_text().split()) == 40
    assert sorted(busy.result(one).summary["pipelines"]["counts"]["cached"] for one in (first, second)) == [False, True]


def test_a_process_that_has_worked_is_kept_for_the_next_job(bench: Any) -> None:
    others = _children()
    with bench.dispatching(idle=1.5):
        bench.wait(bench.submit("counts", start=0.0, end=0.4))
        (process,) = _children() - others
        bench.wait(bench.submit("counts", start=0.0, end=0.8))
        assert _children() - others == {process}
        until = time.monotonic() + 10
        while process.is_running() and time.monotonic() < until:
            time.sleep(0.05)
        assert not process.is_running(), "nobody had work for it"


def test_the_more_urgent_goes_first(bench: Any) -> None:
    ids = [bench.submit("counts", start=0.0, end=0.1 * n, priority=p) for n, p in ((1, 0), (2, 5), (3, -5), (4, 5))]
    with bench.dispatching():
        done = bench.wait(*ids)
    order = sorted(range(4), key=lambda n: done[n].started_at)
    assert order == [1, 3, 0, 2]


def test_a_job_that_takes_too_much_memory_fails_and_the_others_do_not(bench: Any) -> None:
    eats = bench.submit("misbehaves", config={"misbehaves": {"how": "eats", "megabytes": 900}})
    good = [bench.submit("counts", config={"counts": {"seconds": 0.01 * n}}) for n in range(3)]
    with bench.dispatching(concurrent=2, memory=600 << 20):
        job, *others = bench.wait(eats, *good, seconds=180)
    assert (job.state, job.error_code, job.attempt) == ("failed", "OUT_OF_MEMORY", 2), job
    assert "0.63 GB are allowed" in job.error_message
    assert {(one.state, one.attempt) for one in others} == {("completed", 1)}


def test_a_worker_that_is_stopped_gives_back_what_it_has(bench: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    id_ = bench.submit("counts", config={"counts": {"seconds": 0.15, "seen": str(seen)}}, max_attempts=1)
    others = _children()
    with bench.dispatching():
        bench.until(id_, lambda job: seen.exists() and len(seen.read_text().split()) >= 12)
        children = _children() - others
        began = time.monotonic()
    assert time.monotonic() - began < 3.0
    assert len(children) == 1
    assert not any(process.is_running() for process in children)
    back = bench.jobs.get(id_)
    assert (back.state, back.attempt, back.max_attempts, back.worker) == ("pending", 1, 2, None)
    with bench.dispatching():
        (job,) = bench.wait(id_)
    assert (job.state, job.attempt) == ("completed", 2)
    numbers = seen.read_text().split()
    assert len(set(numbers)) == 40
    assert len(numbers) <= 44, "at most the batch at hand was done again"


def _children() -> set[psutil.Process]:
    found = psutil.Process().children()
    return {process for process in found if "videoannotator.serve.work.child" in process.cmdline()}
