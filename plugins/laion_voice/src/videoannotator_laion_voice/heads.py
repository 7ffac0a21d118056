"""LAION's heads: networks, one for each emotion, that rate what Whisper's encoder hears."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from videoannotator.discover.workers import Workers
from videoannotator.errors import ConfigError, ModelError, nearest
from videoannotator_laion_voice.encoder import Heard
from videoannotator_laion_voice.rows import DIMENSIONS, EMOTIONS

__all__ = ["Head", "HeadFiles"]

_KNOWN = (*EMOTIONS, *DIMENSIONS)
_UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)
_FILE = re.compile(r"model_(?:score_)?(.+)_best\.pth")
_LAYER = re.compile(r"(?:_orig_mod\.)?(proj|mlp\.(\d+))\.(weight|bias)")
_STEP = 12288
"""Numbers of a segment that are multiplied at a time: the weights for them stay in the processor's cache."""


def _name(text: str) -> str:
    """``High-Pitched_vs._Low-Pitched`` -> ``high_pitched_vs_low_pitched``: the name of a column from that of a file."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower())


class HeadFiles:
    """A folder of ``model_NAME_best.pth`` files, as the hub has it; none is read yet.

    ``names``: which are wanted; None: all that are known, and of the emotions every one must be there. `names`: of
    those that are wanted, emotions first. Raises `ModelError` for a folder that is something else, and `ConfigError`
    for a name that nobody knows or that is not there.
    """

    def __init__(self, folder: Path, names: Sequence[str] | None = None) -> None:
        if not folder.is_dir():
            raise ModelError(f"{folder} is no folder of heads; name one that holds model_NAME_best.pth files")
        found = ((_FILE.fullmatch(file.name), file) for file in sorted(folder.iterdir()))
        self._files = {_name(match[1]): file for match, file in found if match and _name(match[1]) in _KNOWN}
        if not self._files:
            raise ModelError(f"{folder} holds no model_NAME_best.pth of a head that is known")
        self.names = self._wanted(names, folder)

    def __getitem__(self, name: str) -> Path:
        """The file of a head."""
        return self._files[name]

    def _wanted(self, names: Sequence[str] | None, folder: Path) -> tuple[str, ...]:
        if names is None:
            missing = [name for name in EMOTIONS if name not in self._files]
            if missing:
                raise ModelError(
                    f"{folder} lacks {len(missing)} of the {len(EMOTIONS)} emotions: {', '.join(missing)}; fetch it "
                    "again, or name those to ask in laion_voice.heads"
                )
            return tuple(name for name in _KNOWN if name in self._files)
        if not names:
            raise ConfigError("laion_voice.heads names no head; leave it unset (null) to ask all of them")
        for name in names:
            if name not in _KNOWN:
                raise ConfigError(f"laion_voice.heads: no head {name!r}{nearest(name, _KNOWN)}")
            if name not in self._files:
                raise ConfigError(f"laion_voice.heads: {folder} has no head {name!r}; it has {', '.join(self._files)}")
        return tuple(name for name in _KNOWN if name in names)


class Head:
    """One head: a stack of linear layers with ReLU between, the first of which takes all that the encoder gives.

    ``file``: the state of its network: ``proj`` and ``mlp.N``, with torch.compile's ``_orig_mod.`` before them or
    without. It is mapped into memory: on the processor nothing is copied. ``positions``, ``width``: of the encoder's
    output. The layers' sizes are read from the file: small, large and pooled heads are the same to it. Raises
    `ModelError` for a file that is something else.
    """

    def __init__(self, file: Path, *, positions: int, width: int, device: str = "cpu") -> None:
        self._device = device
        self._layers = _layers(file, device)
        takes = self._layers[0][0].shape[1]
        if takes not in (positions * width, 4 * width):
            raise ModelError(
                f"{file} takes {takes} numbers, and the encoder gives {positions} times {width}; another encoder "
                "belongs to it"
            )
        self._pooled = takes == 4 * width

    def __call__(self, heard: Heard, *, alone: Workers | None = None) -> torch.Tensor:
        """The ratings, float32 (N,), on the processor.

        ``alone``: each segment is computed by itself, so that its rating depends neither on the others nor on the
        number of threads.
        """
        given = heard.pooled if self._pooled else heard.whole
        with torch.inference_mode():
            if alone is None:
                return self._together(given).cpu()
            share = -(-len(given) // alone.count)
            return torch.cat(list(alone.map(self._one_by_one, given.split(share))))

    def _together(self, given: torch.Tensor) -> torch.Tensor:
        for number, (weight, bias) in enumerate(self._layers):
            given = torch.nn.functional.linear(given if number == 0 else given.relu(), weight, bias)
        return given[:, 0]

    def _one_by_one(self, given: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():  # it holds for the thread
            for number, (weight, bias) in enumerate(self._layers):
                given = _each(given if number == 0 else given.relu(), weight, bias)
            return given[:, 0]


def _each(given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A linear layer, computed for each row by itself, and for all of them piece by piece of the weights.

    A product of matrices would be computed in another order for another number of rows; one row after the other would
    read the weights, 295 MB, again for each.
    """
    rows = bias.repeat(len(given), 1)
    for start in range(0, weight.shape[1], _STEP):
        piece = weight[:, start : start + _STEP]
        for row, one in zip(rows, given[:, start : start + _STEP], strict=True):
            row.addmv_(piece, one)
    return rows


def _layers(file: Path, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of a head, from the first layer to the last, float32."""
    try:
        mapped = zipfile.is_zipfile(file)  # what torch wrote before 1.6 cannot be
        found: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except _UNREADABLE as error:
        raise ModelError(f"{file} is no head, or holds what is not unpickled here: {error}; fetch it again") from error
    parts: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in found.items() if isinstance(found, Mapping) else ():
        match = _LAYER.fullmatch(str(key))
        if match and isinstance(value, torch.Tensor):
            number = -1 if match[1] == "proj" else int(match[2])
            parts.setdefault(number, {})[match[3]] = value.to(device, torch.float32)
    layers: list[tuple[torch.Tensor, torch.Tensor]] = []
    for _, part in sorted(parts.items()):
        weight, bias = part.get("weight"), part.get("bias")
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ModelError(f"{file} is no head: its layers are not linear ones with a bias")
        if layers and weight.shape[1] != layers[-1][0].shape[0]:
            raise ModelError(f"{file} is no head: its layers do not fit together")
        layers.append((weight, bias))
    if -1 not in parts or len(layers) < 2 or layers[-1][0].shape[0] != 1:
        raise ModelError(f"{file} is no head: it has no layer 'proj', or does not end in one rating")
    return layers
