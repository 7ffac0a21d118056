"""`Annotator`: pipelines, their settings and a device, ready to be given files."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.result import Result
from videoannotator.data.time import TimeSpan
from videoannotator.discover.catalog import Catalog, PipelineEntry, catalog
from videoannotator.discover.hashing import known_sha256
from videoannotator.discover.models import ModelStore
from videoannotator.errors import CacheError, ConfigError, DataError, PipelineError, PlanError, nearest
from videoannotator.run.cache import ResultCache
from videoannotator.run.control import Control
from videoannotator.run.devices import DeviceOption, check
from videoannotator.run.estimating import estimated_seconds
from videoannotator.run.events import Event, Failed, Finished, Notice, Progress
from videoannotator.run.identity import probed
from videoannotator.run.isolation.choice import IsolationOption, isolation_of
from videoannotator.run.keys import keys_of
from videoannotator.run.measured import Measured
from videoannotator.run.plan import Plan, PlannedPipeline, make_plan, ordered, planned_models
from videoannotator.run.precision import PrecisionOption, precisions_of
from videoannotator.run.progress import Bar, ProgressOption
from videoannotator.run.resources import ResourceManager, shared_resources
from videoannotator.run.runner import Run

__all__ = ["Annotator"]

_log = logging.getLogger(__name__)

Spans = Sequence[TimeSpan | tuple[float, float]]
"""Stretches of time, as `TimeSpan` or ``(start, end)`` in seconds."""


class Annotator:
    """Runs pipelines over files.

    ``pipelines``: names; ``None`` takes every installed pipeline whose models are on this disk (`left_out` says which
    were not taken, and why).
    ``config``: settings by pipeline name, as plain values or as the pipeline's config object.
    ``device``: ``"auto"``, ``"cpu"``, ``"cuda"`` (every card), ``"cuda:1"``, ``"mps"``, or a list of these without
    ``"auto"``: pipelines are spread over several cards.
    ``download``: may models that are not on this disk be fetched? By default yes for pipelines named in
    ``pipelines`` (naming one is consent to the download its plan announces), and no otherwise. Never gated ones.
    ``cache``: take results from the cache where the same question was answered before, and keep new ones there
    (True), do neither (False), or use this `ResultCache`. The question is the content of the file, the spans, and the
    pipeline with its version, code, weights and settings, and with those of the pipelines it reads. What a run has
    so far is kept there, too, every few seconds: one that was killed, cancelled or has failed goes on there when the
    same is asked again, and its result is that of a run that was not disturbed.
    ``catalog``: what to choose from; by default everything installed.
    ``isolation``: ``"process"`` runs every pipeline in a process of its own, ``{"laion_face": "process"}`` those that
    are named: for libraries that crash or never give memory back. The rows are the same. A process that ends by itself,
    or says nothing for ``isolation_timeout`` seconds, is a `Failure` of its pipeline, and the others go on. A pipeline
    that is installed in an environment of its own always runs in a process of that.
    ``precision``: ``"exact"``: every pipeline gives the numbers its reference tool gives on this device, and on the
    processor the same bits whenever it is done again. ``"fast"``: those that have something faster (a smaller number
    type, another memory layout or engine) may differ from that by a little; the plan says which, and the provenance
    what they did. By pipeline name, too: ``{"person_tracking": "fast"}``; those that are not named are exact.
    ``lease_timeout``: seconds that a pipeline waits for memory of a device which others hold, in this process or
    another one; then it is a `Failure` that says who has it.
    ``resources``: who gives out devices and keeps loaded models from one run to the next; by default one for the whole
    process, so that no model is there twice. `close` gives up those that no other `Annotator` has used.

    Raises `UnknownPipelineError`, `ConfigError` (before any model is loaded), `PlanError`, `DeviceError`.

    >>> settings = {"scene_detection": {"threshold": 30.0}}
    >>> with Annotator(["scene_detection"], config=settings) as annotator:  # doctest: +SKIP
    ...     result = annotator.annotate("session01.mp4")
    """

    def __init__(
        self,
        pipelines: Sequence[str] | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        device: DeviceOption = "auto",
        download: bool | None = None,
        cache: bool | ResultCache = True,
        catalog: Catalog | None = None,
        isolation: IsolationOption = None,
        isolation_timeout: float = 300.0,
        precision: PrecisionOption = "exact",
        lease_timeout: float = 3600.0,
        resources: ResourceManager | None = None,
    ) -> None:
        if isinstance(pipelines, str):
            raise PlanError(f"pipelines is a list of names: [{pipelines!r}]")
        self.catalog = catalog if catalog is not None else _installed()
        self._cache = _cache_of(cache)
        self._store = ModelStore(download=pipelines is not None if download is None else download)
        self._devices = check(device)
        if not lease_timeout >= 0:
            raise ConfigError(f"lease_timeout is a number of seconds, 0 or more, got {lease_timeout!r}")
        self._lease_timeout = lease_timeout
        self._resources = resources if resources is not None else shared_resources()
        self._config = dict(config or {})
        self.left_out: dict[str, str] = {}
        self.pipelines = tuple(dict.fromkeys(pipelines)) if pipelines is not None else self._ready()
        entries = {e.spec.name: e for e, _, _ in ordered(self.catalog, self.pipelines, self._config)}
        chosen = list(entries)
        for name in self._config:
            if name not in chosen and name not in self.left_out:
                raise ConfigError(f"{name}: settings for a pipeline that does not run{nearest(name, chosen)}")
        self._isolation = isolation_of(isolation, isolation_timeout, entries)
        self._precisions = precisions_of(precision, chosen)
        self._user = object()
        self._leave = weakref.finalize(self, self._resources.models.leave, self._user)
        self._running: set[Control] = set()
        self._closed = False

    def _ready(self) -> tuple[str, ...]:
        """Installed pipelines whose models, and those of the pipelines they need, are on this disk."""
        ready = []
        for name in self.catalog.pipelines:
            reasons = [
                reason
                for entry, settings, _ in ordered(self.catalog, [name], self._config)
                if (reason := self._absent(entry, settings))
            ]
            if reasons:
                self.left_out[name] = "; ".join(reasons)
            else:
                ready.append(name)
        return tuple(ready)

    def _absent(self, entry: PipelineEntry, settings: Any) -> str | None:
        if entry.plugin.missing:
            return f"not installed: {', '.join(entry.plugin.missing)}"
        models = planned_models(entry, settings, self._store)
        absent = [str(model) for model in models if not model.present]
        if not absent or self._store.download:
            return None
        return f"its model{'s are' if len(absent) > 1 else ' is'} not on this disk: {'; '.join(absent)}"

    def plan(
        self,
        path: str | PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
        spans: Spans | None = None,
    ) -> Plan:
        """What a run would do: pipelines, order, frames, models, memory, time, what the cache has. Print it.

        Nothing is loaded or fetched. Where results are kept, the file is read for its hash, unless that is remembered.
        ``start``, ``end``: seconds on the file's clock. ``spans``: several stretches, ``[(0, 10), (60, 70)]``, instead.
        Raises `MediaError` and `DataError`.
        """
        self._open()
        media = probed(path)
        measured = Measured()
        plan = make_plan(
            self.catalog,
            media,
            self.pipelines,
            configs={n: c for n, c in self._config.items() if n not in self.left_out},
            store=self._store,
            machine=self._resources.machine,
            devices=self._devices,
            measured=measured,
            isolation=self._isolation,
            precisions=self._precisions,
            spans=_asked(media, start, end, spans),
        )
        plan = attrs.evolve(plan, pipelines=tuple(self._marked(plan)))
        return attrs.evolve(plan, seconds=estimated_seconds(plan, measured))

    def _marked(self, plan: Plan) -> Iterator[PlannedPipeline]:
        """The pipelines of a plan, told which of them the cache has."""
        keys = {}
        if self._cache is not None and self._cache.folder.is_dir():  # where nothing was ever kept, no hash is needed
            keys = keys_of(plan, known_sha256(Path(plan.media.path)), attrs.evolve(self._store, download=False))
        for planned in plan.pipelines:
            key = keys.get(planned.name)
            yield attrs.evolve(planned, cached=key is not None and self._cache is not None and self._cache.has(key))

    def stream(
        self,
        path: str | PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
        spans: Spans | None = None,
    ) -> Iterator[Event]:
        """Run, and give what happens as it happens: progress, rows, failures, and at last `Finished` with the result.

        Closing the iterator cancels the run. Raises `MediaError` before the first event when the file cannot be opened.
        """
        plan = self.plan(path, start=start, end=end, spans=spans)
        return self._events(plan)

    def _events(self, plan: Plan) -> Iterator[Event]:
        control = Control()
        self._running.add(control)
        try:
            told = (plan, self._store, control, self._cache, self._resources, self._user, self._lease_timeout)
            yield from Run(*told).events()
        finally:
            self._running.discard(control)

    def annotate(
        self,
        path: str | PathLike[str],
        *,
        start: float | None = None,
        end: float | None = None,
        spans: Spans | None = None,
        progress: ProgressOption = True,
        on_error: Literal["record", "raise"] = "record",
    ) -> Result:
        """Run all pipelines over a file, over ``[start, end)`` seconds of it, or over each of ``spans``.

        Each span is looked at for itself: what was seen in one says nothing about the next, so shots end where a
        span does and nobody is tracked across a gap (ids are not used twice). A pipeline without memory gives the
        rows that it gives for the whole file.

        ``progress``: True shows a bar, False nothing, a callable is given `Progress` values.
        ``on_error``: what to do when a pipeline fails: ``"record"`` a `Failure` in the result and go on, or
        ``"raise"`` a `PipelineError` and stop.

        Raises `MediaError` when the file cannot be opened, `CancelledError` after `cancel`.
        """
        if on_error not in ("record", "raise"):
            raise ConfigError(f"on_error is 'record' or 'raise', got {on_error!r}")
        events = self.stream(path, start=start, end=end, spans=spans)
        with Bar(progress, str(path)) as bar:
            for event in events:
                if isinstance(event, Progress):
                    bar.show(event)
                elif isinstance(event, Notice):
                    bar.tell(f"{event.pipeline}: {event.message}")
                elif isinstance(event, Failed) and on_error == "raise":
                    events.close()  # type: ignore[attr-defined]  # a generator; stops every thread of the run
                    raise PipelineError(event.failure)
                elif isinstance(event, Finished):
                    return event.result
        raise PlanError("the run ended without a result; this is a fault of videoannotator, please report it")

    def cancel(self) -> None:
        """Stop every run of this annotator, from any thread; each raises `CancelledError` within a batch."""
        for control in tuple(self._running):
            control.cancel()

    def pause(self) -> None:
        """Hold every run of this annotator after the batch at hand, from any thread, until `go_on`."""
        for control in tuple(self._running):
            control.pause()

    def go_on(self) -> None:
        """Take up again what `pause` held."""
        for control in tuple(self._running):
            control.go_on()

    def close(self) -> None:
        """Stop what runs, take no more files, and give up the models that nobody else has used, with their memory."""
        self.cancel()
        self._closed = True
        self._leave()

    def _open(self) -> None:
        if self._closed:
            raise PlanError("this Annotator is closed; make a new one")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Annotator({list(self.pipelines)!r}, device={self._devices!r})"


def _cache_of(choice: bool | ResultCache) -> ResultCache | None:
    if not isinstance(choice, bool):
        return choice
    try:
        return ResultCache() if choice else None
    except CacheError as error:  # nobody named a folder, and results can be had without one
        _log.warning("results are not kept: %s", error)
        return None


def _asked(
    media: MediaInfo, start: float | None, end: float | None, spans: Spans | None
) -> tuple[TimeSpan, ...] | None:
    """The stretches of time that were asked for; None for the whole file."""
    if spans is not None:
        if start is not None or end is not None:
            raise DataError("give start and end, or spans, not both")
        return tuple(span if isinstance(span, TimeSpan) else TimeSpan(*span) for span in spans)
    if start is None and end is None:
        return None
    first = 0.0 if start is None else start
    last = media.duration if end is None else end
    if not 0 <= first < last:
        raise DataError(
            f"start={start}, end={end}: nothing of {media.path} lies there; it is {media.duration:.3f} s long"
        )
    return (TimeSpan(first, last),)


def _installed() -> Catalog:
    return catalog()
