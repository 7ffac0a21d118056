"""Environments of plugins that have one of their own: where they are, and what is known of their pipelines.

An environment is a folder ``NAME/`` in `plugins_folder`. In it lies the virtual environment, and ``environment.json``,
written when that was complete: what its own interpreter told about its pipelines (`describing`). Listing the pipelines
reads this file; it imports nothing of the plugin and starts nothing. The converter is imported when there is something
to convert: it brings NumPy, and most have no such environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
from platformdirs import user_data_path

from videoannotator.data.needs import Need
from videoannotator.discover.installed import hash_of_code
from videoannotator.discover.specs import PipelineSpec
from videoannotator.errors import DataError, PluginLoadError

__all__ = [
    "DESCRIPTION",
    "LAYOUT",
    "MARK",
    "PLUGINS_VARIABLE",
    "BrokenEnvironment",
    "DescribedPipeline",
    "DescribedPlugin",
    "DescribedRows",
    "DescribedSettings",
    "Description",
    "Environment",
    "environment_at",
    "environments",
    "plugins_folder",
    "stamp_of",
]

PLUGINS_VARIABLE = "VIDEOANNOTATOR_PLUGINS"
"""Environment variable: the folder of plugins' own environments, instead of one in the platform's data folder."""

DESCRIPTION = "environment.json"

MARK = ".videoannotator"
"""Lies in every folder that is ours: no other is ever looked into or cleared, whatever folder the user has chosen."""

LAYOUT = 2
"""Of the description. Any other is not read."""


def plugins_folder() -> Path:
    """Where plugins' own environments are: `PLUGINS_VARIABLE`, or a folder of the platform's data folder."""
    chosen = os.environ.get(PLUGINS_VARIABLE)
    return Path(chosen).absolute() if chosen else user_data_path("videoannotator", appauthor=False) / "plugins"


@attrs.frozen
class DescribedSettings:
    """Settings as the environment has checked them. ``plain``: complete; ``asks``: the needs under them, as plain data.

    ``models``: names or paths of all models that they will use.
    """

    plain: dict[str, Any]
    asks: list[dict[str, Any]]
    models: tuple[str, ...] = ()

    def needs(self) -> tuple[Need, ...]:
        """What the pipeline asks for under these settings."""
        from videoannotator.discover.packing import unpack_needs

        return unpack_needs(self.asks)


@attrs.frozen
class DescribedRows:
    """The rows of an output. ``path``: of the class that defines them. ``schema``: Arrow IPC, in base 64."""

    path: str
    schema: str


@attrs.frozen
class DescribedPipeline:
    """A pipeline of another environment.

    ``spec``: packed. ``schema``: of its settings, JSON Schema. ``defaults``: None where settings must be given.
    ``rows``: by output. ``files``: where weights that lie inside packages are, by name of the model.
    ``code``: the folders of its package.
    """

    spec: dict[str, Any]
    schema: dict[str, Any] | None
    defaults: DescribedSettings | None
    rows: dict[str, DescribedRows]
    files: dict[str, str]
    code: tuple[str, ...]

    def unpacked(self) -> PipelineSpec:
        """Its spec. Raises `DataError` and `PluginLoadError` for what is none."""
        from videoannotator.discover.packing import unpack_spec

        try:
            return unpack_spec(self.spec)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"a spec of other fields: {error}") from error


@attrs.frozen
class DescribedPlugin:
    """A plugin of another environment. ``missing``: requirements that are not there.

    ``libraries``: versions of it and of what it requires. ``formats``: names of those that it publishes.
    """

    name: str
    distribution: str
    version: str
    missing: tuple[str, ...]
    libraries: dict[str, str]
    formats: tuple[str, ...]
    pipelines: tuple[DescribedPipeline, ...]


@attrs.frozen
class Description:
    """What an environment told of itself.

    ``asked``: what the user named to have it. ``inside``: the folder of the virtual environment, beside this file.
    ``executable``: its interpreter, in that folder. ``sites``: where its distributions are. ``videoannotator``,
    ``python``: versions. ``stamp``: of what was installed when it told this; see `stamp_of`.
    """

    layout: int
    asked: str
    inside: str
    executable: str
    sites: tuple[str, ...]
    videoannotator: str
    python: str
    plugins: tuple[DescribedPlugin, ...]
    stamp: str = ""


@attrs.frozen
class Environment:
    """A plugin's own environment. ``folder``: of all that belongs to it."""

    name: str
    folder: Path
    description: Description = attrs.field(repr=False)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / self.description.inside / self.description.executable)

    @property
    def again(self) -> str:
        """The command that installs it anew."""
        return f"videoannotator plugins install {shlex.quote(self.description.asked)} --isolated"

    def problem(self) -> str | None:
        """Why its pipelines cannot be used as things are, and what to type; None when they can."""
        told, here = self.description, version("videoannotator")
        again = self.again
        if told.videoannotator != here:
            return f"its environment has videoannotator {told.videoannotator}, this is {here}. Type: {again}"
        if not Path(self.python).exists():
            return f"the interpreter of its environment is gone: {self.python}. Type: {again}"
        if stamp_of(told) != told.stamp:
            return (
                f"its environment was changed since it was described. Type: videoannotator plugins refresh {self.name}"
            )
        return None


@attrs.frozen
class BrokenEnvironment:
    """An environment whose description cannot be read. ``reason``: one sentence."""

    name: str
    folder: Path
    reason: str


def stamp_of(description: Description) -> str:
    """A hash of what is installed in an environment: names and times of its distributions, and the plugins' code."""
    told = hashlib.sha256()
    for site in sorted(description.sites):
        for info in sorted(Path(site).glob("*.dist-info")):
            record = info / "RECORD"
            time = record.stat().st_mtime_ns if record.exists() else 0
            told.update(f"{info.name}\0{time}\n".encode())
    for plugin in description.plugins:
        for pipeline in plugin.pipelines:
            told.update(hash_of_code(pipeline.code).encode())
    return told.hexdigest()


def environments() -> list[Environment | BrokenEnvironment]:
    """All that are complete, by name. What has no description yet is being made, or was given up."""
    folder = plugins_folder()
    if not folder.is_dir():
        return []
    return [
        environment_at(place)
        for place in sorted(folder.iterdir())
        if (place / MARK).is_file() and (place / DESCRIPTION).is_file()
    ]


def environment_at(folder: Path) -> Environment | BrokenEnvironment:
    """The environment in a folder."""
    from videoannotator.data.convert import structure

    again = f"Remove it and install it again: videoannotator plugins remove {folder.name}"
    try:
        plain = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return BrokenEnvironment(folder.name, folder, f"{folder / DESCRIPTION} cannot be read: {error}. {again}")
    layout = plain.get("layout") if isinstance(plain, Mapping) else None
    if layout != LAYOUT:
        reason = f"{folder / DESCRIPTION} has the layout {layout!r}, this videoannotator reads {LAYOUT}. {again}"
        return BrokenEnvironment(folder.name, folder, reason)
    try:
        description = structure(Description, plain)
        _check(description.plugins)
    except (DataError, PluginLoadError) as error:
        return BrokenEnvironment(folder.name, folder, f"{folder / DESCRIPTION} is damaged: {error}. {again}")
    return Environment(folder.name, folder, description)


def _check(plugins: Sequence[DescribedPlugin]) -> None:
    for plugin in plugins:
        for pipeline in plugin.pipelines:
            spec = pipeline.unpacked()
            if set(spec.gives) != set(pipeline.rows):
                raise DataError(f"{spec.name} gives {', '.join(spec.gives)}, described are {', '.join(pipeline.rows)}")
