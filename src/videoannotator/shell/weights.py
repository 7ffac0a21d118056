"""``videoannotator models``: the weights that installed pipelines declare; fetching them."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from videoannotator.discover.catalog import Catalog, PipelineEntry, catalog
from videoannotator.discover.config import models_of
from videoannotator.discover.known import how_to_install
from videoannotator.discover.models import ModelStore, size_of
from videoannotator.discover.readiness import describe_model
from videoannotator.discover.settings import entry_of, settings_of
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import (
    ConfigError,
    MissingDependencyError,
    ModelError,
    ModelMissingError,
    PluginLoadError,
    UsageError,
    nearest,
)
from videoannotator.shell.main import Exit
from videoannotator.shell.speaking import give, say

if TYPE_CHECKING:
    from videoannotator.run.plan import Plan

__all__ = ["Declared", "declared", "fetch_for", "fetch_models", "list_models", "print_path", "used_by_default"]

_RESTRICTED = re.compile(r"non[- ]?commercial|\bNC\b|research", re.IGNORECASE)


@attrs.frozen
class Declared:
    """A model as one pipeline declares it. ``store``: as that pipeline sees it."""

    entry: PipelineEntry
    spec: ModelSpec
    store: ModelStore

    @property
    def present(self) -> bool:
        """Whether it is on this disk."""
        return self.store.present(self.spec.name, (self.spec,))

    @property
    def plain(self) -> dict[str, Any]:
        """What the list says of it."""
        path = self.store.locate(self.spec)
        return {
            "name": self.spec.name,
            "pipeline": _called(self.entry),
            "size": size_of(path) if self.present else self.spec.size,
            "licence": self.spec.licence,
            "gated": self.spec.gated,
            "on_disk": self.present,
            "path": str(path),
            "source": self.spec.source,
        }


def _called(entry: PipelineEntry) -> str:
    """The name of a pipeline, with that of its backend if it has one: ``person_tracking:rtmlib``."""
    return entry.spec.name + (f":{entry.spec.backend}" if entry.spec.backend else "")


def declared(entries: Sequence[PipelineEntry]) -> Iterator[Declared]:
    """Every model of these pipelines."""
    store = ModelStore(download=True, bars=sys.stderr.isatty())
    for entry in entries:
        for spec in entry.spec.models:
            yield Declared(entry, spec, entry.models(store))


def used_by_default(entry: PipelineEntry) -> tuple[str, ...]:
    """Models that a pipeline uses without further settings; none where it cannot be told."""
    try:
        return models_of(settings_of(entry))
    except (ConfigError, PluginLoadError):  # settings that must be given; or it does not load, which is said elsewhere
        return ()


def list_models(pipelines: Sequence[str], *, as_json: bool) -> int:
    """One line for each model. Raises `UnknownPipelineError`."""
    import json

    found = catalog()
    for name in pipelines:
        _of_backend(found, name)
    chosen = [e for e in found.entries if not pipelines or {e.spec.name, _called(e)} & set(pipelines)]
    told = [one.plain for one in declared(chosen)]
    if as_json:
        give(json.dumps(told, indent=2))
        return Exit.WELL
    for one in told:
        size = "size not declared" if one["size"] is None else f"{one['size'] / 1e6:.1f} MB"
        where = "on disk" if one["on_disk"] else "gated" if one["gated"] else "not on disk"
        give("\t".join((one["name"], one["pipeline"], size, one["licence"], where, one["path"])))
    here = sum(bool(one["on_disk"]) for one in told)
    say(f"{here} of {len(told)} models are on this disk; the others: videoannotator models fetch NAME")
    return Exit.WELL


def fetch_models(names: Sequence[str], *, every: bool) -> int:
    """Fetch what is named, and print the paths. Returns the exit code: failed when one of them could not be had.

    Raises `UsageError` and `UnknownPipelineError` for what is neither a pipeline nor a model.
    """
    if not names:
        raise UsageError("name pipelines or models; see: videoannotator models list")
    found = catalog()
    wanted: dict[str, Declared] = {}
    for name in names:
        for one in _named(found, name, every=every):
            wanted.setdefault(str(one.store.locate(one.spec)), one)
    failed = False
    for one in wanted.values():
        try:
            give(_fetch(one))
        except (ModelError, MissingDependencyError) as error:
            say(error)
            failed = True
    return Exit.FAILED if failed else Exit.WELL


def fetch_for(plan: Plan, tried: set[str]) -> None:
    """Fetch what the pipelines that are to run lack, as `fetch_models` does: before a run shows how far it is.

    ``tried``: names of models, which grows; these are left to the run. What cannot be had is left to it, too: there it
    is a failure of the pipelines that need it, with the reason, and the others go on.
    """
    for planned in plan.todo:
        absent = {model.name for model in planned.models if not model.present}
        for one in declared([planned.entry]):
            if one.spec.name in absent - tried and not one.present and one.store.may_fetch(one.spec):
                tried.add(one.spec.name)
                with contextlib.suppress(ModelError, MissingDependencyError):
                    _fetch(one)


def _fetch(one: Declared) -> str:
    """Where the model lies, fetched if it was not there; says on standard error what is done, and the licence."""
    spec = one.spec
    if not one.present:
        say(f"fetching {describe_model(spec)}")
    if _RESTRICTED.search(spec.licence):
        say(f"{spec.name}: its licence, {spec.licence}, restricts what it may be used for; read it before you do")
    if spec.gated and not one.present:
        say(f"{spec.name} is given to those who have accepted the terms of its owner")
    file = one.store.get(spec.name, (spec,))
    checked = "hash as declared" if spec.sha256 else "no hash is declared"
    say(f"{spec.name}: {size_of(file.path) / 1e6:.1f} MB, {checked}, SHA-256 {file.sha256}; licence {spec.licence}")
    return str(file.path)


def _named(found: Catalog, name: str, *, every: bool) -> list[Declared]:
    if name.partition(":")[0] in found.pipelines:
        entry = _of_backend(found, name)
        chosen = [one for one in declared([entry]) if every or one.spec.name in used_by_default(entry)]
        if not chosen:
            say(
                f"{name} uses no model that could be fetched"
                + ("" if every else " without further settings; see --all")
            )
        return chosen
    return [_model(found, name)]


def _of_backend(found: Catalog, name: str) -> PipelineEntry:
    """The pipeline called ``name`` or ``name:backend``. Raises `UnknownPipelineError` and `ConfigError`."""
    pipeline, _, backend = name.partition(":")
    if not backend:
        return found.pipeline(pipeline)
    entry = entry_of(found, pipeline, {"backend": backend})
    settings_of(entry, {"backend": backend})  # refused where it has no backends
    return entry


def _model(found: Catalog, name: str) -> Declared:
    """The model of this name; one that is here, where several pipelines declare it."""
    models = list(declared(found.entries))
    by_name = sorted((one for one in models if one.spec.name == name), key=lambda one: not one.present)
    if not by_name:
        if name not in found.pipelines and how_to_install(name):
            found.pipeline(name)  # raises, and says how to have it
        known = [one.spec.name for one in models]
        raise UsageError(f"no model {name!r}{nearest(name, known)}; see: videoannotator models list")
    return by_name[0]


def print_path(model: str) -> int:
    """Print the path. Raises `UsageError` for an unknown name, `ModelMissingError` for one that is not here."""
    one = _model(catalog(), model)
    if not one.present:
        raise ModelMissingError(f"{model} is not on this disk. Type: videoannotator models fetch {model}")
    give(one.store.locate(one.spec))
    return Exit.WELL
