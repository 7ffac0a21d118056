"""Which pipelines run: those that were named, or every one that can run as things are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from videoannotator.data.needs import Output
from videoannotator.discover.catalog import Catalog
from videoannotator.discover.config import needs_of
from videoannotator.discover.models import ModelStore
from videoannotator.discover.readiness import Readiness, readiness
from videoannotator.discover.settings import entry_of, settings_of
from videoannotator.errors import ConfigError, ModelMissingError, UsageError
from videoannotator.run.plan import ordered

__all__ = ["Choice", "check_assignments", "choose"]


@attrs.frozen
class Choice:
    """What will run, what will not and why, and what will be fetched for it."""

    names: tuple[str, ...]
    left_out: tuple[Readiness, ...] = ()
    fetched: tuple[Readiness, ...] = ()


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
