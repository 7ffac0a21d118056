"""The plan: which pipelines, in which order, with which models, on which device. Nothing is loaded to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Audio, Frames, Need, Output
from videoannotator.data.outcome import Failure, Precision
from videoannotator.data.time import TimeSpan
from videoannotator.decode.sampling import frames_in
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.config import models_of, needs_of
from videoannotator.discover.models import ModelStore, size_of
from videoannotator.discover.settings import entry_of, settings_of
from videoannotator.errors import DataError, PlanError
from videoannotator.run.describing import described
from videoannotator.run.devices import Machine
from videoannotator.run.isolation.choice import Isolation
from videoannotator.run.measured import Measured
from videoannotator.run.requesting import Asked, Asker
from videoannotator.run.resources import Request

__all__ = ["Plan", "PlannedModel", "PlannedPipeline", "make_plan", "ordered", "planned_models"]


@attrs.frozen
class PlannedModel:
    """Weights a pipeline will use.

    ``present``: on this disk now. ``size``: bytes; ``sha256``: hexadecimal; None where nobody has declared them and the
    file is not there.
    """

    name: str
    present: bool
    source: str | None = None
    licence: str | None = None
    size: int | None = None
    gated: bool = False
    sha256: str | None = None

    def __str__(self) -> str:
        if not self.present and self.source is None:
            return f"{self.name} (no such file, and no model of that name)"
        where = "on disk" if self.present else "gated" if self.gated else "not on disk"
        size = f"{self.size / 1e6:.1f} MB" if self.size else "size not declared"
        digest = f"SHA-256 {self.sha256[:12]}..." if self.sha256 else "hash not declared"
        told = ", ".join((where, size, digest, self.licence or "licence not declared"))
        return f"{self.name} ({told})" + ("" if self.present else f": {self.source}")


@attrs.frozen
class PlannedPipeline:
    """A pipeline as it will run. ``models``: all that its settings use, the main one first.

    ``problem``: why this file cannot be given to it, None when it can.
    ``request``: what it will ask for of the machine. ``isolation``: how it is kept apart; None when it runs in this
    process. ``asked``: the precision that was asked for. ``cached``: True when its rows will be taken from the cache.
    """

    entry: PipelineEntry
    config: Any
    needs: tuple[Need, ...]
    stage: int
    request: Request
    models: tuple[PlannedModel, ...] = ()
    problem: Failure | None = None
    isolation: Isolation | None = None
    asked: Precision = "exact"
    cached: bool = False

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
    """What a run will do, in order. ``str(plan)`` is for people.

    ``seconds``: of wall clock that it will take, as far as earlier runs on this machine tell; None while they do not.
    """

    media: MediaInfo
    spans: tuple[TimeSpan, ...]
    pipelines: tuple[PlannedPipeline, ...]
    seconds: float | None = None

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
        """Models that are not on this disk, each once."""
        absent = (model for planned in self.pipelines for model in planned.models if not model.present)
        return tuple(dict.fromkeys(absent))

    @property
    def todo(self) -> tuple[PlannedPipeline, ...]:
        """Pipelines that will be run: those that can be, and whose rows are not in the cache."""
        return tuple(p for p in self.pipelines if p.problem is None and not p.cached)

    @property
    def frames(self) -> int:
        """Frames of the file that are shown in `spans`."""
        if self.media.video is None:
            return 0
        return sum(len(frames_in(self.media.video.clock, span)) for span in self.spans)

    @property
    def passes(self) -> int:
        """How often these frames are decoded: once for each stage that needs any."""
        return len({p.stage for p in self.todo if p.frames is not None})

    @property
    def memory(self) -> dict[str, int]:
        """Bytes by device that are needed at most, as far as it is known: all pipelines of a stage side by side."""
        most: dict[str, int] = {}
        for stage in self.stages:
            together: dict[str, int] = {}
            for planned in stage:
                if planned in self.todo:
                    device = planned.request.device
                    together[device] = together.get(device, 0) + (planned.request.memory or 0)
            most |= {device: max(size, most.get(device, 0)) for device, size in together.items()}
        return most

    def __str__(self) -> str:
        return "\n".join(described(self))


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
        entry = entry_of(catalog, name, configs.get(name))
        config = settings_of(entry, configs.get(name))
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


def planned_models(entry: PipelineEntry, config: Any, store: ModelStore) -> tuple[PlannedModel, ...]:
    """The weights a pipeline will use under these settings: see `models_of`."""
    store = entry.models(store)
    return tuple(_planned_model(entry, name, store) for name in models_of(config))


def _planned_model(entry: PipelineEntry, name: str, store: ModelStore) -> PlannedModel:
    present = store.present(name, entry.spec.models)
    spec = next((m for m in entry.spec.models if m.name == name), None)
    if spec is None:
        if not present:
            return PlannedModel(name=name, present=False)
        file = store.get(name, ())
        return PlannedModel(name=name, present=True, size=size_of(file.path), sha256=file.sha256)
    size = size_of(store.locate(spec)) if present else spec.size
    return PlannedModel(name, present, spec.source, spec.licence, size, spec.gated, spec.sha256)


def make_plan(
    catalog: Catalog,
    media: MediaInfo,
    names: Sequence[str],
    *,
    configs: Mapping[str, Any],
    store: ModelStore,
    machine: Machine,
    devices: Sequence[str],
    measured: Measured,
    isolation: Mapping[str, Isolation],
    spans: Sequence[TimeSpan] | None = None,
    precisions: Mapping[str, Precision] | None = None,
) -> Plan:
    """Plan a run. Loads nothing and imports no pipeline: reads the catalog, model files, and what was measured before.

    ``devices``: that were asked for, from `videoannotator.run.devices.check`, of ``machine``.

    Raises `PlanError`, `UnknownPipelineError`, `ConfigError`, `DeviceError`; `DataError` for a span outside the file.
    """
    found = ordered(catalog, names, configs)
    stretches = _stretches(media, spans)
    asker = Asker(media, machine, devices, measured)
    needs = {entry.spec.name: needs_of(entry.spec, config) for entry, config, _ in found}
    asked: dict[str, Precision] = {name: (precisions or {}).get(name, "exact") for name in needs}
    requests: dict[str, Request] = {}
    for stage in {stage for _, _, stage in found}:
        requests |= asker.requests(
            [
                Asked(entry.spec, config, needs[entry.spec.name], asked[entry.spec.name], entry.python)
                for entry, config, at in found
                if at == stage
            ]
        )
    planned = []
    for entry, config, stage in found:
        name = entry.spec.name
        models = planned_models(entry, config, store)
        problem = _problem(media, name, needs[name])
        told = (entry, config, needs[name], stage, requests[name])
        planned.append(PlannedPipeline(*told, models, problem, isolation.get(name), asked[name]))
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
