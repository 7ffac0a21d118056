"""In which precision pipelines run: what the user may say, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from videoannotator.data.outcome import Precision
from videoannotator.errors import ConfigError, nearest

__all__ = ["PrecisionOption", "precisions_of"]

PrecisionOption = Precision | Mapping[str, Precision]
"""One for all pipelines, or by name; those that are not named are exact."""


def precisions_of(option: PrecisionOption, names: Sequence[str]) -> dict[str, Precision]:
    """What is asked of each of ``names``. Raises `ConfigError` for what the option does not know."""
    chosen = option if isinstance(option, Mapping) else dict.fromkeys(names, option)
    for name, precision in chosen.items():
        if name not in names:
            raise ConfigError(f"precision of {name!r}, which does not run{nearest(name, names)}")
        if precision not in get_args(Precision):
            raise ConfigError(f"precision is 'exact' or 'fast', for all or by pipeline name; got {precision!r}")
    return {name: chosen.get(name, "exact") for name in names}
