"""The row classes of plugins in this repository, also of those that are not installed where the tests run."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest

_PLUGINS = Path(__file__).parents[2] / "plugins"


def plugin_row(plugin: str, name: str, module: str = "rows") -> type[Any]:
    """The row class ``name`` of a plugin. Tests are skipped, saying so, where the plugin's source is not there."""
    file = _PLUGINS / plugin / "src" / f"videoannotator_{plugin}" / f"{module}.py"
    if not file.is_file():
        pytest.skip(f"no source of the plugin {plugin}", allow_module_level=True)
    known = f"rows_of_{plugin}_{module}"
    if known not in sys.modules:
        spec = util.spec_from_file_location(known, file)
        assert spec is not None
        assert spec.loader is not None
        made = util.module_from_spec(spec)
        sys.modules[known] = made
        spec.loader.exec_module(made)
    found: type[Any] = getattr(sys.modules[known], name)
    return found
