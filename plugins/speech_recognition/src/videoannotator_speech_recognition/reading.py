"""Whisper checkpoints in the two formats they are published in, brought to one form: OpenAI's names, NumPy arrays.

The names: openai-whisper's ``model.py``, and transformers' ``modeling_whisper.py``. Nothing is unpickled but tensors.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import MissingDependencyError, ModelError

__all__ = ["Checkpoint", "Dimensions", "read"]

Array = NDArray[Any]

_UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, OSError)
_HUB = (  # transformers' name -> OpenAI's, in this order
    (r"^model\.", ""),
    (r"\blayers\.", "blocks."),
    (r"\bembed_tokens\b", "token_embedding"),
    (r"\bembed_positions\.weight$", "positional_embedding"),
    (r"^encoder\.layer_norm\b", "encoder.ln_post"),
    (r"^decoder\.layer_norm\b", "decoder.ln"),
    (r"\bself_attn_layer_norm\b", "attn_ln"),
    (r"\bencoder_attn_layer_norm\b", "cross_attn_ln"),
    (r"\bfinal_layer_norm\b", "mlp_ln"),
    (r"\bself_attn\b", "attn"),
    (r"\bencoder_attn\b", "cross_attn"),
    (r"\bq_proj\b", "query"),
    (r"\bk_proj\b", "key"),
    (r"\bv_proj\b", "value"),
    (r"\bout_proj\b", "out"),
    (r"\bfc1\b", "mlp.0"),
    (r"\bfc2\b", "mlp.2"),
)


@attrs.frozen
class Dimensions:
    """Sizes of a Whisper, as OpenAI names them; between a block's two linear layers are four times the state's."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that a checkpoint of these sizes has, and its shape."""
        a, t = self.n_audio_state, self.n_text_state
        found: dict[str, tuple[int, ...]] = {
            "encoder.conv1.weight": (a, self.n_mels, 3),
            "encoder.conv1.bias": (a,),
            "encoder.conv2.weight": (a, a, 3),
            "encoder.conv2.bias": (a,),
            "encoder.positional_embedding": (self.n_audio_ctx, a),
            "decoder.token_embedding.weight": (self.n_vocab, t),
            "decoder.positional_embedding": (self.n_text_ctx, t),
        }
        norms = [("encoder.ln_post", a), ("decoder.ln", t)]
        for side, state, layers in (("encoder", a, self.n_audio_layer), ("decoder", t, self.n_text_layer)):
            for block in (f"{side}.blocks.{n}" for n in range(layers)):
                for attention in ("attn", "cross_attn")[: 1 if side == "encoder" else 2]:
                    for part in ("query", "key", "value", "out"):
                        found[f"{block}.{attention}.{part}.weight"] = (state, state)
                        found[f"{block}.{attention}.{part}.bias"] = (state,)
                    del found[f"{block}.{attention}.key.bias"]  # it would change nothing
                    norms.append((f"{block}.{attention}_ln", state))
                found |= {f"{block}.mlp.0.weight": (4 * state, state), f"{block}.mlp.0.bias": (4 * state,)}
                found |= {f"{block}.mlp.2.weight": (state, 4 * state), f"{block}.mlp.2.bias": (state,)}
                norms.append((f"{block}.mlp_ln", state))
        for norm, state in norms:
            found |= {f"{norm}.weight": (state,), f"{norm}.bias": (state,)}
        return found


@attrs.frozen(eq=False)
class Checkpoint:
    """A Whisper's sizes and tensors, by OpenAI's names.

    ``folder``: the Hugging Face folder it is from, which has its tokenizer; None for OpenAI's own format.
    ``generation``: what that folder says of tokens never written, languages and the heads that follow the sound.
    """

    dims: Dimensions
    tensors: Mapping[str, Array]
    folder: Path | None = None
    generation: Mapping[str, Any] = attrs.field(factory=dict)


def read(path: Path) -> Checkpoint:
    """A checkpoint of OpenAI's (a file), or a Hugging Face folder with a Whisper.

    Raises:
        ModelError: it is neither, or not whole. The message says what is wrong.
        MissingDependencyError: torch or safetensors is needed to read it, and is not installed.
    """
    if not path.exists():
        raise ModelError(f"{path} does not exist; give a Whisper checkpoint of OpenAI's (.pt) or a Hugging Face folder")
    found = _hub(path) if path.is_dir() else _openai(path)
    shapes = found.dims.shapes()
    missing = sorted(shapes.keys() - found.tensors.keys())
    unknown = sorted(found.tensors.keys() - shapes.keys())
    if missing or unknown:
        what = [f"lacks {_few(missing)}"] * bool(missing) + [f"has {_few(unknown)} besides"] * bool(unknown)
        raise ModelError(f"{path} is no Whisper of the sizes it says: it {' and '.join(what)}")
    for name, shape in shapes.items():
        if found.tensors[name].shape != shape:
            raise ModelError(f"{path} is damaged: {name} is {found.tensors[name].shape} where {shape} belongs")
    return found


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            f"this checkpoint is read with torch, and {error.name or error} could not be imported: "
            "pip install 'videoannotator-speech-recognition[openai]'"
        ) from error
    return torch


def _unpickled(path: Path) -> Any:
    """What torch has saved, without running what it may hold. Tensors stay in the file until they are used."""
    torch = _torch()
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path} is no checkpoint that torch has saved; fetch it again")
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except _UNREADABLE as error:
        raise ModelError(f"{path} is damaged, or holds more than tensors: {error}; fetch it again") from error


def _array(tensor: Any) -> Array:
    torch = _torch()
    whole = tensor.detach().to(torch.float32) if tensor.dtype == torch.bfloat16 else tensor.detach()
    array: Array = whole.contiguous().numpy()  # NumPy has no bfloat16
    return array


def _openai(path: Path) -> Checkpoint:
    found = _unpickled(path)
    if not isinstance(found, Mapping) or not {"dims", "model_state_dict"} <= found.keys():
        raise ModelError(f"{path} is no Whisper checkpoint of OpenAI's: it has no dims and model_state_dict")
    try:
        dims = Dimensions(**{name: int(size) for name, size in found["dims"].items()})
        tensors = {name: _array(tensor) for name, tensor in found["model_state_dict"].items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} is no Whisper checkpoint of OpenAI's: {error}") from error
    return Checkpoint(dims, tensors)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}; fetch the model again") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no settings; fetch the model again")
    return found


def _hub(folder: Path) -> Checkpoint:
    if (folder / "model.bin").is_file() and not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} is for CTranslate2 already; use it as it is")
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no Hugging Face folder: it has no config.json")
    config = _json(folder / "config.json")
    if config.get("model_type") != "whisper":
        raise ModelError(f"{folder} holds no Whisper: its config.json says model_type {config.get('model_type')!r}")
    for name, wanted in (("activation_function", "gelu"), ("scale_embedding", False)):
        if config.get(name, wanted) != wanted:
            raise ModelError(f"{folder}: {name} is {config[name]!r}, and Whisper has {wanted!r}")
    try:
        dims = Dimensions(
            n_mels=config["num_mel_bins"],
            n_audio_ctx=config["max_source_positions"],
            n_audio_state=config["d_model"],
            n_audio_head=config["encoder_attention_heads"],
            n_audio_layer=config["encoder_layers"],
            n_vocab=config["vocab_size"],
            n_text_ctx=config["max_target_positions"],
            n_text_state=config["d_model"],
            n_text_head=config["decoder_attention_heads"],
            n_text_layer=config["decoder_layers"],
        )
    except KeyError as error:
        raise ModelError(f"{folder}/config.json does not say {error}; fetch the model again") from error
    tensors = dict(_renamed(_stored(folder)))
    projection = tensors.pop("proj_out.weight", None)
    table = tensors.get("decoder.token_embedding.weight")
    if projection is not None and table is not None and not np.array_equal(projection, table):
        raise ModelError(f"{folder}: proj_out is not the table of the tokens, as it is in Whisper")
    written = folder / "generation_config.json"
    return Checkpoint(dims, tensors, folder, config | (_json(written) if written.is_file() else {}))


def _renamed(stored: Iterator[tuple[str, Array]]) -> Iterator[tuple[str, Array]]:
    for hub_name, tensor in stored:
        name = hub_name
        for pattern, ours in _HUB:
            name = re.sub(pattern, ours, name)
        yield name, tensor


def _stored(folder: Path) -> Iterator[tuple[str, Array]]:
    """Every tensor of a Hugging Face folder: safetensors, in one file or several, else what torch has saved."""
    for stem, read_file in (("model.safetensors", _safetensors), ("pytorch_model.bin", _pickled)):
        index = folder / f"{stem}.index.json"
        if (folder / stem).is_file():
            yield from read_file(folder / stem)
            return
        if index.is_file():
            for name in sorted(set(_json(index).get("weight_map", {}).values())):
                if not (folder / name).is_file():
                    raise ModelError(f"{folder} lacks {name}, which its {index.name} names; fetch it again")
                yield from read_file(folder / name)
            return
    raise ModelError(f"{folder} has neither model.safetensors nor pytorch_model.bin; fetch it again")


def _pickled(path: Path) -> Iterator[tuple[str, Array]]:
    found = _unpickled(path)
    if not isinstance(found, Mapping):
        raise ModelError(f"{path} holds no tensors by name; fetch it again")
    for name, tensor in found.items():
        yield str(name), _array(tensor)


def _safetensors(path: Path) -> Iterator[tuple[str, Array]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingDependencyError(
            f"{path} is read with safetensors, and {error.name or error} could not be imported: pip install safetensors"
        ) from error
    try:
        with safe_open(path, framework="numpy") as file:
            small = all(file.get_slice(name).get_dtype() != "BF16" for name in file.keys())  # noqa: SIM118 - no mapping
            if small:
                for name in file.keys():  # noqa: SIM118 - as above
                    yield name, file.get_tensor(name)
                return
        _torch()  # NumPy has no bfloat16
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - as above
                yield name, _array(file.get_tensor(name))
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged: {error}; fetch it again") from error
