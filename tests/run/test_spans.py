"""Parts of a file, and holding a run."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from tests.run.pipelines import CATALOG

import videoannotator as va
from videoannotator.errors import CancelledError, DataError
from videoannotator.run.control import Control
from videoannotator.testing.clips import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=100, rate=25, sound="tone")


def test_several_spans_give_the_rows_of_the_whole_file_that_lie_in_them(clip: Path) -> None:
    spans = [va.TimeSpan(0.4, 1.0), va.TimeSpan(2.0, 3.5)]
    with va.Annotator(["watch", "watch_too", "loudness"], catalog=CATALOG) as annotator:
        whole = annotator.annotate(clip, progress=False)
        parts = annotator.annotate(clip, spans=[(2.0, 3.5), spans[0]], progress=False)
    assert parts.ok
    for name in ("watch", "watch_too"):
        seen = whole[name].seen
        inside = [any(t in span for span in spans) for t in seen.time]
        assert parts[name].seen == seen[inside]
        assert parts.coverage[name].spans == tuple(spans)
    assert parts["loudness"].x.time.tolist() == pytest.approx([0.4, 2.0], abs=1 / 16000)
    assert parts.provenance.span == va.TimeSpan(0.4, 3.5)
    assert parts.provenance.spans == tuple(spans)
    assert whole.provenance.spans == ()


def test_a_failure_in_a_later_span_says_what_is_missing(clip: Path) -> None:
    with va.Annotator(["fails_at_third"], catalog=CATALOG) as annotator:
        result = annotator.annotate(clip, spans=[(0.0, 0.32), (1.0, 2.0)], progress=False)
    assert [f.span for f in result.failures] == [va.TimeSpan(1.0, 2.0)]
    assert result.coverage["fails_at_third"].spans == (va.TimeSpan(0.0, 0.32),)
    assert len(result["fails_at_third"].x) == 8


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"spans": []}, "asks for nothing"),
        ({"spans": [(0, 2), (1, 3)]}, "overlap"),
        ({"spans": [(7, 9)]}, "nothing of .* lies in"),
        ({"spans": [(0, 1)], "start": 0.0}, "not both"),
        ({"spans": [(2, 1)]}, "start <= end"),
        ({"start": 9.0}, "nothing of"),
    ],
)
def test_spans_that_make_no_sense_are_refused(clip: Path, asked: dict[str, object], says: str) -> None:
    with va.Annotator(["quiet"], catalog=CATALOG) as annotator, pytest.raises(DataError, match=says):
        annotator.plan(clip, **asked)  # type: ignore[arg-type]


def test_a_run_that_is_held_stands_still_and_goes_on(clip: Path) -> None:
    frames: list[int] = []
    annotator = va.Annotator(["slow"], catalog=CATALOG)
    held = threading.Event()

    def watch(progress: va.Progress) -> None:
        frames.append(progress.frames)
        if progress.fraction > 0.1 and not held.is_set():
            annotator.pause()
            held.set()

    done: list[va.Result] = []
    run = threading.Thread(target=lambda: done.append(annotator.annotate(clip, progress=watch)))
    run.start()
    assert held.wait(30)
    time.sleep(0.3)  # the batch at hand
    before = frames[-1]
    time.sleep(0.5)
    assert frames[-1] == before < 100
    assert not done
    annotator.go_on()
    run.join(30)
    assert done[0].ok
    assert frames[-1] == 100


def test_a_held_run_can_be_cancelled() -> None:
    control = Control()
    control.pause()
    soon = threading.Timer(0.2, control.cancel)
    soon.start()
    with pytest.raises(CancelledError):
        control.check()
    assert control.held > 0
