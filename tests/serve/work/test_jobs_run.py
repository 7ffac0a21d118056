"""Jobs are done by real processes, and what comes of them is in the database and on the disk."""

from __future__ import annotations

from typing import Any

import videoannotator as va
from videoannotator.serve.work.naming import absolute


def test_a_job_is_done_and_its_result_is_there(bench: Any, plugin: None) -> None:
    job = bench.submit("counts", "after", formats=["csv"])
    with bench.dispatching():
        (done,) = bench.wait(job)
    assert (done.state, done.error_code, done.attempt) == ("completed", None, 1)
    row = bench.result(job)
    assert row.folder == f"jobs/{job}/attempt-1"
    folder = absolute(bench.settings, row.folder)
    assert row.summary["pipelines"]["counts"]["rows"] == {"values": 40}
    assert row.summary["pipelines"]["counts"]["coverage"]["duration"] == 1.6
    assert row.bytes == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    result = va.read(folder / "Mutter & Kind.videoannotator")
    assert result["counts"].values.value[-1] == sum(range(40))
    assert result["after"].values.value.tolist() == [40.0]
    assert result.provenance.media_name == "Mutter & Kind.mp4"
    assert {file.name for file in folder.iterdir()} >= {*row.summary["files"]["csv"], "Mutter & Kind.videoannotator"}
    assert bench.told(job, "complete") == [{"status": "completed", "error_message": None}]
