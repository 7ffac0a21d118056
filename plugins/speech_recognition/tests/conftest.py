"""A Whisper of random weights in the real files of both engines: it says nonsense, and says it everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from videoannotator_speech_recognition.converting import converted

WIDTH, LAYERS, HEADS, VOCABULARY = 64, 2, 2, 51865


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper as OpenAI publishes them."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    dims = ModelDimensions(80, 1500, WIDTH, HEADS, LAYERS, VOCABULARY, 448, WIDTH, HEADS, LAYERS)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(12)
        model = Whisper(dims)
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    file = tmp_path_factory.mktemp("openai") / "random.pt"
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, file)
    return file


@pytest.fixture(scope="session")
def hub_folder(checkpoint: Path) -> Path:
    """The same as CTranslate2 saves it, with what the hub's repositories have beside it."""
    return converted(checkpoint, checkpoint.parent / "ct2")


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
