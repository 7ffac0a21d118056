"""A small Whisper with random weights and small heads, in the files and folders that the hub has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from videoannotator_laion_voice.rows import DIMENSIONS, EMOTIONS

POSITIONS, WIDTH = 1500, 8
QUALITY = ("overall_quality", "speech_quality", "background_quality", "content_enjoyment")
SMALL, LARGE = (8, (8, 6, 4)), (12, (12, 8, 6))
_FILES = {  # the names that the hub has, where they are not those of the columns
    "jealousy_envy": "Jealousy_&_Envy",
    "confident_vs_hesitant": "Confident_vs._Hesitant",
    "high_pitched_vs_low_pitched": "High-Pitched_vs._Low-Pitched",
    "submissive_vs_dominant": "Submissive_vs._Dominant",
}


class FullEmbeddingMLP(torch.nn.Module):
    """A head as the model card builds it: its input is ``positions * width`` numbers, or pooled ``4 * width``."""

    def __init__(self, takes: int, projection: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.proj = torch.nn.Linear(takes, projection)
        layers: list[torch.nn.Module] = [torch.nn.ReLU(), torch.nn.Dropout(0.0)]
        for before, after in zip((projection, *hidden), hidden, strict=False):
            layers += [torch.nn.Linear(before, after), torch.nn.ReLU(), torch.nn.Dropout(0.1)]
        self.mlp = torch.nn.Sequential(*layers, torch.nn.Linear(hidden[-1], 1))

    def forward(self, given: Any) -> Any:
        return self.mlp(self.proj(given))


def file_of(name: str) -> str:
    if name in QUALITY:
        return f"model_score_{name}_best.pth"
    return f"model_{_FILES.get(name, '_'.join(part.capitalize() for part in name.split('_')))}_best.pth"


def save_heads(
    folder: Path,
    size: tuple[int, tuple[int, ...]],
    names: tuple[str, ...],
    prefix: str = "",
    positions: int = POSITIONS,
) -> dict[str, FullEmbeddingMLP]:
    """Heads of these names in ``folder``; gives them back, by name."""
    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in names:
        takes = 4 * WIDTH if name in QUALITY else positions * WIDTH
        head = made[name] = FullEmbeddingMLP(takes, *size).eval()
        torch.nn.init.normal_(head.mlp[-1].bias)  # so that each has a level of its own
        with torch.no_grad():  # and tells one sound from another
            head.proj.weight.mul_(10)
            for layer in head.mlp[2::3]:
                layer.weight.mul_(2)
        torch.save({prefix + key: value for key, value in head.state_dict().items()}, folder / file_of(name))
    return made


def save_whisper(folder: Path, seconds: int) -> Path:
    """A checkpoint of encoder and decoder, as transformers saves it, that hears so much at a time."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(5)
    sides = {"layers": 2, "attention_heads": 2, "ffn_dim": 16}
    config = WhisperConfig(
        d_model=WIDTH,
        max_source_positions=50 * seconds,
        **{f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in sides.items()},
        vocab_size=64,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():  # random weights are so small that it would hear hardly anything
        for convolution in (model.model.encoder.conv1, model.model.encoder.conv2):
            convolution.weight.mul_(50)
    model.save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=seconds).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that hears 30 s at a time, as Whisper does."""
    return save_whisper(tmp_path_factory.mktemp("whisper"), 30)


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings for models that are quick: 2 s at a time, two heads."""
    heads, encoder = tmp_path_factory.mktemp("quick_heads"), tmp_path_factory.mktemp("quick_whisper")
    save_heads(heads, SMALL, ("anger", "arousal"), positions=100)
    return {"weights": str(heads), "encoder": str(save_whisper(encoder, 2))}


@pytest.fixture(scope="session")
def plus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, FullEmbeddingMLP]]:
    """All 59 heads of the small suite, as torch.compile names what is in them."""
    folder = tmp_path_factory.mktemp("plus")
    return folder, save_heads(folder, SMALL, (*EMOTIONS, *DIMENSIONS), prefix="_orig_mod.")


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, FullEmbeddingMLP]]:
    """Some heads of the large suite."""
    folder = tmp_path_factory.mktemp("few")
    return folder, save_heads(folder, LARGE, ("anger", "awe", "jealousy_envy", "arousal", "submissive_vs_dominant"))
