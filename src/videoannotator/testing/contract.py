"""What every pipeline must hold, whoever wrote it; one call in a plugin's own tests::

    from videoannotator.testing.contract import check_pipeline

    def test_contract(tmp_path):
        check_pipeline("brightness", tmp_path)

The pipeline is run by a real `Annotator` over clips made on the spot: constant and variable rate, upright phone,
one frame, no sound, silence; in both precisions, if it declares both; and if it needs sound, one that starts late and
ends early, and one of a few samples. It raises `AssertionError` that says which clip
and which promise was broken.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs

from videoannotator.data.columns import columns_of
from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Audio, Frames, Need
from videoannotator.data.outcome import Precision
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin, catalog
from videoannotator.discover.config import config_of, config_schema, models_of, needs_of, plain_config
from videoannotator.discover.settings import entry_of
from videoannotator.discover.specs import PipelineSpec, load
from videoannotator.run.annotator import Annotator
from videoannotator.testing.clips import tone, write_clip
from videoannotator.testing.relay import check_state

__all__ = ["catalog_of", "check_pipeline", "check_result", "check_spec", "clips", "sounds"]

_EXPECTED = {"silent": "no_audio", "one_frame": "no_audio"}
"""Clips without a sound stream: a pipeline that needs sound must fail on them, with this kind, and on no other."""

_IDS = ("track", "person", "face", "utterance")
"""Columns of numbers that mean somebody, or something said: given anew in every span, and never twice in a result."""


def clips(folder: Path) -> dict[str, Path]:
    """The clips every pipeline is tried on, by name; written into ``folder``."""
    uneven = [0, 40, 80, 200, 240, 400, 440, 480, 520, 1000]
    return {
        "plain": write_clip(folder / "plain.mp4", frames=12, rate=12, sound="tone"),
        "variable": write_clip(folder / "variable.mkv", times=uneven, time_base=Fraction(1, 1000), sound="silence"),
        "upright": write_clip(folder / "upright.mp4", frames=6, rate=12, size=(160, 120), rotation=90, sound="silence"),
        "one_frame": write_clip(folder / "one_frame.mp4", frames=1, rate=25),
        "silent": write_clip(folder / "silent.mp4", frames=6, rate=12),
    }


def sounds(folder: Path) -> dict[str, Path]:
    """The clips that pipelines which need sound are tried on besides, by name; written into ``folder``."""
    whole = {"late_sound": (tone(0.4, 48000), 0.3), "few_samples": (tone(5 / 48000, 48000, frequency=8000), 0.0)}
    return {
        name: write_clip(folder / f"{name}.mov", frames=12, rate=12, sound=sound, sound_start=start)
        for name, (sound, start) in whole.items()
    }


def catalog_of(*specs: PipelineSpec) -> Catalog:
    """A catalog that holds just these pipelines, for trying one that is not installed."""
    plugin = Plugin(name="testing", distribution="videoannotator", version="0")
    return Catalog.of(PipelineEntry(spec, plugin) for spec in specs)


def check_spec(spec: PipelineSpec) -> None:
    """What it declares is there: the class, the row classes as tables, a config whose defaults are allowed."""
    load(spec.pipeline)
    for output, path in spec.gives.items():
        assert columns_of(load(path)), f"{spec.name}.{output}: its rows have no columns"
    settings = config_of(spec)
    if settings is not None:
        assert attrs.has(type(settings)), f"{spec.name}: its config is no attrs class"
        assert config_of(spec, plain_config(settings)) == settings, (
            f"{spec.name}: its settings do not survive plain values"
        )
        described = config_schema(type(settings))["properties"]
        silent = [name for name, schema in described.items() if not schema.get("description")]
        assert not silent, f"{spec.name}: settings without a help text: {', '.join(silent)}"
    if spec.backend is not None:
        named = getattr(settings, "backend", None)
        assert named == spec.backend, (
            f"{spec.name}: its spec has the backend {spec.backend!r}, its setting is {named!r}"
        )
        choices = config_schema(type(settings))["properties"]["backend"].get("enum")
        assert choices == [spec.backend], (
            f"{spec.name}: its setting 'backend' must have the type Literal[{spec.backend!r}]"
        )
    if spec.models:
        says = isinstance(getattr(settings, "weights", None), str) or callable(getattr(settings, "models", None))
        assert says, f"{spec.name}: has models, but no setting 'weights', and its config no method models()"
        declared = [model.name for model in spec.models]
        unknown = [name for name in models_of(settings) if name not in declared]
        assert not unknown, f"{spec.name}: by default it uses {', '.join(unknown)}, which it does not declare"


def check_pipeline(
    name: str, folder: Path, *, config: Mapping[str, Any] | None = None, catalog_: Catalog | None = None
) -> dict[str, Result]:
    """Check an installed pipeline (or one of ``catalog_``) with its settings ``config``; returns the results by clip.

    ``folder``: where the clips are written, a test's ``tmp_path``.
    """
    found = catalog_ if catalog_ is not None else catalog()
    spec = entry_of(found, name, config).spec
    check_spec(spec)
    needs = needs_of(spec, config_of(spec, config or {}))

    def annotator(precision: Precision = "exact") -> Annotator:  # loads models once, whatever the number of clips
        settings = {name: config or {}}
        return Annotator([name], config=settings, catalog=found, download=False, cache=False, precision=precision)

    results = {}
    with annotator() as exact, annotator("fast") as fast:
        for clip, path in clips(folder).items():
            results[clip] = _check_clip(exact, name, clip, path)
            if "fast" in spec.precisions:
                _check_fast(fast, name, results[clip], f"{name}, fast, on the clip {clip!r}")
        if any(isinstance(need, Audio) for need in needs):
            for clip, path in sounds(folder).items():
                results[clip] = exact.annotate(path, progress=False)
                _check_sound(results[clip], name, needs, f"{name} on the clip {clip!r}")
    return results


def _check_clip(annotator: Annotator, name: str, clip: str, path: Path) -> Result:
    where = f"{name} on the clip {clip!r}"
    first = annotator.annotate(path, progress=False)
    second = annotator.annotate(path, progress=False)
    left = [t.name for t in threading.enumerate() if t.name.startswith("videoannotator:")]
    assert not left, f"{where}: threads of the run were left behind: {', '.join(left)}"
    kinds = {failure.kind for failure in first.failures}
    assert kinds <= {_EXPECTED.get(clip)}, f"{where}: {'; '.join(map(str, first.failures))}"
    for output, table in first[name].tables.items():
        assert second[name].tables[output] == table, f"{where}: two runs gave different rows for {output}"
    check_result(first[name], first.media, where)
    if first.ok and clip != "one_frame":
        _check_spans(annotator, name, first, where)
        check_state(annotator.plan(path), name, first, where)
    if clip == "plain":
        _check_isolated(annotator, name, first, where)
    return first


def _check_sound(result: Result, name: str, needs: Sequence[Need], where: str) -> None:
    """It does not fail, and who only listens says nothing of times at which there is no sound."""
    assert result.ok, f"{where}: {'; '.join(map(str, result.failures))}"
    check_result(result[name], result.media, where)
    audio = result.media.audio
    if audio is None or any(isinstance(need, Frames) for need in needs):
        return
    end = audio.start + (audio.duration or 0.0)
    sample = 1 / next(need.rate for need in needs if isinstance(need, Audio))
    for output, table in result[name].tables.items():
        for column in {"time", "start", "end"} & set(table.columns):
            times = table.column(column)
            outside = times[(times < audio.start - 1e-6) | (times > end + sample)]
            assert outside.size == 0, (
                f"{where}, {output}: {column} {outside[:3]} lies outside the sound, from {audio.start} s to {end} s"
            )
    beyond = result[name].coverage.without([TimeSpan(audio.start, end)]).duration
    assert beyond < 1e-3, f"{where}: it covers {beyond} s in which there is no sound"


def _check_spans(annotator: Annotator, name: str, whole: Result, where: str) -> None:
    """A span is looked at for itself: another one before it changes nothing, and shares no track with it."""
    path, end = whole.media.path, whole.media.duration
    spans = (TimeSpan(0.0, end / 2), TimeSpan(end / 2, end))
    both = annotator.annotate(path, spans=spans, progress=False)[name]
    alone = [annotator.annotate(path, spans=[span], progress=False)[name] for span in spans]
    for output, table in both.tables.items():
        apart = [result.tables[output] for result in alone]
        ids = [column for column in _IDS if column in table.columns]
        together = table.to_arrow().drop_columns(ids)
        expected = Table.concat(apart).to_arrow().drop_columns(ids)
        assert together.equals(expected), f"{where}: what was seen in one span changed the {output} of the next"
        for column in ids:
            first, second = (
                {getattr(row, column) for row in part if getattr(row, column) is not None}
                for part in (table[: len(apart[0])], table[len(apart[0]) :])
            )
            shared = sorted(first & second)[:3]
            assert not shared, f"{where}: two spans share the {output} of {column} {shared}"


def _check_isolated(annotator: Annotator, name: str, here: Result, where: str) -> None:
    """In a process of its own it gives the same rows."""
    settings = {record.name: record.config for record in here.provenance.pipelines}
    more: dict[str, Any] = {"catalog": annotator.catalog, "download": False, "cache": False, "isolation": "process"}
    with Annotator([name], config=settings, **more) as apart:
        there = apart.annotate(here.media.path, progress=False)
    assert there[name].failures == here[name].failures, f"{where}, in a process of its own: {there.failures}"
    for output, table in here[name].tables.items():
        assert there[name].tables[output] == table, f"{where}: in a process of its own, {output} is another"


def _check_fast(annotator: Annotator, name: str, exact: Result, where: str) -> None:
    """In fast mode numbers may differ, and nothing else: it fails where exact does, and keeps every other promise."""
    fast = annotator.annotate(exact.media.path, progress=False)
    assert [f.kind for f in fast.failures] == [f.kind for f in exact.failures], f"{where}: {fast.failures}"
    assert fast[name].coverage == exact[name].coverage, f"{where}: it covers other spans than exact"
    check_result(fast[name], fast.media, where)
    if fast.ok:
        check_state(annotator.plan(exact.media.path), name, fast, where)


def check_result(result: PipelineResult, media: MediaInfo, where: str = "") -> None:
    """Rows lie inside the file and inside what was covered; a pipeline that did not fail has covered something."""
    if result.ok:
        assert result.coverage.duration > 0, f"{where}: it did not fail, and has covered nothing"
    for output, table in result.tables.items():
        _check_times(table, media, f"{where}, {output}")
        _check_frames(table, media, f"{where}, {output}")


def _check_times(table: Table[Any], media: MediaInfo, where: str) -> None:
    names = [name for name in ("time", "start", "end") if name in table.columns]
    for name in names:
        times = table.column(name)
        late = times[(times < 0) | (times > media.duration + 1e-6)]
        assert late.size == 0, f"{where}: {name} {late[:3]} lies outside the file, which lasts {media.duration} s"


def _check_frames(table: Table[Any], media: MediaInfo, where: str) -> None:
    if media.video is None or not {"frame", "time"} <= set(table.columns) or not len(table):
        return
    clock = media.video.clock
    frames = table.column("frame")
    assert frames.max() < len(clock), f"{where}: frame {frames.max()} of a file with {len(clock)} frames"
    wrong = table.column("time") != clock.times[frames]
    assert not wrong.any(), f"{where}: the time of frame {frames[wrong][:1]} is not the file's"
