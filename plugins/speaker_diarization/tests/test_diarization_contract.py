"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_speaker_diarization import videoannotator_pipelines


@pytest.mark.slow
def test_contract(community: Path, tmp_path: Path) -> None:
    settings = {"weights": str(community)}
    check_pipeline("speaker_diarization", tmp_path, config=settings, catalog_=catalog_of(*videoannotator_pipelines()))
