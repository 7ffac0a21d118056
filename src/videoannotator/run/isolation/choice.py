"""Which pipelines run in a process of their own: what the user may say, and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal

import attrs

from videoannotator.discover.catalog import PipelineEntry
from videoannotator.errors import ConfigError, nearest

__all__ = ["Isolation", "IsolationOption", "isolation_of"]

IsolationOption = Literal["process"] | Mapping[str, Literal["process"]] | None
"""``"process"`` for all pipelines, or by name; None for none."""


@attrs.frozen
class Isolation:
    """How a pipeline is kept apart. ``kind``: a process of this environment, or one of an ``environment`` of its own.

    ``python``: the interpreter its process is started with. ``environment``: the name of its own one.
    ``timeout``: seconds without an answer or progress after which the process is taken to hang, and is ended.
    """

    kind: Literal["process", "environment"] = "process"
    python: str = attrs.field(factory=lambda: sys.executable)
    timeout: float = 300.0
    environment: str = ""

    def __str__(self) -> str:
        if self.kind == "environment":
            return f"an environment of its own ({self.environment})"
        return "a process of its own"


def isolation_of(option: IsolationOption, timeout: float, entries: Mapping[str, PipelineEntry]) -> dict[str, Isolation]:
    """How each of the pipelines that is kept apart is: one that has an environment of its own always.

    Raises `ConfigError` for what the option does not know.
    """
    names = list(entries)
    if not timeout > 0:
        raise ConfigError(f"isolation_timeout is a number of seconds more than 0, got {timeout!r}")
    chosen = option if isinstance(option, Mapping) else {} if option is None else dict.fromkeys(names, option)
    for name, kind in chosen.items():
        if name not in names:
            raise ConfigError(f"isolation of {name!r}, which does not run{nearest(name, names)}")
        if kind != "process":
            raise ConfigError(f"isolation is 'process', for all or by pipeline name; got {kind!r}")
    kept = {name: Isolation(timeout=timeout) for name in chosen}
    for name, entry in entries.items():
        if entry.environment is not None:
            home = entry.environment
            kept[name] = Isolation("environment", home.python, timeout, home.name)
    return kept
