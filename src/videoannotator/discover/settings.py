"""Settings of the pipelines of a catalog, wherever they live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.data.convert import unstructure
from videoannotator.discover.asking import ask_settings
from videoannotator.discover.catalog import PipelineEntry
from videoannotator.discover.config import config_of, config_schema
from videoannotator.discover.specs import load
from videoannotator.errors import ConfigError

__all__ = ["schema_of", "settings_of"]


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
