"""The catalog: every plugin that is installed, what it publishes, and what failed to load.

Loading is isolated: a plugin that cannot be imported, or declares nonsense, is listed in `Catalog.broken` with
its reason and the others work. Two things raise, since going on would mean guessing: two plugins that publish
the same name, and a plugin that implements a hook that does not exist (a misspelt one).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from typing import Any

import attrs
import pluggy

from videoannotator.discover import hooks
from videoannotator.discover.known import how_to_install
from videoannotator.discover.specs import FormatSpec, PipelineSpec
from videoannotator.errors import NameClashError, PluginLoadError, UnknownFormatError, UnknownPipelineError, nearest

__all__ = ["BLOCK_VARIABLE", "BrokenPlugin", "Catalog", "FormatEntry", "PipelineEntry", "catalog"]

BLOCK_VARIABLE = "VIDEOANNOTATOR_BLOCK_PLUGINS"
"""Environment variable: plugins not to load, by entry point or distribution name, separated by commas."""


@attrs.frozen
class Plugin:
    """An installed plugin. ``name``: of the entry point. ``missing``: its requirements that are not installed."""

    name: str
    distribution: str
    version: str
    missing: tuple[str, ...] = ()


@attrs.frozen
class PipelineEntry:
    """A pipeline and the plugin that publishes it."""

    spec: PipelineSpec
    plugin: Plugin


@attrs.frozen
class FormatEntry:
    """A file format and the plugin that publishes it."""

    spec: FormatSpec
    plugin: Plugin


@attrs.frozen
class BrokenPlugin:
    """A plugin that is installed and did not load. ``reason``: one sentence."""

    plugin: Plugin
    reason: str


@attrs.frozen
class Catalog:
    """What is installed. `catalog` makes it."""

    pipelines: Mapping[str, PipelineEntry]
    formats: Mapping[str, FormatEntry]
    broken: tuple[BrokenPlugin, ...] = ()

    def pipeline(self, name: str) -> PipelineEntry:
        """The pipeline called ``name``. Raises `UnknownPipelineError` that says how to get it, or what is near."""
        if name in self.pipelines:
            return self.pipelines[name]
        for broken in self.broken:
            if name == broken.plugin.name:
                raise UnknownPipelineError(f"the plugin of {name!r} is installed but did not load: {broken.reason}")
        command = how_to_install(name)
        if command:
            raise UnknownPipelineError(f"the pipeline {name!r} is not installed: {command}")
        raise UnknownPipelineError(
            f"no pipeline {name!r}{nearest(name, self.pipelines)}; installed: {', '.join(self.pipelines)}"
        )

    def format(self, name: str) -> FormatEntry:
        """The format called ``name``. Raises `UnknownFormatError` with what is near."""
        if name not in self.formats:
            raise UnknownFormatError(
                f"no format {name!r}{nearest(name, self.formats)}; installed: {', '.join(self.formats)}"
            )
        return self.formats[name]


def _blocked(block: Iterable[str]) -> set[str]:
    named = [*block, *os.environ.get(BLOCK_VARIABLE, "").split(",")]
    return {_normal(name) for name in named if name.strip()}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _missing(dist: Distribution) -> tuple[str, ...]:
    """Requirements that are not installed; those behind a marker (extras, platforms) are not judged."""
    missing = []
    for requirement in dist.requires or []:
        named = re.match(r"[A-Za-z0-9._-]+", requirement)
        if named is None or ";" in requirement:
            continue
        try:
            distribution(named.group())
        except PackageNotFoundError:
            missing.append(requirement)
    return tuple(missing)


def _entry_points() -> list[tuple[EntryPoint, Plugin]]:
    """Every entry point of our group, one per distribution and name, in the order of names."""
    found: dict[tuple[str, str], tuple[EntryPoint, Plugin]] = {}
    for dist in distributions():
        for entry in dist.entry_points:
            if entry.group == hooks.PROJECT:
                name = dist.metadata["Name"]
                # the first on sys.path wins, as it does for imports
                found.setdefault((name, entry.name), (entry, Plugin(entry.name, name, dist.version, _missing(dist))))
    return [found[key] for key in sorted(found)]


def catalog(block: Iterable[str] = ()) -> Catalog:
    """List what is installed, without importing any pipeline's code.

    ``block``: plugins not to load, by entry point or distribution name; `BLOCK_VARIABLE` adds to them.
    Raises `NameClashError` and, for a misspelt hook, `PluginLoadError`.
    """
    blocked = _blocked(block)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    broken: list[BrokenPlugin] = []
    loaded: list[tuple[Any, Plugin]] = []
    for entry, plugin in _entry_points():
        if blocked & {_normal(plugin.name), _normal(plugin.distribution)}:
            continue
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: whatever a plugin does at import stays its own
            broken.append(BrokenPlugin(plugin, _reason(error)))
            continue
        manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
        loaded.append((module, plugin))
    _refuse_misspelt(manager)
    pipelines: dict[str, PipelineEntry] = {}
    formats: dict[str, FormatEntry] = {}
    for module, plugin in loaded:
        others = [m for m, _ in loaded if m is not module]
        try:
            specs = _published(manager, "videoannotator_pipelines", others, PipelineSpec)
            kinds = _published(manager, "videoannotator_formats", others, FormatSpec)
        except Exception as error:  # noqa: BLE001 - the border: a plugin that cannot say what it has is broken, not we
            broken.append(BrokenPlugin(plugin, _reason(error)))
            continue
        for spec in specs:
            _refuse_clash("pipeline", spec.name, pipelines, plugin)
            pipelines[spec.name] = PipelineEntry(spec, plugin)
        for kind in kinds:
            _refuse_clash("format", kind.name, formats, plugin)
            formats[kind.name] = FormatEntry(kind, plugin)
    return Catalog(dict(sorted(pipelines.items())), dict(sorted(formats.items())), tuple(broken))


def _published(manager: pluggy.PluginManager, hook: str, others: list[Any], kind: type[Any]) -> list[Any]:
    answers = manager.subset_hook_caller(hook, remove_plugins=others)()
    published = [item for answer in answers for item in answer]
    for item in published:
        if not isinstance(item, kind):
            raise PluginLoadError(f"{hook} must give a list of {kind.__name__}, it gives {item!r}")
    return published


def _reason(error: BaseException) -> str:
    if isinstance(error, PluginLoadError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _refuse_misspelt(manager: pluggy.PluginManager) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = [name for name in vars(hooks) if name.startswith("videoannotator_")]
        raise PluginLoadError(
            f"a plugin implements a hook that does not exist: {error}. Hooks: {', '.join(known)}. "
            f"Correct it, or block the plugin with {BLOCK_VARIABLE}"
        ) from error


def _refuse_clash(what: str, name: str, taken: Mapping[str, Any], plugin: Plugin) -> None:
    if name in taken:
        first = taken[name].plugin
        raise NameClashError(
            f"two plugins publish the {what} {name!r}: {first.distribution} {first.version} and {plugin.distribution} "
            f"{plugin.version}. Uninstall one, or block it: {BLOCK_VARIABLE}={plugin.distribution}"
        )
