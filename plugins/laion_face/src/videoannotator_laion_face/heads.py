"""LAION's heads: small networks, one for each emotion, that rate what SigLIP 2 sees."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from videoannotator.errors import ConfigError, ModelError, nearest
from videoannotator_laion_face.rows import DIMENSIONS, EMOTIONS

__all__ = ["Heads", "neutral_means"]

_UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)
_FILE = re.compile(r"model_(.+)_best\.pth")
_LAYER = re.compile(r"(?:.*\.)?layers\.(\d+)\.(weight|bias)")


def _name(text: str) -> str:
    """``Jealousy_&_Envy`` -> ``jealousy_envy``: the name of a column from that of a file or a key."""
    return re.sub(r"_+", "_", text.lower().replace("&", "_"))


class Heads:
    """The heads in a folder of ``model_NAME_best.pth`` files: each a stack of linear layers with ReLU between.

    ``folder``: as the hub has it. ``width``: numbers in an embedding. ``names``: which are wanted; None: all that are
    known, and of the emotions every one must be there. The layers' sizes are read from the files, so the small and
    the large suite are the same to it.

    ``names``: of those that are loaded. Raises `ModelError` for a folder, or a file, that is something else, and
    `ConfigError` for a name that nobody knows or that is not there.
    """

    def __init__(self, folder: Path, *, width: int, device: str = "cpu", names: Sequence[str] | None = None) -> None:
        files = _files(folder)
        self.names = _wanted(files, names, folder)
        self._heads = {name: _layers(files[name], width, device) for name in self.names}

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The ratings of (N, width) embeddings, float32 (N, heads), in the order of `names`."""
        said = []
        for layers in self._heads.values():
            value = embeddings
            for number, (weight, bias) in enumerate(layers):
                value = torch.nn.functional.linear(value if number == 0 else value.relu(), weight, bias)
            said.append(value[:, 0])
        return torch.stack(said, dim=1)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder of heads; name one that holds model_NAME_best.pth files")
    found = {}
    for file in sorted(folder.iterdir()):
        match = _FILE.fullmatch(file.name)
        if match and _name(match[1]) in (*EMOTIONS, *DIMENSIONS):
            found[_name(match[1])] = file
    if not found:
        raise ModelError(f"{folder} holds no model_NAME_best.pth of an emotion that is known")
    return found


def _wanted(files: Mapping[str, Path], names: Sequence[str] | None, folder: Path) -> tuple[str, ...]:
    if names is None:
        missing = [name for name in EMOTIONS if name not in files]
        if missing:
            raise ModelError(
                f"{folder} lacks {len(missing)} of the {len(EMOTIONS)} emotions: {', '.join(missing)}; fetch it again, "
                "or name those to ask in laion_face.heads"
            )
        return tuple(name for name in (*EMOTIONS, *DIMENSIONS) if name in files)
    if not names:
        raise ConfigError("laion_face.heads names no head; leave it unset (null) to ask all of them")
    for name in names:
        if name not in (*EMOTIONS, *DIMENSIONS):
            raise ConfigError(f"laion_face.heads: no head {name!r}{nearest(name, [*EMOTIONS, *DIMENSIONS])}")
        if name not in files:
            raise ConfigError(f"laion_face.heads: {folder} has no head {name!r}; it has {', '.join(files)}")
    return tuple(name for name in (*EMOTIONS, *DIMENSIONS) if name in names)


def _layers(file: Path, width: int, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of a head, from the first layer to the last."""
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(f"{file} is no head, or holds what is not unpickled here: {error}; fetch it again") from error
    parts: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in found.items() if isinstance(found, Mapping) else ():
        match = _LAYER.fullmatch(str(key))
        if match and isinstance(value, torch.Tensor):
            parts.setdefault(int(match[1]), {})[match[2]] = value.to(device, torch.float32)
    sizes, layers = [width], []
    for _, part in sorted(parts.items()):
        weight, bias = part.get("weight"), part.get("bias")
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ModelError(f"{file} is no head: its layers are not linear ones with a bias")
        if weight.shape[1] != sizes[-1]:
            wanted = f"embeddings of {weight.shape[1]}" if len(sizes) == 1 else f"{weight.shape[1]} values"
            raise ModelError(f"{file} takes {wanted} numbers, and is given {sizes[-1]}; another encoder belongs to it")
        layers.append((weight, bias))
        sizes.append(int(weight.shape[0]))
    if len(sizes) < 2 or sizes[-1] != 1:
        raise ModelError(f"{file} is no head: it does not end in one rating")
    return layers


def neutral_means(file: Path) -> dict[str, float]:
    """The mean rating of neutral faces by head, from a JSON object: name -> number, or -> object with ``mean``.

    Names may be those of the files (``model_anger_best``). Raises `ModelError` for a file that is something else.
    """
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
        means = {}
        for key, value in found.items():
            match = re.fullmatch(r"(?:model_)?(.+?)(?:_best)?(?:\.pth)?", str(key))
            name = _name(match[1]) if match else str(key)
            if name in (*EMOTIONS, *DIMENSIONS):
                means[name] = float(value["mean"] if isinstance(value, Mapping) else value)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{file} has no mean ratings: it must be a JSON object of numbers, or of objects with 'mean', by head: "
            f"{error}"
        ) from error
    if not means:
        raise ModelError(f"{file} names no head that is known")
    return means
