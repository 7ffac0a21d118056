"""What a pipeline is made of, from files as the hub has them, and what is said of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from videoannotator.errors import ConfigError, ModelError
from videoannotator_speaker_diarization.config import SpeakerDiarizationConfig
from videoannotator_speaker_diarization.layout import Part, models_in, read_layout


def written(folder: Path, **params: Any) -> Path:
    """A ``config.yaml`` with these parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "pipeline": {"name": "pyannote.audio.pipelines.SpeakerDiarization", "params": params},
        "params": {"clustering": {"threshold": 0.5}},
        "freeze": {"segmentation": {"min_duration_off": 0.25}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_everything_in_one_folder(tmp_path: Path) -> None:
    """As community-1: the parts belong to the pipeline, whose hash covers them."""
    folder = written(tmp_path, segmentation="$model/segmentation", embedding="$model/embedding", plda="$model/plda")
    layout = read_layout(folder, "speaker-diarization-community-1")
    assert layout.segmentation == Part("speaker-diarization-community-1", "segmentation")
    assert layout.embedding == Part("speaker-diarization-community-1", "embedding")
    assert layout.plda == Part("speaker-diarization-community-1", "plda")
    assert layout.values == {"clustering": {"threshold": 0.5}, "segmentation": {"min_duration_off": 0.25}}
    assert models_in(str(folder)) == (str(folder),)


def test_its_config_file_alone(tmp_path: Path) -> None:
    """Then the networks are models of their own: their hashes are not that of the file."""
    folder = written(tmp_path, segmentation="$model/segmentation", embedding="$model/embedding", plda="$model/plda")
    file = str(folder / "config.yaml")
    parts = [str(folder / part) for part in ("segmentation", "embedding", "plda")]
    assert models_in(file) == (file, *parts)


def test_networks_of_their_own(tmp_path: Path) -> None:
    """As 3.1: names of the hub become those of declared models, and no PLDA is asked for."""
    params = {
        "segmentation": "pyannote/segmentation-3.0",
        "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
        "clustering": "AgglomerativeClustering",
    }
    folder = written(tmp_path, **params)
    layout = read_layout(folder, "speaker-diarization-3.1")
    assert layout.plda is None
    parts = ("segmentation-3.0", "wespeaker-voxceleb-resnet34-LM")
    assert models_in("speaker-diarization-3.1") == ("speaker-diarization-3.1", *parts)
    assert models_in(str(folder)) == (str(folder), *parts)
    assert models_in(str(folder), segmentation="mine") == (str(folder), "mine", parts[1])
    assert models_in("speaker-diarization-3.1", embedding="mine") == ("speaker-diarization-3.1", parts[0], "mine")


def test_paths_in_a_config(tmp_path: Path) -> None:
    """As people write them for machines without a network: beside it, or anywhere."""
    elsewhere = tmp_path / "elsewhere" / "net"
    elsewhere.mkdir(parents=True)
    (elsewhere / "pytorch_model.bin").touch()
    folder = tmp_path / "pipeline"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "seg.bin").touch()
    embedding = {"checkpoint": str(elsewhere.parent), "subfolder": "net"}
    written(folder, segmentation="models/seg.bin", embedding=embedding, clustering="AgglomerativeClustering")
    layout = read_layout(folder, str(folder))
    assert layout.segmentation == Part(str(folder), "models/seg.bin")
    assert layout.embedding == Part(str(elsewhere))
    assert layout.segmentation.within(folder) == folder / "models" / "seg.bin"


def test_what_pyannote_takes_when_nothing_is_said(tmp_path: Path) -> None:
    """The parts of community-1."""
    layout = read_layout(written(tmp_path), "mine")
    assert layout.embedding == Part("speaker-diarization-community-1", "embedding")
    assert layout.plda == Part("speaker-diarization-community-1", "plda")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"segmentation": "speechbrain/x"},
            r"segmentation is 'speechbrain/x', which is no path here.*name a local copy",
        ),
        ({"segmentation": 3}, r"segmentation must be a path or the name of a repository, got 3"),
        ({"embedding": {"checkpoint": "a", "revision": "b"}}, r"embedding names a revision"),
        ({"clustering": "KMeansClustering"}, r"clustering must be VBxClustering or AgglomerativeClustering"),
        ({"colour": 1}, r"not understood here: colour"),
    ],
)
def test_what_is_not_understood(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_layout(written(tmp_path, **params), "mine")
    assert models_in(str(tmp_path)) == (str(tmp_path),)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "pipeline: {name: os.system}", ""])
def test_what_is_no_pipeline(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ModelError, match=r"config\.yaml"):
        read_layout(tmp_path, "mine")
    with pytest.raises(ModelError, match="cannot be read"):
        read_layout(tmp_path / "none", "mine")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_speakers": 2, "max_speakers": 3}, "set either it, or"),
        ({"min_speakers": 3, "max_speakers": 2}, "at most max_speakers, got 3 and 2"),
    ],
)
def test_hints_that_contradict_each_other(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SpeakerDiarizationConfig(**settings)
