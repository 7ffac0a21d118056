"""The turns are pyannote's own, for the same networks, settings and sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugins.speaker_diarization.tests.conftest import hear

from videoannotator_speaker_diarization.library import imported


def pyannote(folder: Path, samples: np.ndarray, **options: Any) -> Any:
    """pyannote's pipeline as its users call it, but for batches of one: their size may change last bits."""
    import torch

    imported()
    from pyannote.audio import Pipeline

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pipeline = Pipeline.from_pretrained(folder)
        pipeline.segmentation_batch_size, pipeline.embedding_batch_size = 1, 1
        return pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": 16000}, **options)
    finally:
        torch.set_num_threads(threads)


def assert_equal(tables: Any, said: Any, duration: float) -> None:
    """The same turns to the last bit, cut where the sound ends, and the same voice prints."""
    pairs = {"turns": said.speaker_diarization, "exclusive": said.exclusive_speaker_diarization}
    for output, annotation in pairs.items():
        theirs = [
            (turn.start, min(duration, turn.end), speaker)
            for turn, _, speaker in annotation.itertracks(yield_label=True)
            if turn.start < duration
        ]
        ours = [(turn.start, turn.end, turn.speaker) for turn in tables[output]]
        assert sorted(ours) == sorted(theirs)
        assert ours
    assert [voice.speaker for voice in tables["voices"]] == said.speaker_diarization.labels()
    for voice, vector in zip(tables["voices"], said.speaker_embeddings, strict=True):
        if voice.vector is None:  # a speaker whom no cluster stands for: zeros there
            assert not vector.any()
        else:
            np.testing.assert_array_equal(voice.vector, vector.astype(np.float32))
    assert any(voice.vector is not None for voice in tables["voices"])


@pytest.fixture(scope="session")
def merged(separate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3.1 with its networks named by paths, as pyannote needs it offline; with a PLDA, which it loads for nothing."""
    from plugins.speaker_diarization.tests.fitting import AGGLOMERATIVE, save_plda, write_config

    folder = tmp_path_factory.mktemp("merged")
    parts = {
        "segmentation": str(separate / "segmentation-3.0"),
        # not as a text: pyannote goes by what is in it, and takes any with "wespeaker" for a file in ONNX
        "embedding": {"checkpoint": str(separate / "wespeaker-voxceleb-resnet34-LM")},
        "plda": str(save_plda(folder / "plda")),
    }
    params = {**AGGLOMERATIVE["pipeline"]["params"], **parts}
    return write_config(folder, {**AGGLOMERATIVE, "pipeline": {**AGGLOMERATIVE["pipeline"], "params": params}})


def test_community(community: Path, crowd: np.ndarray) -> None:
    heard = hear(crowd, {"weights": str(community)})
    assert_equal(heard.tables, pyannote(community, crowd), len(crowd) / 16000)
    assert len(heard.tables["overlap"])


def test_3_1(three: dict[str, str], merged: Path, sample: np.ndarray) -> None:
    heard = hear(sample, three)
    assert_equal(heard.tables, pyannote(merged, sample), len(sample) / 16000)


def test_a_hint(community: Path, sample: np.ndarray) -> None:
    heard = hear(sample, {"weights": str(community), "num_speakers": 1})
    assert_equal(heard.tables, pyannote(community, sample, num_speakers=1), len(sample) / 16000)
    assert len(heard.tables["voices"]) == 1  # two, unless it is told
    assert not heard.notices
