"""The catalog: every plugin that is installed, what it publishes, and what failed to load.

Loading is isolated: a plugin that cannot be imported, or declares nonsense, is listed in `Catalog.broken` with
its reason and the others work. Two things raise, since going on would mean guessing: two plugins that publish
the same name, and a plugin that implements a hook that does not exist (a misspelt one).

A plugin in an environment of its own is not loaded: what it publishes was written down when it was installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from typing import TYPE_CHECKING, Any, NoReturn

import attrs
import pluggy

from videoannotator.discover import hooks
from videoannotator.discover.environments import DescribedPipeline, Environment, environments
from videoannotator.discover.known import how_to_install
from videoannotator.discover.specs import FormatSpec, PipelineSpec
from videoannotator.errors import NameClashError, PluginLoadError, UnknownFormatError, UnknownPipelineError, nearest

if TYPE_CHECKING:
    from videoannotator.discover.models import ModelStore

__all__ = [
    "BLOCK_VARIABLE",
    "BrokenPlugin",
    "Catalog",
    "FormatEntry",
    "PipelineEntry",
    "Plugin",
    "catalog",
    "entries_of",
    "installed_here",
    "normal_name",
    "place_of",
    "plugins_here",
]

BLOCK_VARIABLE = "VIDEOANNOTATOR_BLOCK_PLUGINS"
"""Environment variable: plugins not to load, by entry point or distribution name, separated by commas.

It speaks of those installed here; ``isolated:NAME`` of one in an environment of its own.
"""


@attrs.frozen
class Plugin:
    """An installed plugin. ``name``: of the entry point. ``missing``: its requirements that are not installed."""

    name: str
    distribution: str
    version: str
    missing: tuple[str, ...] = ()


@attrs.frozen
class PipelineEntry:
    """A pipeline and the plugin that publishes it.

    ``environment``: where it lives; None for this one. ``described``: what that environment told of it.
    """

    spec: PipelineSpec
    plugin: Plugin
    environment: Environment | None = None
    described: DescribedPipeline | None = attrs.field(default=None, repr=False)

    @property
    def python(self) -> str | None:
        """The interpreter of its own environment; None in this one."""
        return None if self.environment is None else self.environment.python

    @property
    def importable(self) -> Mapping[str, str] | None:
        """`PipelineSpec.gives`, where these classes may be imported here; None for another environment's."""
        return self.spec.gives if self.environment is None else None

    @property
    def libraries(self) -> dict[str, str]:
        """Versions of what its plugin requires in an environment of its own; empty in this one."""
        if self.environment is None:
            return {}
        plugins = self.environment.description.plugins
        return next((dict(p.libraries) for p in plugins if p.name == self.plugin.name), {})

    def models(self, store: ModelStore) -> ModelStore:
        """``store``, as this pipeline sees it: weights that come inside packages are those of its environment."""
        return store if self.described is None else attrs.evolve(store, places=self.described.files)


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
    """What is installed. `catalog` makes it.

    ``pipelines``: by name, the one that is used where no backend is chosen. ``others``: further backends of them.
    """

    pipelines: Mapping[str, PipelineEntry]
    formats: Mapping[str, FormatEntry]
    broken: tuple[BrokenPlugin, ...] = ()
    others: tuple[PipelineEntry, ...] = ()

    @classmethod
    def of(
        cls,
        entries: Iterable[PipelineEntry],
        formats: Mapping[str, FormatEntry] | None = None,
        broken: Iterable[BrokenPlugin] = (),
    ) -> Catalog:
        """A catalog of these pipelines. Raises `NameClashError` for two of one name and backend, or without any."""
        taken: dict[tuple[str, str], PipelineEntry] = {}
        for entry in entries:
            key = (entry.spec.name, entry.spec.backend or "")
            if key in taken:
                _clash(taken[key], entry)
            taken[key] = entry
        first: dict[str, PipelineEntry] = {}
        for (name, _), entry in sorted(taken.items(), key=lambda item: item[0]):  # without a backend comes first
            first.setdefault(name, entry)
        others = tuple(
            entry for _, entry in sorted(taken.items(), key=lambda item: item[0]) if entry not in first.values()
        )
        return cls(first, formats or {}, tuple(broken), others)

    @property
    def entries(self) -> tuple[PipelineEntry, ...]:
        """Every pipeline that is installed, with all its backends, by name; the one used without a choice first."""
        return tuple(entry for name in self.pipelines for entry in self.backends(name))

    def backends(self, name: str) -> tuple[PipelineEntry, ...]:
        """All of one name that are installed, the one used without a choice first; empty for an unknown name."""
        first = (self.pipelines[name],) if name in self.pipelines else ()
        return first + tuple(entry for entry in self.others if entry.spec.name == name)

    def pipeline(self, name: str) -> PipelineEntry:
        """The pipeline called ``name``; of several backends, the one used without a choice.

        Raises `UnknownPipelineError` that says how to get it, or what is near.
        """
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
    return {normal_name(name) for name in named if name.strip()}


def normal_name(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
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
    """List what is installed, here and in environments of plugins' own, without importing any pipeline's code.

    ``block``: plugins not to load, by entry point or distribution name; `BLOCK_VARIABLE` adds to them.
    Raises `NameClashError` and, for a misspelt hook, `PluginLoadError`.
    """
    blocked = _blocked(block)
    here = installed_here(block)
    pipelines, broken = list(here.entries), list(here.broken)
    for found in environments():
        if not isinstance(found, Environment):
            if not _is_blocked(blocked, found.name):
                broken.append(BrokenPlugin(Plugin(found.name, found.name, "unknown"), found.reason))
            continue
        problem = found.problem()
        for plugin, entries in entries_of(found):
            if _is_blocked(blocked, found.name, plugin.name, plugin.distribution):
                continue
            if problem is not None:
                broken.append(BrokenPlugin(plugin, problem))
                continue
            pipelines += entries
    return Catalog.of(pipelines, here.formats, broken)


def _is_blocked(blocked: set[str], *names: str) -> bool:
    return any(normal_name(f"isolated:{name}") in blocked for name in names)


def entries_of(found: Environment) -> Iterator[tuple[Plugin, list[PipelineEntry]]]:
    """The plugins of an environment, each with its pipelines."""
    for told in found.description.plugins:
        plugin = Plugin(told.name, told.distribution, told.version, told.missing)
        yield plugin, [PipelineEntry(d.unpacked(), plugin, found, d) for d in told.pipelines]


def plugins_here() -> list[Plugin]:
    """The plugins of this environment, by the names they are installed under; none is loaded."""
    return [plugin for _, plugin in _entry_points()]


def installed_here(block: Iterable[str] = ()) -> Catalog:
    """What is installed in the environment of this interpreter; see `catalog`."""
    blocked = _blocked(block)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    broken: list[BrokenPlugin] = []
    loaded: list[tuple[Any, Plugin]] = []
    for entry, plugin in _entry_points():
        if blocked & {normal_name(plugin.name), normal_name(plugin.distribution)}:
            continue
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: whatever a plugin does at import stays its own
            broken.append(BrokenPlugin(plugin, _reason(error)))
            continue
        manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
        loaded.append((module, plugin))
    _refuse_misspelt(manager)
    pipelines: list[PipelineEntry] = []
    formats: dict[str, FormatEntry] = {}
    for module, plugin in loaded:
        others = [m for m, _ in loaded if m is not module]
        try:
            specs = _published(manager, "videoannotator_pipelines", others, PipelineSpec)
            kinds = _published(manager, "videoannotator_formats", others, FormatSpec)
        except Exception as error:  # noqa: BLE001 - the border: a plugin that cannot say what it has is broken, not we
            broken.append(BrokenPlugin(plugin, _reason(error)))
            continue
        pipelines += [PipelineEntry(spec, plugin) for spec in specs]
        for kind in kinds:
            file_format = FormatEntry(kind, plugin)
            if kind.name in formats:
                _clash(formats[kind.name], file_format)
            formats[kind.name] = file_format
    return Catalog.of(pipelines, dict(sorted(formats.items())), broken)


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


def _clash(one: PipelineEntry | FormatEntry, other: PipelineEntry | FormatEntry) -> NoReturn:
    """Raise `NameClashError`, with the ways out of it, for two that publish the same."""
    what = f"format {one.spec.name!r}"
    if isinstance(one, PipelineEntry):
        backend = f" with the backend {one.spec.backend!r}" if one.spec.backend else ""
        what = f"pipeline {one.spec.name!r}{backend}"
    first, second = place_of(one), place_of(other)
    raise NameClashError(
        f"two plugins publish the {what}: {first.named} and {second.named}. Uninstall one "
        f"({first.remove}; or {second.remove}), or block it: {BLOCK_VARIABLE}={second.block}"
    )


@attrs.frozen
class Place:
    """How to speak of a plugin. ``remove``: the command that does. ``block``: what to put into `BLOCK_VARIABLE`."""

    named: str
    remove: str
    block: str


def place_of(entry: PipelineEntry | FormatEntry) -> Place:
    """How to speak of the plugin of an entry."""
    plugin = entry.plugin
    named = f"{plugin.distribution} {plugin.version}"
    home = entry.environment if isinstance(entry, PipelineEntry) else None
    if home is None:
        return Place(named, f"pip uninstall {plugin.distribution}", plugin.distribution)
    return Place(
        f"{named} in its own environment", f"videoannotator plugins remove {home.name}", f"isolated:{home.name}"
    )
