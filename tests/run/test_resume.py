"""A run that ended early goes on where it was, and what it gives is what one that did not would have given."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.run.resuming import CATALOG, NAMES

import videoannotator as va
from videoannotator.data.rows import Signal
from videoannotator.data.table import Table
from videoannotator.errors import CacheError
from videoannotator.run import segments
from videoannotator.run.cache import ResultCache
from videoannotator.run.segments import Chain, Point, Segment
from videoannotator.testing.clips import corrupt_packet, write_clip
from videoannotator.testing.strategies import tables

GIVES = {"x": "videoannotator.data.rows:Signal"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=60, rate=25, sound="tone")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment after every call."""
    monkeypatch.setattr(segments, "_EVERY", 0.0)
    monkeypatch.setattr(segments, "_SHARE", 0)


def whole(clip: Path, names: list[str] = NAMES, **more: Any) -> va.Result:
    with va.Annotator(names, catalog=CATALOG, cache=False) as annotator:
        return annotator.annotate(clip, progress=False, **more)


def interrupted(clip: Path, after: int, names: list[str] = NAMES, **more: Any) -> bool:
    """Run until so many rows were told; False when it was complete before."""
    with va.Annotator(names, catalog=CATALOG) as annotator:
        events = annotator.stream(clip, **more)
        rows = 0
        for event in events:
            rows += isinstance(event, va.RowsReady)
            if isinstance(event, va.Finished):
                return False
            if rows >= after:
                break
        events.close()  # type: ignore[attr-defined]
        return True


def again(clip: Path, names: list[str] = NAMES, **more: Any) -> va.Result:
    with va.Annotator(names, catalog=CATALOG) as annotator:
        return annotator.annotate(clip, progress=False, **more)


def taken_up(result: va.Result) -> list[str]:
    return [r.name for r in result.provenance.pipelines if any("taken up" in notice for notice in r.notices)]


def same(one: va.Result, other: va.Result) -> None:
    assert one.pipelines == other.pipelines
    assert one.media_failures == other.media_failures


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("spans", [None, [(0.0, 0.8), (1.0, 1.5), (1.7, 2.4)]])
def test_wherever_it_ends_it_goes_on(clip: Path, own_cache: Path, rounds: int, spans: Any) -> None:
    more = {} if spans is None else {"spans": spans}
    expected = whole(clip, **more)
    resumed: set[str] = set()
    after = 1
    while interrupted(clip, after, **more):
        result = again(clip, **more)
        same(result, expected)
        resumed |= set(taken_up(result))
        assert not list(own_cache.glob("results/*.parts")), "what was complete was put in their place"
        ResultCache().clear()
        after += max(1, 13 // rounds)
    assert resumed >= {"tracks", "tracks_too", "slices", "gathers"}, "the last of them only where a span is complete"


@pytest.mark.usefixtures("often")
def test_it_goes_on_as_often_as_it_ends(clip: Path) -> None:
    expected = whole(clip)
    after = 3
    while interrupted(clip, after):  # rows of before are told again, so that each gets further
        after += 3
    same(again(clip), expected)
    assert after > 12


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("packet", [5, 25, 58])
def test_what_was_wrong_with_the_file_is_said_once(tmp_path: Path, packet: int, rounds: int) -> None:
    damaged = corrupt_packet(write_clip(tmp_path / "clip.mp4", frames=60, rate=25, sound="tone"), packet)
    names = ["tracks", "tracks_too", "slices"]
    expected = whole(damaged, names)
    assert expected.media_failures
    for after in (2, 14, 28) if rounds == 1 else (2, 9, 14, 20, 28):
        if interrupted(damaged, after, names):
            same(again(damaged, names), expected)
        ResultCache().clear()


@pytest.mark.usefixtures("often")
def test_a_pipeline_that_fails_goes_on_before_its_failure(clip: Path) -> None:
    first, second = again(clip, ["fails_at_third"]), again(clip, ["fails_at_third"])
    assert [failure.kind for failure in first.failures] == ["pipeline_error"]
    assert len(first["fails_at_third"].x) == 8
    assert taken_up(second) == ["fails_at_third"]
    assert second["fails_at_third"].x[:8] == first["fails_at_third"].x


def test_killed_at_any_moment(clip: Path, own_cache: Path, tmp_path: Path, rounds: int) -> None:
    """kill -9, ten times and more, each time after the run has got further; the end is that of a quiet run."""
    command = [sys.executable, "-m", "tests.run.resuming", str(clip)]
    subprocess.run([*command, str(tmp_path / "quiet"), "0"], check=True, env=_env(tmp_path / "other"))
    expected = va.read(tmp_path / "quiet" / "clip.videoannotator")
    chance = random.Random(20261124)
    kills = ends = 0
    while kills < 10 * rounds or not ends:
        before = _written(own_cache)
        child = subprocess.Popen([*command, str(tmp_path / "killed"), "0.02"], env=_env(own_cache))
        while _written(own_cache) == before and child.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.25))
        child.kill()
        if child.wait() == -signal.SIGKILL:
            kills += 1
            continue
        assert child.returncode == 0
        ends += 1
        killed = va.read(tmp_path / "killed" / "clip.videoannotator")
        same(killed, expected)
        assert "tracks" in taken_up(killed)
        ResultCache(own_cache / "results").clear()


def _env(cache: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "VIDEOANNOTATOR_CACHE": str(cache), "PYTHONPATH": path}


def _written(cache: Path) -> tuple[int, int]:
    """Segments, and complete entries."""
    while True:
        with suppress(FileNotFoundError):  # a folder went while it was looked into
            return len(list(cache.glob("results/*.parts/*.segment"))), len(list(cache.glob("results/*/result*")))


@settings(max_examples=30, deadline=None)
@given(st.lists(tables(Signal), min_size=1, max_size=4), st.data())
def test_a_chain_gives_back_what_is_whole(parts: list[Table[Signal]], data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "key.parts"
        chain = Chain(place, GIVES, {"entry.json": "{}"})
        assert chain.read() is None
        for n, table in enumerate(parts):
            assert chain.append(Segment(Point(frame=n, seconds=n / 3), {"x": table}, {"n": n}))
        files = sorted(place.glob("*.segment"))
        spoilt = data.draw(st.integers(0, len(files)))
        if spoilt < len(files):
            content = bytearray(files[spoilt].read_bytes())
            if data.draw(st.booleans()):
                del content[data.draw(st.integers(0, len(content) - 1)) :]
            else:
                content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
            files[spoilt].write_bytes(content)
        anew = Chain(place, GIVES, {})
        found = anew.read()
        assert len(list(place.glob("*.segment"))) == spoilt
        if spoilt == 0:
            assert found is None
        else:
            assert found is not None
            assert found.tables["x"] == Table.concat(parts[:spoilt])
            assert (found.point.frame, found.state) == (spoilt - 1, {"n": spoilt - 1})
        assert anew.append(Segment(Point(number=7), {}, None))
        last = Chain(place, GIVES, {}).read()
        assert last is not None
        assert last.point.number == 7


@pytest.mark.usefixtures("often")
def test_without_room_for_segments_there_is_a_result(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING):
        result = again(clip, ["tracks"])
    assert result.pipelines == whole(clip, ["tracks"]).pipelines
    assert caplog.text.count("cannot be taken up again") == 1


@pytest.mark.usefixtures("often")
def test_unfinished_runs_are_listed_and_cleared_unless_they_go_on(clip: Path, own_cache: Path) -> None:
    assert interrupted(clip, 6, ["tracks"])
    (entry,) = ResultCache().entries()
    assert (entry.pipeline, entry.media, entry.complete) == ("tracks", "clip.mp4", False)
    assert entry.size > 100
    at_work, cleared = threading.Event(), threading.Event()

    def look() -> None:
        with va.Annotator(["tracks"], catalog=CATALOG) as annotator:
            for event in annotator.stream(clip):
                if isinstance(event, va.RowsReady):
                    at_work.set()
                    cleared.wait(20)

    run = threading.Thread(target=look)
    run.start()
    assert at_work.wait(20)
    assert ResultCache().clear() == 0
    cleared.set()
    run.join()
    assert [entry.complete for entry in ResultCache().entries()] == [True]
    assert interrupted(clip, 6, ["tracks_too"])
    assert ResultCache().clear(older_than=timedelta(days=1)) == 0
    assert ResultCache().clear() > 0
    assert ResultCache().entries() == []


@pytest.mark.skipif(os.name != "posix", reason="rights are written down in another way there")
def test_a_folder_that_others_may_write_into_is_refused(clip: Path, own_cache: Path) -> None:
    (own_cache / "results").mkdir(parents=True)
    (own_cache / "results").chmod(0o777)
    with pytest.raises(CacheError, match="chmod go-w"):
        again(clip, ["tracks"])
