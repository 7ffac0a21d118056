"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_face_analysis import videoannotator_pipelines

from . import networks


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_contract(tmp_path: Path, yunet: Path, full: bool) -> None:
    """With the default settings, and with another detector, every frame, vectors and clusters."""
    network = networks.embedder(tmp_path / "embedder.onnx", normalises=True)
    config = {"weights": str(yunet), "embedding": str(network), "same_face": 0.5, "rate": None} if full else {}
    check_pipeline("face_analysis", tmp_path, config=config, catalog_=catalog_of(*videoannotator_pipelines()))
