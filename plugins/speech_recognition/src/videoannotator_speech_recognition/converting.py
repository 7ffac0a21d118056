"""Whisper checkpoints as CTranslate2 reads them: OpenAI's ``.pt`` files and folders of the Hugging Face hub.

CTranslate2's own converter goes through ``transformers``; this one maps the tensors by their names. What it gives is
what ``faster_whisper.WhisperModel`` loads: ``model.bin``, ``config.json``, ``vocabulary.json``, ``tokenizer.json``,
``preprocessor_config.json``. The layout is that of CTranslate2's ``WhisperSpec``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from videoannotator.errors import DataError, ModelError
from videoannotator_speech_recognition import tokens
from videoannotator_speech_recognition.reading import Array, Checkpoint, Dimensions, read

__all__ = ["QUANTIZATIONS", "converted", "is_converted"]

QUANTIZATIONS = ("float32", "float16", "int8", "int8_float16", "int8_float32")
"""How weights can be stored. CTranslate2 changes them to what it computes with when it loads them: a half precision
checkpoint stored as ``float16`` and computed as float32 loses nothing."""

_FILES = ("model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json")
_PARTS = {"attn": "self_attention", "cross_attn": "attention"}


def is_converted(folder: Path) -> bool:
    """Whether a folder has a Whisper for CTranslate2, and all that faster-whisper wants beside it."""
    return all((folder / name).is_file() for name in _FILES)


def converted(checkpoint: Path, folder: Path, *, quantization: str = "float32") -> Path:
    """The checkpoint as a folder for CTranslate2; a folder that is there and whole is given back as it is.

    So name the folder by the checkpoint's content and the quantization. It is made beside its place, by one process at
    a time, and moved there when it is whole.

    Raises:
        DataError: the quantization is none of `QUANTIZATIONS`.
        ModelError: the checkpoint is no Whisper, or not whole; or the folder holds something else.
        MissingDependencyError: what the checkpoint is read with is not installed.
    """
    if quantization not in QUANTIZATIONS:
        raise DataError(f"quantization {quantization!r} is none of {', '.join(QUANTIZATIONS)}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if is_converted(folder):
            return folder
        if folder.exists():
            raise ModelError(f"{folder} is there and no model for CTranslate2; remove it, or name another folder")
        working = f".{folder.name}."
        for left in folder.parent.glob(f"{working}*.part"):  # of a conversion that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=working, suffix=".part", dir=folder.parent) as name:
            part = Path(name) / "whole"
            part.mkdir()
            _write(read(checkpoint), checkpoint, part, quantization)
            part.rename(folder)
    return folder


def _write(found: Checkpoint, source: Path, folder: Path, quantization: str) -> None:
    dims = found.dims
    tokenizer = tokens.from_ranks(dims.n_vocab) if found.folder is None else tokens.from_folder(found.folder)
    spec = _spec(dims, dict(found.tensors))
    names = tokens.names(tokenizer, dims.n_vocab)
    spec.register_vocabulary(names)
    heads = _known_heads(source, dims) if found.folder is None else None
    _configure(spec.config, found, tokenizer, names, heads)
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    sound = {"feature_size": dims.n_mels, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(sound, indent=2), encoding="utf-8")


def _spec(dims: Dimensions, tensors: dict[str, Array]) -> Any:
    """CTranslate2's specification with every tensor in its place; ``tensors`` is used up."""
    from ctranslate2.specs.whisper_spec import WhisperSpec

    spec = WhisperSpec(dims.n_audio_layer, dims.n_audio_head, dims.n_text_layer, dims.n_text_head)
    for conv in ("conv1", "conv2"):
        _set(getattr(spec.encoder, conv), tensors, f"encoder.{conv}")
    for side, last in ((spec.encoder, "encoder.ln_post"), (spec.decoder, "decoder.ln")):
        _norm(side.layer_norm, tensors, last)
        name = last.partition(".")[0]
        side.position_encodings.encodings = tensors.pop(f"{name}.positional_embedding")
        for number, layer in enumerate(side.layer):
            block = f"{name}.blocks.{number}"
            for ours, theirs in _PARTS.items():
                if hasattr(layer, theirs):
                    _attention(getattr(layer, theirs), tensors, f"{block}.{ours}")
            _norm(layer.ffn.layer_norm, tensors, f"{block}.mlp_ln")
            _set(layer.ffn.linear_0, tensors, f"{block}.mlp.0")
            _set(layer.ffn.linear_1, tensors, f"{block}.mlp.2")
    table = tensors.pop("decoder.token_embedding.weight")
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = table
    if tensors:
        raise ModelError(f"nothing was made of {', '.join(tensors)}")
    return spec


def _set(place: Any, tensors: dict[str, Array], name: str) -> None:
    place.weight, place.bias = tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.bias")


def _norm(place: Any, tensors: dict[str, Array], name: str) -> None:
    place.gamma, place.beta = tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.bias")


def _attention(place: Any, tensors: dict[str, Array], name: str) -> None:
    """Queries, keys and values are one matrix where all are of the text, two where keys and values are of the sound."""
    _norm(place.layer_norm, tensors, f"{name}_ln")
    weights = [tensors.pop(f"{name}.{part}.weight") for part in ("query", "key", "value")]
    query, value = tensors.pop(f"{name}.query.bias"), tensors.pop(f"{name}.value.bias")
    biases = [query, np.zeros_like(query), value]  # Whisper's keys have none
    joined = ((0, 3),) if len(place.linear) == 2 else ((0, 1), (1, 3))
    for linear, (first, end) in zip(place.linear, joined, strict=False):
        linear.weight, linear.bias = np.concatenate(weights[first:end]), np.concatenate(biases[first:end])
    _set(place.linear[-1], tensors, f"{name}.out")


def _configure(config: Any, found: Checkpoint, tokenizer: Any, names: list[str], heads: Any) -> None:
    """Tokens never written, languages, and the heads whose attention follows the sound."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES, Tokenizer

    wrapped = Tokenizer(tokenizer, multilingual=False)
    said: Mapping[str, Any] = found.generation
    special = (wrapped.sot, wrapped.translate, wrapped.transcribe, wrapped.sot_lm, wrapped.sot_prev, wrapped.no_speech)
    never = sorted({*wrapped.non_speech_tokens, *(token for token in special if token is not None)})
    config.suppress_ids = said.get("suppress_tokens") or never
    config.suppress_ids_begin = said.get("begin_suppress_tokens") or [wrapped.encode(" ")[0], wrapped.eot]
    languages = {f"<|{code}|>" for code in _LANGUAGE_CODES}
    ids = said.get("lang_to_id", {}).values() or (n for n, name in enumerate(names) if name in languages)
    config.lang_ids = sorted(ids)
    dims = found.dims
    last_half = [[n, m] for n in range(dims.n_text_layer // 2, dims.n_text_layer) for m in range(dims.n_text_head)]
    # the last half is what openai-whisper takes for a file of unknown name
    config.alignment_heads = heads or said.get("alignment_heads") or last_half


def _known_heads(source: Path, dims: Dimensions) -> list[list[int]] | None:
    """The heads that openai-whisper names for this file, if it is OpenAI's own; its addresses have the SHA-256."""
    import whisper

    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = next((name for name, address in whisper._MODELS.items() if f"/{digest}/" in address), None)
    if name is None:
        return None
    flags = np.frombuffer(gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[name])), dtype=bool)
    found: list[list[int]] = np.argwhere(flags.reshape(dims.n_text_layer, dims.n_text_head)).tolist()
    return found
