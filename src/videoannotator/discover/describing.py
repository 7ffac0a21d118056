"""What an environment tells of itself: ``python -m videoannotator.discover.describing``, started by `asking`.

One question comes as JSON on standard input, one answer goes as JSON to standard output. Whatever a plugin prints
when it is imported goes to standard error.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from videoannotator.data.arrow import arrow_schema
from videoannotator.data.convert import unstructure
from videoannotator.discover.catalog import installed_here, normal_name
from videoannotator.discover.config import config_of, config_schema, models_of, needs_of, plain_config
from videoannotator.discover.environments import (
    LAYOUT,
    DescribedPipeline,
    DescribedPlugin,
    DescribedRows,
    DescribedSettings,
    Description,
)
from videoannotator.discover.installed import code_places, library_versions
from videoannotator.discover.models import ModelStore
from videoannotator.discover.packing import pack_needs, pack_spec, unpack_spec
from videoannotator.discover.specs import PipelineSpec, load
from videoannotator.errors import ConfigError, PluginError, PluginLoadError

__all__ = ["main"]


def describe(question: Mapping[str, Any]) -> dict[str, Any]:
    """All about the plugins of one distribution: the one called ``distribution``, or installed from ``url``.

    Raises `PluginLoadError` when it is no plugin, or one that does not load.
    """
    wanted = _distribution(question["distribution"], question["url"])
    found = installed_here()
    for broken in found.broken:
        if broken.plugin.distribution == wanted:
            raise PluginLoadError(f"{wanted} does not load in its own environment: {broken.reason}")
    plugins = {e.plugin.name: e.plugin for e in found.entries if e.plugin.distribution == wanted}
    if not plugins:
        raise PluginLoadError(
            f"{wanted} publishes no pipeline (no entry point of the group 'videoannotator' that does)"
        )
    described = tuple(
        DescribedPlugin(
            name=plugin.name,
            distribution=plugin.distribution,
            version=plugin.version,
            missing=plugin.missing,
            libraries=library_versions([plugin.distribution]),
            formats=tuple(n for n, e in found.formats.items() if e.plugin == plugin),
            pipelines=tuple(_pipeline(e.spec) for e in found.entries if e.plugin == plugin),
        )
        for plugin in plugins.values()
    )
    description = Description(
        layout=LAYOUT,
        asked=question["asked"],
        inside=question["inside"],
        executable=question["executable"],
        sites=tuple(sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})),
        videoannotator=version("videoannotator"),
        python=platform.python_version(),
        plugins=described,
    )
    plain: dict[str, Any] = unstructure(description)
    return plain


def _distribution(name: str | None, url: str | None) -> str:
    for dist in distributions():
        found = dist.metadata["Name"]
        if name is not None and normal_name(found) == normal_name(name):
            return str(found)
        if url is not None and json.loads(dist.read_text("direct_url.json") or "{}").get("url") == url:
            return str(found)
    raise PluginLoadError(f"{name or url} was installed, but is not there")


def _pipeline(spec: PipelineSpec) -> DescribedPipeline:
    store = ModelStore()
    inside = [model for model in spec.models if model.source.startswith("package:")]
    try:
        defaults = _settings(spec, None)
    except ConfigError:  # it has settings that must be given
        defaults = None
    return DescribedPipeline(
        spec=pack_spec(spec),
        schema=None if spec.config is None else config_schema(load(spec.config)),
        defaults=defaults,
        rows={output: _rows(path) for output, path in spec.gives.items()},
        files={model.name: str(Path(store.locate(model)).absolute()) for model in inside},
        code=code_places(spec.pipeline),
    )


def _rows(path: str) -> DescribedRows:
    cls = load(path)
    schema = base64.b64encode(arrow_schema(cls).serialize().to_pybytes()).decode()
    return DescribedRows(f"{cls.__module__}:{cls.__qualname__}", schema)


def _settings(spec: PipelineSpec, given: Mapping[str, Any] | None) -> DescribedSettings:
    config = config_of(spec, given)
    return DescribedSettings(
        plain=plain_config(config), asks=pack_needs(needs_of(spec, config)), models=models_of(config)
    )


def settings(question: Mapping[str, Any]) -> dict[str, Any]:
    """The settings ``given`` for the pipeline of ``spec``, checked. Raises `ConfigError`."""
    plain: dict[str, Any] = unstructure(_settings(unpack_spec(question["spec"]), question["given"]))
    return plain


def main() -> None:
    """Answer one question."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    question = json.load(sys.stdin)
    try:
        answer = {"describe": describe, "settings": settings}[question["do"]](question)
    except (ConfigError, PluginError) as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    with answers:
        json.dump(answer, answers)


if __name__ == "__main__":
    main()
