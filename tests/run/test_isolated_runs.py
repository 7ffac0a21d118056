"""Runs with pipelines in processes of their own: the same results, and nobody else notices when one dies."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.run import pipelines, remembering, resuming
from tests.run.isolated_pipelines import DOES, LOOKS, SOUNDS

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin
from videoannotator.errors import ConfigError
from videoannotator.run import segments
from videoannotator.testing.clips import write_clip

COUNTS = va.PipelineSpec(
    name="counts",
    version="1",
    needs=[va.Frames()],
    gives={"counted": f"{remembering.__name__}:Counted"},
    pipeline=f"{remembering.__name__}:Counts",
    config=f"{remembering.__name__}:Config",
    licence="MIT",
    batch=8,
)
MADE = [LOOKS, SOUNDS, DOES, COUNTS]
CATALOG = Catalog(
    {s.name: PipelineEntry(s, Plugin(s.name, "videoannotator", "1")) for s in MADE}
    | dict(pipelines.CATALOG.pipelines)
    | dict(resuming.CATALOG.pipelines),
    {},
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=40, rate=20, sound="tone")


def annotate(path: Path, names: list[str], **more: Any) -> va.Result:
    with va.Annotator(names, catalog=CATALOG, **{"cache": False, **more}) as annotator:
        return annotator.annotate(path, progress=False)


def test_the_result_is_the_same(clip: Path) -> None:
    names = ["watch", "loudness", "mean", "tracks", "slices", "after", "quiet"]
    here, there = annotate(clip, names), annotate(clip, names, isolation="process")
    assert there.pipelines == here.pipelines
    assert {record.isolation for record in here.provenance.pipelines} == {""}
    assert {record.isolation for record in there.provenance.pipelines} == {"process"}
    assert there["tracks"].steps.row_class is here["tracks"].steps.row_class


def test_real_pipelines_give_the_same(assets: Path) -> None:
    names = ["scene_detection", "face_analysis", "voice_activity"]
    results = []
    for isolation in (None, "process"):
        with va.Annotator(names, cache=False, isolation=isolation) as annotator:  # type: ignore[arg-type]  # a literal, in a tuple
            results.append(annotator.annotate(assets / "video" / "sitcom_kitchen.avi", end=4.0, progress=False))
    assert results[0].pipelines == results[1].pipelines
    assert len(results[0]["face_analysis"].faces) > 10


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("exit", "crashed", "exit status 3"),
        ("hang", "hung", "no answer and no progress"),
        ("divide", "pipeline_error", "ZeroDivisionError: division by zero"),
        ("memory", "out_of_memory", "17 GB"),
    ],
)
def test_what_happens_to_one_is_a_failure_of_its_own(clip: Path, how: str, kind: str, says: str) -> None:
    result = annotate(
        clip,
        ["does", "watch", "loudness"],
        config={"does": {"how": how}},
        isolation={"does": "process"},
        isolation_timeout=2.0 if how == "hang" else 60.0,
    )
    (failure,) = result.failures
    assert (failure.kind, failure.pipeline) == (kind, "does")
    assert says in failure.message
    assert failure.span == result.provenance.span
    assert len(result["watch"].seen) == 40
    assert result["loudness"].ok
    if how == "divide":
        assert "in do_divide" in (failure.details or "")


def test_what_leaks_is_given_back_with_the_process(clip: Path) -> None:
    settings: dict[str, Any] = {"config": {"does": {"how": "leak"}}, "isolation": "process"}
    annotate(clip, ["does"], **settings)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        annotate(clip, ["does"], **settings)  # ten times 50 MB each
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "kilobytes"
    children = subprocess.run(
        ["ps", "-o", "args", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    )
    assert "isolation.child" not in children.stdout


def test_memory_that_is_short_there_is_endured_as_here(clip: Path) -> None:
    result = annotate(clip, ["counts"], config={"counts": {"cpu_limit": 3}}, isolation="process")
    assert result.ok
    assert result["counts"].counted.nth.tolist() == list(range(1, 41))
    assert "batches of" in " ".join(result.provenance.pipelines[0].notices)


def test_an_isolated_run_that_ended_goes_on(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_EVERY", 0.0)
    monkeypatch.setattr(segments, "_SHARE", 0)
    names = ["tracks", "slices"]
    expected = annotate(clip, names)
    with va.Annotator(names, catalog=CATALOG, isolation="process") as annotator:
        events = annotator.stream(clip)
        rows = 0
        while rows < 10:
            rows += isinstance(next(events), va.RowsReady)
        events.close()  # type: ignore[attr-defined]
        result = annotator.annotate(clip, progress=False)
    assert result.pipelines == expected.pipelines
    assert "taken up" in " ".join(result.provenance.pipelines[0].notices)


def test_the_plan_says_who_is_apart(clip: Path) -> None:
    with va.Annotator(["watch", "loudness"], catalog=CATALOG, isolation={"watch": "process"}) as annotator:
        text = str(annotator.plan(clip))
    assert "watch 1.0 (MIT) on cpu, in a process of its own" in text
    assert text.count("of its own") == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"isolation": {"wach": "process"}}, "did you mean 'watch'"),
        ({"isolation": "thread"}, "isolation is 'process'"),
        ({"isolation": "process", "isolation_timeout": 0}, "more than 0"),
    ],
)
def test_what_is_not_known_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        va.Annotator(["watch"], catalog=CATALOG, **settings)
