"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_speech_recognition import videoannotator_pipelines


@pytest.mark.parametrize("vad_filter", [True, False])
def test_contract(tmp_path: Path, hub_folder: Path, vad_filter: bool) -> None:
    """Nobody speaks in these clips; without the filter they are transcribed all the same."""
    config = {"weights": str(hub_folder), "vad_filter": vad_filter, "temperature": [0.0]}
    results = check_pipeline(
        "speech_recognition", tmp_path, config=config, catalog_=catalog_of(*videoannotator_pipelines())
    )
    assert bool(len(results["plain"]["speech_recognition"].utterances)) is not vad_filter
