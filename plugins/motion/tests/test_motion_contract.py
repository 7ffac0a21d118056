"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_motion import videoannotator_pipelines


@pytest.mark.parametrize("config", [{}, {"camera": False, "cuts": "none", "rate": 5.0}])
def test_contract(tmp_path: Path, config: dict[str, object]) -> None:
    check_pipeline("motion", tmp_path, catalog_=catalog_of(*videoannotator_pipelines()), config=config)
