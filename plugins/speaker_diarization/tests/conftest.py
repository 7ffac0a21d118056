"""The small pipelines of `fitting`, made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from videoannotator import AudioTrack, Table
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator_speaker_diarization import videoannotator_pipelines
from videoannotator_speaker_diarization.library import imported
from videoannotator_speaker_diarization.pipeline import SpeakerDiarization

(SPEC,) = videoannotator_pipelines()


@pytest.fixture(scope="session")
def networks(assets: Path) -> tuple[Any, Any]:
    """A segmentation network and one that makes voice prints, fitted to the excerpts."""
    import torch

    imported()
    from plugins.speaker_diarization.tests.fitting import fit_embedding, fit_segmentation

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these are small, and threads that wait for each other take longer
    try:
        with torch.random.fork_rng(devices=[]):
            return fit_segmentation(assets), fit_embedding(assets)
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def community(networks: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline in one folder, clustered by VBx."""
    from plugins.speaker_diarization.tests.fitting import community

    return community(tmp_path_factory.mktemp("hub") / "speaker-diarization-community-1", *networks)


@pytest.fixture(scope="session")
def separate(networks: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline in three folders, clustered by agglomeration."""
    from plugins.speaker_diarization.tests.fitting import separate

    return separate(tmp_path_factory.mktemp("hub"), *networks)


@pytest.fixture(scope="session")
def three(separate: Path) -> dict[str, str]:
    """Settings that name the three folders."""
    return {
        "weights": str(separate / "speaker-diarization-3.1"),
        "segmentation": str(separate / "segmentation-3.0"),
        "embedding": str(separate / "wespeaker-voxceleb-resnet34-LM"),
    }


@attrs.frozen
class Heard:
    """What came of a run over sound in memory."""

    tables: Mapping[str, Table[Any]]
    context: Context
    notices: list[str]
    progress: list[float]


def hear(
    samples: np.ndarray, config: Mapping[str, Any], *, start: float = 0.0, rate: int = 16000, **more: Any
) -> Heard:
    """The pipeline by itself, over ``samples``."""
    audio = AudioTrack(samples.astype(np.float32), rate, start)
    end = start + samples.size / rate
    media = MediaInfo("/made.wav", 1, "wav", end, None, AudioInfo("pcm_f32le", rate, 1, start, end - start))
    notices, progress = list[str](), list[float]()
    options = {"threads": 2, "report": progress.append, "tell": notices.append, **more}
    context = Context(media=media, span=media.span, models=SPEC.models, audio=audio, **options)
    pipeline = SpeakerDiarization(config_of(SPEC, config), context)
    try:
        pipeline.setup()
        pipeline.begin()
        return Heard(pipeline.finish(), context, notices, progress)
    finally:
        pipeline.close()


@pytest.fixture(scope="session")
def sample(assets: Path) -> np.ndarray:
    """Half a minute of two speakers, float32 (N,)."""
    from plugins.speaker_diarization.tests.fitting import sound_of

    return sound_of(assets / "audio" / "sample_two_speakers.wav").numpy()[0]


@pytest.fixture(scope="session")
def crowd(assets: Path) -> np.ndarray:
    """Half a minute of four speakers, many of them at once, float32 (N,)."""
    from plugins.speaker_diarization.tests.fitting import sound_of

    return sound_of(assets / "audio" / "ami_trn08.wav").numpy()[0]
