"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_voice_features import videoannotator_pipelines


def test_contract_with_everything_and_fixed_segments(tmp_path: Path) -> None:
    settings = {
        "measures": ["loudness", "pitch", "quality", "spectrum", "mfcc"],
        "segments": "fixed",
        "segment_duration": 0.3,
    }
    check_pipeline("voice_features", tmp_path, config=settings, catalog_=catalog_of(*videoannotator_pipelines()))
