"""Whispers of random weights in the real files of both engines: they say nonsense, and say it everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WIDTH, LAYERS, HEADS, VOCABULARY = 64, 2, 2, 51865


def specials() -> list[str]:
    """The special tokens of the multilingual models, in order."""
    from whisper.tokenizer import get_encoding

    known = get_encoding("multilingual", 99)._special_tokens
    return sorted(known, key=known.__getitem__)


def hugging_tokenizer() -> Any:
    """OpenAI's multilingual vocabulary as the hub's repositories have it, by transformers' own converter."""
    import whisper
    from tokenizers import AddedToken
    from transformers.convert_slow_tokenizer import TikTokenConverter

    ranks = Path(whisper.__file__).parent / "assets" / "multilingual.tiktoken"
    words = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    tokenizer = TikTokenConverter(str(ranks), words, extra_special_tokens=[]).converted()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials()])
    return tokenizer


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper as CTranslate2 saves it, with what the hub's repositories have beside it."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(11)
    folder = tmp_path_factory.mktemp("hub")
    sizes: dict[str, Any] = {
        f"{side}_{what}": n
        for side in ("encoder", "decoder")
        for what, n in (("layers", LAYERS), ("attention_heads", HEADS), ("ffn_dim", 2 * WIDTH))
    }
    config = WhisperConfig(vocab_size=VOCABULARY, d_model=WIDTH, init_std=0.3, **sizes)
    WhisperForConditionalGeneration(config).save_pretrained(folder / "hf")
    tokenizer = hugging_tokenizer()
    TransformersConverter(str(folder / "hf")).convert(str(folder / "ct2"), quantization="float32")
    names = tokenizer.get_vocab(with_added_tokens=True)
    (folder / "ct2" / "vocabulary.json").write_text(json.dumps(sorted(names, key=names.__getitem__)))
    tokenizer.save(str(folder / "ct2" / "tokenizer.json"))
    about = json.loads((folder / "ct2" / "config.json").read_text())
    about["lang_ids"] = [names[f"<|{code}|>"] for code in ("en", "de", "ja", "ar")]
    about["suppress_ids"] = []
    (folder / "ct2" / "config.json").write_text(json.dumps(about))
    return folder / "ct2"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper as OpenAI publishes them."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(12)
    dims = ModelDimensions(80, 1500, WIDTH, HEADS, LAYERS, VOCABULARY, 448, WIDTH, HEADS, LAYERS)
    model = Whisper(dims)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    file = tmp_path_factory.mktemp("openai") / "random.pt"
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, file)
    return file


@pytest.fixture(scope="session")
def jfk(assets: Path) -> np.ndarray:
    """11 s of speech, 16 kHz mono, as the decoder gives it."""
    from videoannotator.data.needs import Audio
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    need = Audio(rate=16000)
    with DecodePass(probe(assets / "audio" / "jfk.flac"), [], [need]) as decoding:
        list(decoding)
        return np.asarray(decoding.tracks[need].samples)
