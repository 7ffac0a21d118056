"""Under which key a pipeline's result is kept: everything that decides its rows, and nothing else."""

from __future__ import annotations

from importlib.metadata import version

from videoannotator.data.convert import unstructure
from videoannotator.discover.config import plain_config
from videoannotator.discover.installed import code_places, hash_of_code
from videoannotator.discover.models import ModelStore
from videoannotator.errors import MissingDependencyError, ModelError
from videoannotator.run.cache import cache_key
from videoannotator.run.plan import Plan, PlannedPipeline

__all__ = ["code_of", "keys_of"]


def code_of(pipeline: str) -> str:
    """A hash of the source files of ``"package.module:Class"``; see `hash_of_code`. Empty when it is not here."""
    return hash_of_code(code_places(pipeline))


def keys_of(plan: Plan, media_sha256: str, store: ModelStore) -> dict[str, str]:
    """The keys of a plan by pipeline; one whose weights cannot be had, or that needs such a one, has none.

    Fetches weights that are not on this disk, where that was agreed to: their hash is part of the key.
    """
    keys: dict[str, str] = {}
    for planned in plan.pipelines:  # in order: those that are needed come first
        needed = {n.pipeline: keys.get(n.pipeline) for n in planned.outputs if n.pipeline in plan.names}
        if planned.problem is not None or None in needed.values():
            continue
        try:
            weights = _weights(planned, store)
        except (ModelError, MissingDependencyError):
            continue
        spec, plugin, described = planned.entry.spec, planned.entry.plugin, planned.entry.described
        keys[planned.name] = cache_key(
            videoannotator=version("videoannotator"),
            media=media_sha256,
            spans=unstructure(list(plan.spans)),
            pipeline=spec.name,
            version=spec.version,
            plugin=[plugin.distribution, plugin.version],
            code=code_of(spec.pipeline) if described is None else hash_of_code(described.code),
            config=plain_config(planned.config),
            precision=planned.precision,
            models=weights,
            needs=needed,
        )
    return keys


def _weights(planned: PlannedPipeline, store: ModelStore) -> list[list[str]]:
    store = planned.entry.models(store)
    files = (store.get(model.name, planned.entry.spec.models) for model in planned.models)
    return [[file.name, file.sha256] for file in files]
