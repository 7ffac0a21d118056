"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_face_analysis import videoannotator_pipelines


def test_contract(tmp_path: Path) -> None:
    check_pipeline("face_analysis", tmp_path, catalog_=catalog_of(*videoannotator_pipelines()))
