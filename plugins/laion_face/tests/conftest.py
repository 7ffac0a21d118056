"""A small SigLIP with random weights and small heads, in the files and folders that the hub has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from videoannotator_laion_face.rows import EMOTIONS

WIDTH = 32
PROCESSOR = {  # of google/siglip2-so400m-patch16-384, but for the size
    "do_convert_rgb": None,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "SiglipImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "SiglipProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 32, "width": 32},
}


class Mlp(torch.nn.Module):
    """A head as it was trained: the small suite has three linear layers, the large one four."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for before, after in zip((WIDTH, *sizes), sizes, strict=False):
            layers += [torch.nn.Linear(before, after), torch.nn.ReLU(), torch.nn.Dropout(0.2)]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1))

    def forward(self, embeddings: Any) -> Any:
        return self.layers(embeddings)


SMALL, LARGE = (16, 8), (24, 16, 8)


def file_of(name: str) -> str:
    return f"model_{name.replace('jealousy_envy', 'jealousy_&_envy')}_best.pth"


def save_heads(folder: Path, sizes: tuple[int, ...], names: tuple[str, ...] = EMOTIONS) -> dict[str, Mlp]:
    """Heads of these names in ``folder``; gives them back, by name."""
    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: Mlp(*sizes).eval() for name in names}
    for name, head in made.items():
        torch.save(head.state_dict(), folder / file_of(name))
    return made


@pytest.fixture(scope="session")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of both towers, as transformers saves it."""
    from transformers import SiglipConfig, SiglipModel

    torch.manual_seed(5)
    tower = {"hidden_size": WIDTH, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2}
    text = {**tower, "vocab_size": 64, "max_position_embeddings": 16}
    config = SiglipConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 8})
    folder = tmp_path_factory.mktemp("siglip")
    SiglipModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return folder


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Mlp]]:
    """Heads of the large suite with a file of neutral faces, and three that are no emotions."""
    folder = tmp_path_factory.mktemp("large")
    heads = save_heads(folder, LARGE, (*EMOTIONS, "valence", "arousal", "emotional_vulnerability"))
    stats = {file_of(name).removesuffix(".pth"): {"mean": n / 10, "std": 1.0} for n, name in enumerate(EMOTIONS)}
    (folder / "neutral_stats_of_somebody.json").write_text(json.dumps(stats))
    return folder, heads


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Mlp]]:
    """Heads of the small suite: forty emotions and nothing else."""
    folder = tmp_path_factory.mktemp("small")
    return folder, save_heads(folder, SMALL)
