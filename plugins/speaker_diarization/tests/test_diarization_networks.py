"""Checkpoints are looked at before they are unpickled, and nothing goes on with random numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from videoannotator.errors import ModelError
from videoannotator_speaker_diarization.library import imported
from videoannotator_speaker_diarization.networks import read_network, read_plda


class Harm:
    """A pickle that makes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def checkpoint(separate: Path) -> dict[str, Any]:
    """The segmentation network's, loose."""
    import torch

    imported()
    file = separate / "segmentation-3.0" / "pytorch_model.bin"
    return torch.load(file, weights_only=False)


def kept(checkpoint: Any, folder: Path) -> Path:
    import torch

    torch.save(checkpoint, folder / "pytorch_model.bin")
    return folder


def test_a_checkpoint_as_the_hub_has_them(separate: Path) -> None:
    imported()
    network = read_network(separate / "segmentation-3.0", device="cpu")
    assert type(network).__name__ == "PyanNet"
    assert not network.training
    assert read_network(separate / "segmentation-3.0" / "pytorch_model.bin", device="cpu").specifications.powerset


def test_code_in_a_checkpoint_does_not_run(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    folder = kept({**checkpoint, "notes": Harm(mark)}, tmp_path)
    with pytest.raises(ModelError, match=r"holds more than tensors.*trust_checkpoints"):
        read_network(folder, device="cpu")
    assert not mark.exists()
    read_network(folder, device="cpu", trust=True)
    assert mark.exists()


def test_networks_of_others_are_not_imported(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    checkpoint["pyannote.audio"]["architecture"]["module"] = "antigravity"
    with pytest.raises(ModelError, match=r"not pyannote\.audio's own \(antigravity\)"):
        read_network(kept(checkpoint, tmp_path), device="cpu")


def test_a_parameter_is_missing(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    del checkpoint["state_dict"]["classifier.bias"]
    with pytest.raises(ModelError, match=r"lacks 1 parameters of its network, such as classifier\.bias"):
        read_network(kept(checkpoint, tmp_path), device="cpu")


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    imported()
    (tmp_path / "pytorch_model.bin").write_bytes(b"<html>accept the terms</html>")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        read_network(tmp_path, device="cpu")
    with pytest.raises(ModelError, match="is no checkpoint"):
        read_network(kept({"state_dict": {}}, tmp_path), device="cpu")
    with pytest.raises(ModelError, match="cannot be read"):
        read_network(tmp_path / "none", device="cpu")


def test_another_major_version(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    checkpoint["pyannote.audio"]["versions"]["pyannote.audio"] = "9.0.0"
    with pytest.raises(ModelError, match=r"pyannote\.audio ~ 9\.0\.0"):
        read_network(kept(checkpoint, tmp_path), device="cpu")


def test_a_plda(community: Path, tmp_path: Path) -> None:
    imported()
    assert read_plda(community / "plda").phi.shape == (128,)
    shutil.copytree(community / "plda", tmp_path / "plda")
    (tmp_path / "plda" / "plda.npz").unlink()
    with pytest.raises(ModelError, match="holds no PLDA"):
        read_plda(tmp_path / "plda")
