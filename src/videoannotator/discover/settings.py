"""Settings of the pipelines of a catalog, wherever they live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.data.convert import unstructure
from videoannotator.discover.asking import ask_settings
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.config import config_of, config_schema
from videoannotator.discover.known import how_to_install
from videoannotator.discover.specs import load
from videoannotator.errors import ConfigError, UnknownPipelineError, nearest

__all__ = ["entry_of", "schema_of", "settings_of"]


def entry_of(catalog: Catalog, name: str, given: Any = None) -> PipelineEntry:
    """The pipeline ``name`` with the backend that the setting ``backend`` in ``given`` chooses, if it does.

    Raises `UnknownPipelineError` with what there is, and how to have a backend that is not installed.
    """
    first = catalog.pipeline(name)
    backend = given.get("backend") if isinstance(given, Mapping) else getattr(given, "backend", None)
    if not isinstance(backend, str):
        return first
    every = catalog.backends(name)
    for entry in every:
        if entry.spec.backend == backend or (entry.spec.backend is None and backend in _backends_in(entry)):
            return entry
    command = how_to_install(name, backend)
    if len(every) == 1 and first.spec.backend is None and command is None:
        return first  # it is no name of a backend; its settings say what may stand there
    there = [
        other for entry in every for other in ([entry.spec.backend] if entry.spec.backend else _backends_in(entry))
    ]
    raise UnknownPipelineError(
        f"{name} is not installed with the backend {backend!r}{nearest(backend, there)}; installed: "
        f"{', '.join(there) or 'one without a name'}" + (f". Type: {command}" if command else "")
    )


def _backends_in(entry: PipelineEntry) -> list[str]:
    """What the setting ``backend`` of a pipeline may be; for the one that is used without a choice."""
    properties: Mapping[str, Any] = (schema_of(entry) or {}).get("properties", {})
    return [value for value in properties.get("backend", {}).get("enum", ()) if isinstance(value, str)]


def settings_of(entry: PipelineEntry, given: Any = None) -> Any:
    """The settings of a pipeline: defaults, overridden by ``given``; see `config_of`.

    Those of a pipeline in an environment of its own are checked by that, in a short process, and given back as
    `DescribedSettings`; its defaults are known without one. Raises `ConfigError`, and `PluginLoadError` when the
    environment cannot answer.
    """
    described, environment = entry.described, entry.environment
    if described is None or environment is None:
        return config_of(entry.spec, given)
    if given is not None and attrs.has(type(given)):  # the config object of a class that is here, too
        given = unstructure(given)
    if not given and described.defaults is not None:
        return described.defaults
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"{entry.spec.name}: settings are a mapping, got {given!r}")
    return ask_settings(environment.python, environment.description.stamp, described.spec, given or {})


def schema_of(entry: PipelineEntry) -> dict[str, Any] | None:
    """The settings of a pipeline as JSON Schema, None where it has none. Raises `PluginLoadError`."""
    if entry.described is not None:
        return entry.described.schema
    return None if entry.spec.config is None else config_schema(load(entry.spec.config))
