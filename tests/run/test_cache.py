"""The same question is not computed twice, and another one always is."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.run.pipelines import CATALOG

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.errors import CacheError
from videoannotator.run.cache import ResultCache
from videoannotator.run.keys import code_of
from videoannotator.testing.clips import corrupt_packet, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=30, rate=25, sound="tone")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[DecodePass]:
    """Every decoding pass that is made."""
    made: list[DecodePass] = []
    real = DecodePass.__init__

    def counting(self: DecodePass, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        real(self, *args, **kwargs)

    monkeypatch.setattr(DecodePass, "__init__", counting)
    return made


def annotate(path: Path, names: list[str], config: dict[str, Any] | None = None, **more: Any) -> va.Result:
    made = {key: more.pop(key) for key in ("cache",) if key in more}
    with va.Annotator(names, config=config, catalog=CATALOG, **made) as annotator:
        return annotator.annotate(path, progress=False, **more)


def cached(result: va.Result) -> dict[str, bool]:
    return {record.name: record.cached for record in result.provenance.pipelines}


def test_asked_again_nothing_is_decoded_and_the_answer_is_the_same(clip: Path, passes: list[DecodePass]) -> None:
    names = ["watch", "loudness", "mean", "quiet"]
    first = annotate(clip, names)
    decoded = len(passes)
    second = annotate(clip, names)
    assert len(passes) == decoded
    assert cached(first) == dict.fromkeys(names, False)
    assert cached(second) == dict.fromkeys(names, True)
    assert second.pipelines == first.pipelines
    assert second["watch"].seen.row_class is first["watch"].seen.row_class


def test_rows_of_the_cache_are_told_as_they_come(clip: Path) -> None:
    annotate(clip, ["watch"])
    with va.Annotator(["watch"], catalog=CATALOG) as annotator:
        events = list(annotator.stream(clip))
    (rows,) = [event for event in events if isinstance(event, va.RowsReady)]
    assert len(rows.table) == 30
    assert isinstance(events[-1], va.Finished)


@pytest.mark.parametrize(
    ("again", "taken"),
    [
        ({}, {"watch": True, "mean": True, "loudness": True}),
        ({"config": {"watch": {"rate": 5.0}}}, {"watch": False, "mean": False, "loudness": True}),
        ({"start": 0.2}, {"watch": False, "mean": False, "loudness": False}),
        ({"spans": [(0.0, 0.5), (0.6, 1.0)]}, {"watch": False, "mean": False, "loudness": False}),
        ({"cache": False}, {"watch": False, "mean": False, "loudness": False}),
    ],
)
def test_what_is_changed_is_computed_with_what_reads_it_and_nothing_else(
    clip: Path, again: dict[str, Any], taken: dict[str, bool]
) -> None:
    names = ["watch", "mean", "loudness"]
    annotate(clip, names)
    assert cached(annotate(clip, names, **again)) == taken


def test_the_content_counts_not_the_name(clip: Path, tmp_path: Path) -> None:
    annotate(clip, ["watch"])
    other = Path(shutil.copy(clip, tmp_path / "other name.mp4"))
    result = annotate(other, ["watch"])
    assert cached(result) == {"watch": True}
    assert result.media.path == str(other)
    other.write_bytes(other.read_bytes() + b"\0" * 8)
    assert cached(annotate(other, ["watch"])) == {"watch": False}


def test_failures_are_not_kept_but_those_of_the_file_are(tmp_path: Path) -> None:
    damaged = corrupt_packet(write_clip(tmp_path / "clip.mp4", frames=50, rate=25), 20)
    first = annotate(damaged, ["watch", "fails_at_third"])
    second = annotate(damaged, ["watch", "fails_at_third"])
    assert cached(second) == {"watch": True, "fails_at_third": False}
    assert first.media_failures
    assert second.media_failures == first.media_failures
    assert second["watch"] == first["watch"]


def test_a_damaged_entry_is_computed_again(clip: Path, own_cache: Path) -> None:
    annotate(clip, ["watch"])
    (table,) = own_cache.glob("results/*/result.videoannotator/watch/seen.arrow")
    table.write_bytes(table.read_bytes()[:-20])
    assert cached(annotate(clip, ["watch"])) == {"watch": False}
    assert cached(annotate(clip, ["watch"])) == {"watch": True}


def test_two_at_once_compute_it_once(clip: Path) -> None:
    results: list[va.Result] = []
    runs = [threading.Thread(target=lambda: results.append(annotate(clip, ["slow", "watch"]))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(cached(result)["slow"] for result in results) == [False, True]
    assert results[0].pipelines == results[1].pipelines


def test_waiting_for_another_can_be_cancelled(clip: Path) -> None:
    cache = ResultCache()
    annotator = va.Annotator(["slow"], catalog=CATALOG, cache=cache)
    threading.Timer(0.4, annotator.cancel).start()
    opened: list[Any] = []
    real = cache.open
    cache.open = lambda key, check: opened.append(real(key, check)) or real(key, check)  # type: ignore[method-assign, func-returns-value]
    with pytest.raises(va.VideoAnnotatorError, match="cancelled"):
        annotator.annotate(clip, progress=False)
    opened[0].close()


def test_the_least_recently_used_goes_first(clip: Path, own_cache: Path) -> None:
    for name in ("watch", "loudness", "quiet"):
        annotate(clip, [name])
        time.sleep(0.02)
    cache = ResultCache()
    assert [entry.pipeline for entry in cache.entries()] == ["watch", "loudness", "quiet"]
    annotate(clip, ["watch"])
    assert [entry.pipeline for entry in cache.entries()] == ["loudness", "quiet", "watch"]
    sizes = {entry.pipeline: entry.size for entry in cache.entries()}
    cache.limit = sizes["watch"] + sizes["quiet"]
    assert cache.trim() == sizes["loudness"]
    assert [entry.pipeline for entry in cache.entries()] == ["quiet", "watch"]
    assert cache.clear(older_than=timedelta(days=1)) == 0
    assert cache.clear() == sizes["quiet"] + sizes["watch"]
    assert cache.entries() == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CacheError, match="VIDEOANNOTATOR_CACHE"):
        ResultCache(tmp_path / "results")


def test_without_a_usable_folder_results_are_still_had(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(blocked))
    with pytest.raises(CacheError, match="set VIDEOANNOTATOR_CACHE"):
        ResultCache()
    with caplog.at_level(logging.WARNING):
        assert annotate(clip, ["watch"]).ok
    assert "results are not kept" in caplog.text


def test_an_answer_does_not_look_through_what_is_installed(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = annotate(clip, ["watch"])
    monkeypatch.setattr("videoannotator.formats.classes.catalog", lambda: pytest.fail("it looks for the class of rows"))
    again = annotate(clip, ["watch"])
    assert again.provenance.pipelines[0].cached
    assert again["watch"].seen == first["watch"].seen


def test_a_change_of_code_is_another_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "va_test_changing"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('must not be imported')")
    monkeypatch.syspath_prepend(tmp_path)
    before = code_of("va_test_changing.inside:Class")
    assert before == code_of("va_test_changing:Class") != ""
    (package / "inside.py").write_text("x = 1")
    assert code_of("va_test_changing.inside:Class") != before
    assert code_of("va_test_absent:Class") == ""
