"""Runs over real clips: what comes out, what fails and what does not, and that nothing is done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.run.pipelines import CATALOG, Slow

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.errors import (
    CancelledError,
    ConfigError,
    DataError,
    DeviceError,
    PipelineError,
    PlanError,
    UnknownPipelineError,
    UnreadableMediaError,
)
from videoannotator.run.events import Failed, Finished, PipelineDone, Progress, RowsReady
from videoannotator.testing.clips import corrupt_packet, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=50, rate=25, sound="tone")


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "silent.mp4", frames=10, rate=25)


def annotate(path: Path, names: Sequence[str], config: dict[str, Any] | None = None, **more: Any) -> va.Result:
    with va.Annotator(names, config=config, catalog=CATALOG) as annotator:
        return annotator.annotate(path, progress=False, **more)


def kinds(result: va.Result) -> list[tuple[str | None, str]]:
    return [(f.pipeline, f.kind) for f in result.failures]


def test_every_frame_reaches_every_consumer_at_its_own_rate_and_size(clip: Path) -> None:
    result = annotate(clip, ["watch", "watch_too"], {"watch_too": {"rate": 5.0, "width": 80}})
    every, some = result["watch"].seen, result["watch_too"].seen
    assert every.frame.tolist() == list(range(50))
    assert every.number.tolist() == every.frame.tolist()
    assert set(every.width) == {160}
    assert some.frame.tolist() == list(range(0, 50, 5))
    assert some.number.tolist() == some.frame.tolist()
    assert set(some.width) == {80}
    assert set(some.height) == {60}
    assert result.ok
    assert result.coverage["watch"].duration == pytest.approx(2.0)


def test_four_pipelines_cost_one_decode(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, passes = [], []
    real_open, real_pass = av.open, DecodePass.__init__

    def counting_open(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return real_open(*args, **kwargs)

    def counting_pass(self: DecodePass, *args: Any, **kwargs: Any) -> None:
        passes.append(self)
        real_pass(self, *args, **kwargs)

    monkeypatch.setattr(av, "open", counting_open)
    monkeypatch.setattr(DecodePass, "__init__", counting_pass)
    result = annotate(clip, ["watch", "watch_too", "quiet", "loudness"], {"watch_too": {"rate": 5.0, "width": 80}})
    assert result.ok
    assert len(passes) == 1
    assert passes[0].decoded == 50, "each frame is decoded once"
    assert passes[0].conversions == 50 + 10, "each distinct need converts a frame once"
    assert len(opened) == 2, "once to probe, once to decode"


def test_a_failing_pipeline_is_a_failure_and_the_others_finish(clip: Path) -> None:
    result = annotate(clip, ["fails_at_third", "watch", "after_failure", "loudness"])
    assert kinds(result) == [("fails_at_third", "pipeline_error"), ("after_failure", "needs_failed")]
    failure = result.failures[0]
    assert "ZeroDivisionError: the third batch is one too many" in failure.message
    assert failure.details is not None
    assert "FailsAtThird" in failure.details or "pipelines.py" in failure.details
    assert failure.span == va.TimeSpan(8 / 25, 2.0), "what it had behind it is not missing"
    assert len(result["fails_at_third"].x) == 8
    assert result.coverage["fails_at_third"].spans == (va.TimeSpan(0.0, 8 / 25),)
    assert len(result["watch"].seen) == 50
    assert len(result["loudness"].x) == 1
    assert len(result["after_failure"].x) == 0
    assert result.coverage["after_failure"].spans == ()


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("fails_in_setup", "out_of_memory", "out of memory"),
        ("exits", "pipeline_error", "SystemExit: 2"),
        ("wrong_rows", "pipeline_error", "must give a Table of Signal for 'x'"),
        ("wrong_output", "pipeline_error", "gave rows for 'y'; it declares x"),
        ("needs_weights", "model_missing", "'absent'"),
        ("not_importable", "plugin_error", "cannot be imported"),
    ],
)
def test_every_way_to_fail_has_its_kind(clip: Path, name: str, kind: str, says: str) -> None:
    result = annotate(clip, [name, "watch"])
    assert kinds(result) == [(name, kind)]
    assert says in result.failures[0].message
    assert len(result["watch"].seen) == 50
    assert len(result[name].tables["x"]) == 0
    assert result.coverage[name].spans == ()


def test_on_error_raise_stops_and_leaves_no_thread(clip: Path) -> None:
    before = threading.active_count()
    with pytest.raises(PipelineError, match="the third batch") as caught:
        annotate(clip, ["fails_at_third", "slow"], on_error="raise")
    assert caught.value.failure.pipeline == "fails_at_third"
    assert threading.active_count() == before
    with pytest.raises(ConfigError, match="'record' or 'raise'"):
        annotate(clip, ["quiet"], on_error="ignore")


def test_a_file_without_sound_or_pictures_fails_only_what_needs_them(silent: Path, tmp_path: Path) -> None:
    result = annotate(silent, ["loudness", "watch"])
    assert kinds(result) == [("loudness", "no_audio")]
    assert len(result["watch"].seen) == 10
    sound = write_clip(tmp_path / "sound.m4a", frames=0, sound=np.zeros(16000, np.float32), sound_rate=16000)
    result = annotate(sound, ["loudness", "watch"])
    assert kinds(result) == [("watch", "no_video")]
    assert len(result["loudness"].x) == 1


def test_finding_nothing_is_an_empty_table_that_is_covered(clip: Path) -> None:
    result = annotate(clip, ["quiet"])
    assert result.ok
    assert len(result["quiet"].x) == 0
    assert result.coverage["quiet"].duration == pytest.approx(2.0)


def test_rows_of_others_come_in_the_order_of_needs(clip: Path) -> None:
    result = annotate(clip, ["mean"])
    assert list(result) == ["watch", "mean"], "what a pipeline needs runs as well, before it"
    assert result["mean"].x.value.tolist() == [24.5]
    alone = annotate(clip, ["maybe_mean"])
    assert list(alone) == ["maybe_mean"]
    assert alone["maybe_mean"].x.value.tolist() == [-1.0]
    assert annotate(clip, ["maybe_mean", "watch"])["maybe_mean"].x.value.tolist() == [24.5]


def test_needing_each_other_is_refused() -> None:
    with pytest.raises(PlanError, match="chicken -> egg -> chicken"):
        va.Annotator(["chicken"], catalog=CATALOG)


def test_two_sample_rates_are_both_given(clip: Path) -> None:
    result = annotate(clip, ["loudness", "loudness_8k"])
    assert result.ok
    assert len(result["loudness"].x) == len(result["loudness_8k"].x) == 1


def test_a_span_is_looked_at_and_nothing_else(clip: Path) -> None:
    result = annotate(clip, ["watch", "loudness"], start=0.5, end=1.0)
    assert result["watch"].seen.frame.tolist() == list(range(13, 25))
    assert result.provenance.span == va.TimeSpan(0.5, 1.0)
    assert result["loudness"].x.time.tolist() == pytest.approx([0.5], abs=0.03)
    with pytest.raises(DataError, match="nothing of"):
        annotate(clip, ["watch"], start=5.0)
    with pytest.raises(DataError, match="nothing of"):
        annotate(clip, ["watch"], start=1.0, end=0.5)
    with pytest.raises(DataError, match="nothing of"):
        annotate(clip, ["watch"], start=-1.0)


def test_a_broken_packet_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "broken.mp4", frames=50, rate=25, codec="mjpeg", pixel_format="yuvj420p")
    corrupt_packet(path, 20)
    result = annotate(path, ["watch"])
    assert [f.kind for f in result.media_failures] == ["decode_error"]
    span = result.media_failures[0].span
    assert span is not None
    assert 20 / 25 in span
    assert 20 not in result["watch"].seen.frame
    assert 49 in result["watch"].seen.frame
    assert 20 / 25 not in result.coverage["watch"]
    assert 30 / 25 in result.coverage["watch"]


def test_a_file_that_cannot_be_opened_raises_before_anything_runs(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with va.Annotator(["watch"], catalog=CATALOG) as annotator, pytest.raises(UnreadableMediaError):
        annotator.stream(text)


def test_events_tell_the_whole_story(clip: Path) -> None:
    with va.Annotator(["watch", "fails_at_third"], catalog=CATALOG) as annotator:
        events = list(annotator.stream(clip))
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    streamed = [e.table for e in events if isinstance(e, RowsReady) and e.pipeline == "watch"]
    assert len(streamed) > 1, "rows come while it runs"
    assert va.Table.concat(streamed) == result["watch"].seen
    assert [e.failure for e in events if isinstance(e, Failed)] == list(result.failures)
    assert {e.pipeline for e in events if isinstance(e, PipelineDone)} == {"watch", "fails_at_third"}
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert (last.fraction, last.frames, last.duration) == (1.0, 50, 2.0)


def test_progress_grows_and_is_called_back(clip: Path) -> None:
    seen: list[Progress] = []
    with va.Annotator(["slow"], catalog=CATALOG) as annotator:
        annotator.annotate(clip, progress=seen.append)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(0 < p.fraction < 1 and p.eta is not None and p.eta > 0 for p in seen)


def test_cancelling_from_another_thread_stops_within_a_batch(clip: Path) -> None:
    Slow.closed.clear()
    before = threading.active_count()
    annotator = va.Annotator(["slow", "endless"], catalog=CATALOG)
    timer = threading.Timer(0.3, annotator.cancel)
    timer.start()
    began = time.perf_counter()
    with pytest.raises(CancelledError):
        annotator.annotate(clip, progress=False)
    assert time.perf_counter() - began < 1.5, "2.5 s of work were left, and one pipeline never ends"
    timer.join()
    assert Slow.closed.is_set(), "close() is called also then"
    assert threading.active_count() == before


def test_closing_the_stream_cancels(clip: Path) -> None:
    before = threading.active_count()
    with va.Annotator(["slow"], catalog=CATALOG) as annotator:
        events = annotator.stream(clip)
        next(events)
        events.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    with pytest.raises(PlanError, match="closed"):
        annotator.plan(clip)


def test_provenance_says_with_what_it_was_made(clip: Path) -> None:
    import hashlib

    result = annotate(clip, ["watch"], {"watch": {"rate": 5.0}})
    made = result.provenance
    assert made.media_sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert made.media_name == "clip.mp4"
    (record,) = made.pipelines
    assert record.config == {"rate": 5.0, "width": None}
    assert (record.name, record.version, record.licence, record.device) == ("watch", "1.0", "MIT", "cpu")
    assert made.decoder["av"] == av.__version__
    assert made.libraries["numpy"] == np.__version__


def test_wrong_names_and_settings_raise_before_anything_is_opened() -> None:
    with pytest.raises(UnknownPipelineError, match="did you mean 'watch'"):
        va.Annotator(["wach"], catalog=CATALOG)
    with pytest.raises(UnknownPipelineError, match=r"is not installed: pip install .*person.tracking"):
        va.Annotator(["person_tracking"], catalog=CATALOG)
    with pytest.raises(ConfigError, match=r"watch\.rat: no such setting"):
        va.Annotator(["watch"], config={"watch": {"rat": 5}}, catalog=CATALOG)
    with pytest.raises(ConfigError, match=r"wach: settings for a pipeline that does not run .*did you mean 'watch'"):
        va.Annotator(["watch"], config={"wach": {}}, catalog=CATALOG)
    with pytest.raises(PlanError, match=r"a list of names: \['watch'\]"):
        va.Annotator("watch", catalog=CATALOG)
    with pytest.raises(DeviceError, match="no device 'gpu'"):
        va.Annotator(["watch"], device="gpu", catalog=CATALOG)


def test_without_names_everything_that_is_ready_runs() -> None:
    chosen = {n: CATALOG.pipelines[n] for n in ("watch", "with_model")}
    annotator = va.Annotator(catalog=va.Catalog(chosen, {}))
    assert annotator.pipelines == ("watch",)
    absent = "far (not on disk, 5.0 MB, hash not declared, MIT): https://example.invalid/far.bin"
    assert absent in annotator.left_out["with_model"]
    assert va.Annotator(catalog=va.Catalog(chosen, {}), download=True).pipelines == ("watch", "with_model")


def test_weights_by_path_are_ready(tmp_path: Path) -> None:
    weights = tmp_path / "w.bin"
    weights.write_bytes(b"1")
    chosen = va.Catalog({"with_model": CATALOG.pipelines["with_model"]}, {})
    annotator = va.Annotator(catalog=chosen, config={"with_model": {"weights": str(weights)}})
    assert annotator.pipelines == ("with_model",)


def test_the_plan_is_readable_and_loads_nothing(clip: Path) -> None:
    with va.Annotator(["mean", "loudness", "with_model"], catalog=CATALOG) as annotator:
        plan = annotator.plan(clip)
    assert [[p.name for p in stage] for stage in plan.stages] == [["watch", "loudness", "with_model"], ["mean"]]
    assert [m.name for m in plan.to_fetch] == ["far"]
    text = str(plan)
    for said in ("160x120", "50 frames", "every frame", "sound at 16000 Hz", "rows of watch", "far (not on disk"):
        assert said in text, said
