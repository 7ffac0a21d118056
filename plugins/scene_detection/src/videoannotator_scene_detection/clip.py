"""CLIP networks of open_clip: pictures and words as vectors that can be compared.

Source: Radford et al. (2021), https://arxiv.org/abs/2103.00020; open_clip (https://github.com/mlfoundations/open_clip),
whose own loading, preparing of pictures, tokens and prompt ensembling are used as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ConfigError, MissingDependencyError, ModelError

__all__ = ["Clip", "probabilities"]

_CONFIG = "open_clip_config.json"


def _open_clip() -> Any:
    try:
        import open_clip
    except ImportError as error:
        raise MissingDependencyError(
            "labels of shots need open_clip: pip install 'videoannotator-scene-detection[labels]'"
        ) from error
    return open_clip


class Clip:
    """A network for pictures and words.

    ``path``: a weights file of ``architecture``, or a folder with ``open_clip_config.json``, weights and tokenizer.
    ``pretrained``: open_clip's name of the weights in a file: how pictures are prepared.
    Pickled weights are read without running code (``weights_only``). Nothing is fetched.

    Raises `MissingDependencyError` without open_clip, `ConfigError` for a name that it does not know, and `ModelError`
    when the weights are not of that network.
    """

    def __init__(self, path: Path, *, architecture: str, pretrained: str | None, device: str) -> None:
        open_clip = _open_clip()
        if path.is_dir():
            name, weights, preparing = f"local-dir:{path}", None, {}
            _check_text(_folder_config(path), folder=path)
        else:
            name, weights, preparing = architecture, str(path), _preparing(open_clip, architecture, pretrained)
            _check_text(open_clip.get_model_config(architecture), folder=None)
        try:
            model, _, self.prepare = open_clip.create_model_and_transforms(
                name, pretrained=weights, device=device, pretrained_text=False, **preparing
            )
            self._tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # open_clip, torch and safetensors raise anything for a file that is something else
            raise ModelError(f"{path}: open_clip cannot load this as {name}: {error}") from error
        self._model = model.eval()
        self._device = device
        self.scale = float(model.logit_scale.detach().exp().cpu())
        """By what the network multiplies cosines before they are compared."""

    def words(self, labels: Sequence[str], templates: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of labels, each the mean over ``templates``: float32 (labels, D)."""
        vectors = _open_clip().build_zero_shot_classifier(
            self._model, self._tokenizer, list(labels), list(templates), device=self._device
        )
        return np.ascontiguousarray(vectors.T.float().cpu().numpy())

    def picture(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The unit vector of a picture, float32 (D,). ``pixels``: uint8 (height, width, 3), blue first.

        One at a time: then the bits do not depend on how many there are.
        """
        import torch
        from PIL import Image

        prepared = self.prepare(Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1])))
        with torch.inference_mode():
            vector = self._model.encode_image(prepared[None].to(self._device), normalize=True)
        return np.asarray(vector[0].float().cpu().numpy(), dtype=np.float32)


def probabilities(
    pictures: NDArray[np.float32], words: NDArray[np.float32], scale: float, temperature: float
) -> NDArray[np.float64]:
    """How probable each word is among all, for each picture: float64 (pictures, words), rows add up to 1.

    ``pictures`` (N, D) and ``words`` (M, D): unit vectors. The softmax of cosine x ``scale`` / ``temperature``.
    """
    logits = pictures.astype(np.float64) @ words.astype(np.float64).T * (scale / temperature)
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def _folder_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder} is no open_clip model: {_CONFIG} with a model_cfg belongs there ({error})"
        ) from error
    return config


def _preparing(open_clip: Any, architecture: str, pretrained: str | None) -> dict[str, Any]:
    """How pictures are prepared for the weights of a file, which does not say so itself."""
    from open_clip.pretrained import get_pretrained_cfg

    if open_clip.get_model_config(architecture) is None:
        raise ConfigError(
            f"architecture={architecture!r} is none of open_clip's; it has {', '.join(open_clip.list_models())}"
        )
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if pretrained is not None and pretrained not in tags:
        raise ConfigError(f"pretrained={pretrained!r}: open_clip knows for {architecture} {', '.join(tags) or 'none'}")
    ways: dict[str, dict[str, Any]] = {}
    for tag in tags if pretrained is None else [pretrained]:
        known = get_pretrained_cfg(architecture, tag)
        way = {f"image_{key}": known[key] for key in ("mean", "std", "interpolation", "resize_mode") if known.get(key)}
        ways.setdefault(repr(way), way)
    if len(ways) > 1:
        raise ConfigError(
            f"weights of {architecture} differ in how pictures are prepared; say with 'pretrained' which these "
            f"are: {', '.join(tags)}"
        )
    return next(iter(ways.values()), {})


def _check_text(config: dict[str, Any], *, folder: Path | None) -> None:
    """Refuse networks whose words open_clip would fetch from a hub in passing."""
    text = config.get("text_cfg", {})
    if text.get("hf_model_name"):
        raise ModelError(
            f"its text network, {text['hf_model_name']}, is one of the transformers library's, which would "
            "be fetched unasked; take one of open_clip's own"
        )
    if text.get("hf_tokenizer_name") and (folder is None or not list(folder.glob("tokenizer*"))):
        raise ModelError(
            f"its tokenizer, {text['hf_tokenizer_name']}, is not beside the weights; give a folder with {_CONFIG}, "
            "weights and tokenizer as 'weights'"
        )
