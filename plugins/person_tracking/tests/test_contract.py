"""What every pipeline must hold, tried with the library's own kit; with the default settings, `tests/whole` does so."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_person_tracking import videoannotator_pipelines


@pytest.mark.slow
def test_contract_with_all_that_remembers(detect_openvino: Path, tmp_path: Path) -> None:
    settings = {"weights": str(detect_openvino), "tracker": "cbiou", "camera_motion": True, "interpolate": 0.5}
    check_pipeline("person_tracking", tmp_path, config=settings, catalog_=catalog_of(*videoannotator_pipelines()))
