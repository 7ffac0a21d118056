"""What every pipeline must hold, tried with the library's own kit and a real `Annotator`."""

from __future__ import annotations

from pathlib import Path

from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_speech_recognition import videoannotator_pipelines


def test_contract(tmp_path: Path, hub_folder: Path) -> None:
    """Nobody speaks in these clips; without the filter they are transcribed all the same, and what comes is marked."""
    config = {"weights": str(hub_folder), "vad_filter": False, "temperature": [0.0], "beam_size": 1}
    results = check_pipeline(
        "speech_recognition", tmp_path, config=config, catalog_=catalog_of(*videoannotator_pipelines())
    )
    said = results["plain"]["speech_recognition"].utterances
    assert len(said)
    assert all("no_voice" in row.suspected for row in said)
