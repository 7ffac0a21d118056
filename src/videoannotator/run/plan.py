"""The plan: which pipelines, in which order, with which models, on which device. Nothing is loaded to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Audio, Frames, Need, Output
from videoannotator.data.outcome import Failure, Precision
from videoannotator.data.time import TimeSpan
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.config import config_of, needs_of
from videoannotator.discover.models import ModelStore
from videoannotator.errors import DataError, PlanError
from videoannotator.run.isolation.choice import Isolation
from videoannotator.run.resources import Lease, ResourceManager

__all__ = ["Plan", "PlannedModel", "PlannedPipeline", "make_plan", "ordered", "planned_model"]


@attrs.frozen
class PlannedModel:
    """Weights a pipeline will use. ``present``: on this disk now. ``size``: bytes, None when not declared."""

    name: str
    present: bool
    source: str | None = None
    licence: str | None = None
    size: int | None = None
    gated: bool = False

    def __str__(self) -> str:
        licence = f", {self.licence}" if self.licence else ""
        if self.present:
            return f"{self.name} (on disk{licence})"
        if self.source is None:
            return f"{self.name} (no such file, and no model of that name)"
        size = f", {self.size / 1e6:.1f} MB" if self.size else ""
        return f"{self.name} ({'gated' if self.gated else 'not on disk'}{size}{licence}): {self.source}"


@attrs.frozen
class PlannedPipeline:
    """A pipeline as it will run. ``problem``: why this file cannot be given to it, None when it can.

    ``isolation``: how it is kept apart; None when it runs in this process. ``asked``: the precision that was asked for.
    """

    entry: PipelineEntry
    config: Any
    needs: tuple[Need, ...]
    stage: int
    lease: Lease
    model: PlannedModel | None = None
    problem: Failure | None = None
    isolation: Isolation | None = None
    asked: Precision = "exact"

    @property
    def precision(self) -> Precision:
        """In which it runs: exact where fast was asked of a pipeline that has nothing faster."""
        return self.asked if self.asked in self.entry.spec.precisions else "exact"

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.entry.spec.name

    @property
    def frames(self) -> Frames | None:
        """The pictures it asks for."""
        return next((n for n in self.needs if isinstance(n, Frames)), None)

    @property
    def audio(self) -> Audio | None:
        """The sound it asks for."""
        return next((n for n in self.needs if isinstance(n, Audio)), None)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The other pipelines' rows it asks for."""
        return tuple(n for n in self.needs if isinstance(n, Output))


@attrs.frozen
class Plan:
    """What a run will do, in order. ``str(plan)`` is for people."""

    media: MediaInfo
    spans: tuple[TimeSpan, ...]
    pipelines: tuple[PlannedPipeline, ...]

    @property
    def span(self) -> TimeSpan:
        """From the first second looked at to the last."""
        return TimeSpan(self.spans[0].start, self.spans[-1].end)

    @property
    def duration(self) -> float:
        """Seconds looked at."""
        return sum(span.duration for span in self.spans)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pipelines, in order."""
        return tuple(p.name for p in self.pipelines)

    @property
    def precision(self) -> Precision:
        """What was asked for: fast where it was asked of any pipeline."""
        return "fast" if any(p.asked == "fast" for p in self.pipelines) else "exact"

    @property
    def stages(self) -> tuple[tuple[PlannedPipeline, ...], ...]:
        """Pipelines that run side by side, stage by stage; a later stage reads the rows of earlier ones."""
        last = max((p.stage for p in self.pipelines), default=-1)
        return tuple(tuple(p for p in self.pipelines if p.stage == s) for s in range(last + 1))

    @property
    def to_fetch(self) -> tuple[PlannedModel, ...]:
        """Models that are not on this disk."""
        return tuple(p.model for p in self.pipelines if p.model is not None and not p.model.present)

    def __str__(self) -> str:
        lines = [f"{self.media.path} {' '.join(map(str, self.spans))}", f"  {_media(self.media)}"]
        lines += [f"  note: {notice}" for notice in self.media.notices]
        if self.precision == "fast" and all(p.precision == "exact" for p in self.pipelines):
            lines.append("  note: fast was asked for, and none of these pipelines has a fast mode: they run as exact")
        for planned in self.pipelines:
            spec = planned.entry.spec
            apart = f", in a {planned.isolation.kind} of its own" if planned.isolation else ""
            device = f"{planned.lease.device}{_mode(planned)}"
            lines.append(
                f"{planned.stage + 1}. {spec.name} {spec.version} ({spec.licence}) on {device}{_mode(planned)}{apart}"
            )
            lines.append(f"   reads {', '.join(_need(n) for n in planned.needs) or 'nothing'}")
            rows = {output: path.rpartition(":")[2] for output, path in spec.gives.items()}
            lines.append(f"   gives {', '.join(f'{output} ({name})' for output, name in rows.items())}")
            if planned.model:
                lines.append(f"   model {planned.model}")
            if planned.problem:
                lines.append(f"   cannot run: {planned.problem.message}")
        return "\n".join(lines)


def _media(media: MediaInfo) -> str:
    parts = []
    if media.video:
        rate = f"{float(media.video.average_rate):.3f} per second" if media.video.average_rate else "rate unknown"
        kind = "variable" if media.video.clock.variable else "constant"
        video, frames = media.video, len(media.video.clock)
        parts.append(f"{video.codec} {video.width}x{video.height}, {frames} frames, {rate}, {kind}")
    if media.audio:
        parts.append(f"{media.audio.codec} {media.audio.sample_rate} Hz, {media.audio.channels} channels")
    return "; ".join(parts)


def _mode(planned: PlannedPipeline) -> str:
    if planned.asked == planned.precision:
        return ", fast" if planned.precision == "fast" else ""
    return ", exact (it has no fast mode)"


def _need(need: Need) -> str:
    if isinstance(need, Frames):
        size = {
            (False, False): "",
            (True, False): f" {need.width} px wide",
            (False, True): f" {need.height} px high",
            (True, True): f" of {need.width}x{need.height} px",
        }[need.width is not None, need.height is not None]
        rate = f" at {need.rate:g} per second" if need.rate else ""
        return f"{'frames' if rate else 'every frame'}{size}{rate} ({need.color})"
    if isinstance(need, Audio):
        return f"sound at {need.rate} Hz"
    return f"rows of {need.pipeline}{' if it runs' if need.optional else ''}"


def ordered(catalog: Catalog, names: Sequence[str], configs: Mapping[str, Any]) -> list[tuple[PipelineEntry, Any, int]]:
    """The named pipelines and those they need, each with its settings and stage, in the order they run.

    Raises `UnknownPipelineError`, `ConfigError`, and `PlanError` when pipelines need each other in a circle.
    """
    done: dict[str, tuple[PipelineEntry, Any, int]] = {}

    def visit(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            raise PlanError(f"pipelines need each other in a circle: {' -> '.join((*path, name))}")
        if name in done:
            return done[name][2]
        entry = catalog.pipeline(name)
        config = config_of(entry.spec, configs.get(name))
        before = [
            need.pipeline
            for need in needs_of(entry.spec, config)
            if isinstance(need, Output) and (not need.optional or need.pipeline in names)
        ]
        stage = 1 + max((visit(other, (*path, name)) for other in before), default=-1)
        done[name] = (entry, config, stage)
        return stage

    for name in names:
        visit(name, ())
    return sorted(done.values(), key=lambda item: item[2])


def planned_model(entry: PipelineEntry, config: Any, store: ModelStore) -> PlannedModel | None:
    """The weights a pipeline will use under these settings; None for one without a setting ``weights``."""
    name = getattr(config, "weights", None)
    if not isinstance(name, str):
        return None
    present = store.present(name, entry.spec.models)
    spec = next((m for m in entry.spec.models if m.name == name), None)
    if spec is None:
        return PlannedModel(name=name, present=present)
    return PlannedModel(name, present, spec.source, spec.licence, spec.size, spec.gated)


def make_plan(
    catalog: Catalog,
    media: MediaInfo,
    names: Sequence[str],
    *,
    configs: Mapping[str, Any],
    store: ModelStore,
    resources: ResourceManager,
    isolation: Mapping[str, Isolation],
    spans: Sequence[TimeSpan] | None = None,
    precisions: Mapping[str, Precision] | None = None,
) -> Plan:
    """Plan a run. Pure: reads the catalog and looks whether model files exist, imports no pipeline.

    Raises `PlanError`, `UnknownPipelineError`, `ConfigError`, `DeviceError`; `DataError` for a span outside the file.
    """
    found = ordered(catalog, names, configs)
    stretches = _stretches(media, spans)
    leases: dict[str, Lease] = {}
    for stage in {stage for _, _, stage in found}:
        leases.update(resources.leases([entry.spec for entry, _, at in found if at == stage]))
    planned = []
    for entry, config, stage in found:
        needs = needs_of(entry.spec, config)
        model = planned_model(entry, config, store)
        problem = _problem(media, entry.spec.name, needs)
        name = entry.spec.name
        asked = (precisions or {}).get(name, "exact")
        apart = isolation.get(name)
        planned.append(PlannedPipeline(entry, config, needs, stage, leases[name], model, problem, apart, asked))
    return Plan(media, stretches, tuple(planned))


def _stretches(media: MediaInfo, spans: Sequence[TimeSpan] | None) -> tuple[TimeSpan, ...]:
    """``spans`` as far as the file goes, in order of time; the whole file when None."""
    if spans is None:
        return (media.span,)
    if not spans:
        raise DataError("spans=[] asks for nothing; leave it out to look at the whole file")
    kept: list[TimeSpan] = []
    for span in sorted(spans):
        if not 0 <= span.start < min(span.end, media.duration):
            raise DataError(f"nothing of {media.path} lies in {span}; it is {media.duration:.3f} s long")
        if kept and span.start < kept[-1].end:
            raise DataError(f"spans overlap: {kept[-1]} and {span}; what lies in both would be there twice")
        kept.append(TimeSpan(span.start, min(span.end, media.duration)))
    return tuple(kept)


def _problem(media: MediaInfo, name: str, needs: Sequence[Need]) -> Failure | None:
    if media.video is None and any(isinstance(n, Frames) for n in needs):
        return Failure("no_video", "the file has no pictures; leave this pipeline out for it", pipeline=name)
    if media.audio is None and any(isinstance(n, Audio) for n in needs):
        return Failure("no_audio", "the file has no sound; leave this pipeline out for it", pipeline=name)
    return None
