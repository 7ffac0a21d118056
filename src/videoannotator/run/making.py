"""Pipeline objects as the plan wants them: here, or in a process of their own."""

from __future__ import annotations

from typing import Any

from videoannotator.discover.config import plain_config
from videoannotator.discover.pipeline import Context, Pipeline
from videoannotator.discover.specs import load
from videoannotator.run.isolation.proxy import IsolatedPipeline
from videoannotator.run.plan import PlannedPipeline

__all__ = ["make_pipeline"]


def make_pipeline(planned: PlannedPipeline, context: Context) -> Pipeline[Any]:
    """The object that is called. Raises `PluginLoadError` when its class cannot be imported here."""
    spec, apart = planned.entry.spec, planned.isolation
    if apart is None:
        made: Pipeline[Any] = load(spec.pipeline)(planned.config, context)
        return made
    importable = planned.entry.importable is not None
    settings = None if planned.config is None else plain_config(planned.config)
    return IsolatedPipeline(spec, settings, context, python=apart.python, timeout=apart.timeout, importable=importable)
