"""What every pipeline must hold, with real faces and real voice activity beside it; and settings that are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.errors import ConfigError
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_active_speaker import videoannotator_pipelines
from videoannotator_face_analysis import videoannotator_pipelines as face_pipelines
from videoannotator_voice_activity import videoannotator_pipelines as voice_pipelines


@pytest.fixture(scope="module")
def with_speech() -> Catalog:
    """Real face_analysis and voice_activity."""
    faces = [spec for spec in face_pipelines() if spec.name == "face_analysis"]
    return catalog_of(*faces, *voice_pipelines(), *videoannotator_pipelines())


def test_contract(tmp_path: Path, with_speech: Catalog) -> None:
    check_pipeline("active_speaker", tmp_path, config={"voices": "voice_activity"}, catalog_=with_speech)


def test_without_voices_it_says_what_to_do(assets: Path, with_speech: Catalog) -> None:
    with va.Annotator(["active_speaker"], catalog=with_speech, cache=False) as annotator:
        result = annotator.annotate(assets / "video" / "shot_change.mp4", end=0.4, progress=False)
    (failure,) = result.failures
    assert failure.pipeline == "active_speaker"
    assert "run speaker_diarization or voice_activity" in failure.message


def test_settings_that_make_no_sense_are_refused() -> None:
    from videoannotator.discover.config import config_of

    (spec,) = videoannotator_pipelines()
    for wrong in ({"sure": 0.4}, {"voices": "anybody"}, {"rate": 2.0}, {"on_screen": 1.0}, {"hold": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            config_of(spec, wrong)


def test_nothing_heavy_is_imported_to_know_of_it() -> None:
    code = "import sys, videoannotator_active_speaker as p; p.videoannotator_pipelines(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"cv2", "scipy", "torch", "av"} & set(loaded)
