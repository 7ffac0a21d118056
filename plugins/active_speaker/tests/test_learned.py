"""LR-ASD: the network against a plain restatement, its features against the package they come from, and a whole run.

The authors' weights cannot be had here: weights are random, in the authors' layout and real size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

import videoannotator as va
from videoannotator import AudioTrack, TimeSpan
from videoannotator.discover.catalog import Catalog
from videoannotator.errors import ModelError
from videoannotator_active_speaker.features import mfcc
from videoannotator_active_speaker.learned import Learned, Watching, cut
from videoannotator_active_speaker.network import LRASD, load
from videoannotator_active_speaker.tracks import FaceTrack

Weights = dict[str, torch.Tensor]


def _weights(seed: int, bias: float = 0.0) -> Weights:
    """A checkpoint: names as its authors' training saves them."""
    torch.manual_seed(seed)
    network = LRASD()
    kept = {}
    for name, value in network.state_dict().items():
        key = f"lossAV.{name}" if name.startswith("FC.") else f"model.{name}"
        if name.endswith("running_var"):
            kept[key] = torch.rand_like(value) + 0.5
        elif value.dtype == torch.float32 and ("norm" in name or ".bn." in name):
            kept[key] = value + 0.3 * torch.randn_like(value)
        else:
            kept[key] = value.clone()
    kept["lossAV.FC.bias"] = torch.tensor([-bias, bias])
    kept["lossV.FC.weight"], kept["lossV.FC.bias"] = torch.zeros(2, 128), torch.zeros(2)  # of training
    return kept


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """``random``; and ``always``, ``never``: the same, sure that every face speaks, or that none does."""
    folder = tmp_path_factory.mktemp("weights")
    for name, bias in (("random", 0.0), ("always", 8.0), ("never", -8.0)):
        torch.save(_weights(3, bias), folder / f"{name}.model")
    return {name: folder / f"{name}.model" for name in ("random", "always", "never")}


def _restated(weights: Weights, pictures: torch.Tensor, sound: torch.Tensor) -> torch.Tensor:
    """LR-ASD as its paper's code computes it, from the tensors of a checkpoint."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        names = (f"model.{name}.{part}" for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *(weights[n] for n in names), training=False, eps=0.001)

    def convolved(x: torch.Tensor, block: str, kind: str, number: int, halves: bool) -> torch.Tensor:
        weight = weights[f"model.{block}.{kind}_{number}.weight"]
        padding = tuple((size - 1) // 2 for size in weight.shape[2:])
        stride = (1, 2, 2) if halves else 1
        x = (
            F.conv3d(x, weight, stride=stride, padding=padding)
            if x.dim() == 5
            else F.conv2d(x, weight, padding=padding)
        )
        return F.relu(norm(x, f"{block}.{kind}_norm_{number}"))

    def encoded(x: torch.Tensor, encoder: str, kinds: str) -> torch.Tensor:
        for n in (1, 2, 3):
            for kind in kinds:
                for number in (1, 2):
                    halves = encoder == "visualEncoder" and (n, kind, number) == (1, "s", 1)
                    x = convolved(x, f"{encoder}.block{n}", kind, number, halves)
            if n < 3 and x.dim() == 5:
                x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            elif n < 3:
                x = F.max_pool3d(x, (1, 1, 3), (1, 1, 2), (0, 0, 1))  # as upstream pools pictures of four dimensions
        return x

    def fused(a: torch.Tensor, b: torch.Tensor, name: str) -> torch.Tensor:
        both = torch.cat((a, b), 2).transpose(1, 2)
        share = norm(F.conv1d(both, weights[f"model.{name}.attention.weight"]), f"{name}.bn").sigmoid()
        return (both * share).transpose(1, 2)

    def gru(x: torch.Tensor, name: str) -> torch.Tensor:
        w, u, b, c = (
            weights[f"model.detector.{name}.{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        state, states = torch.zeros(x.shape[0], u.shape[1]), []
        for step in x.transpose(0, 1):
            ours, past = (step @ w.T + b).chunk(3, 1), (state @ u.T + c).chunk(3, 1)
            reset, update = (ours[0] + past[0]).sigmoid(), (ours[1] + past[1]).sigmoid()
            state = (1 - update) * (ours[2] + reset * past[2]).tanh() + update * state
            states.append(state)
        return torch.stack(states, 1)

    seen = encoded(((pictures / 255 - 0.4161) / 0.1688)[:, None], "visualEncoder", "st").amax((3, 4)).transpose(1, 2)
    heard = encoded(sound[:, None].transpose(2, 3), "audioEncoder", "mt").mean(2).transpose(1, 2)
    both = fused(heard, seen, "fusion")
    both = fused(gru(both, "gru_forward"), gru(both.flip(1), "gru_backward").flip(1), "detector.attention")
    return F.linear(both, weights["lossAV.FC.weight"], weights["lossAV.FC.bias"]).softmax(2)[:, :, 1]


def test_the_network_is_the_published_one(checkpoints: Mapping[str, Path]) -> None:
    weights = _weights(3)
    assert sum(key.startswith("model.") for key in weights) == 164
    network = load(checkpoints["random"], "cpu")
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == 0.84
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (1, 14, 112, 112), generator=generator).float()
    sound = 10 * torch.randn(1, 56, 13, generator=generator)
    with torch.inference_mode():
        ours = network(network.faces(pictures), sound)
        theirs = _restated(weights, pictures, sound)
    assert ours.shape == (1, 14)
    assert float(theirs.std()) > 1e-4  # it says different things of different moments
    assert ours.numpy() == pytest.approx(theirs.numpy(), abs=2e-5)


def test_features_are_those_of_python_speech_features(voices: Any) -> None:
    theirs = pytest.importorskip("python_speech_features")
    for count in (16000, 16123, 399, 400, 1):
        samples = voices.samples[32000 : 32000 + count]
        expected = theirs.mfcc(samples.astype(np.float64) * 32768, 16000, numcep=13, winlen=0.025, winstep=0.010)
        assert mfcc(samples) == pytest.approx(expected, abs=1e-6)
    assert np.isfinite(mfcc(np.zeros(1000, dtype=np.float32))).all()
    assert mfcc(np.empty(0, dtype=np.float32)).shape == (0, 13)


def _watched(learned: Learned, count: int, every: int) -> tuple[Watching, list[np.ndarray[Any, Any]], FaceTrack]:
    rng = np.random.default_rng(5)
    times = np.arange(count) / 25
    boxes = np.tile([100.0, 60.0, 180.0, 150.0], (count, 1))
    track = FaceTrack(1, times, np.zeros((count, 5, 2)), np.zeros(count), (TimeSpan(0, count / 25),), boxes)
    watching = Watching(learned, {1: track})
    pictures = [rng.integers(0, 256, (240, 320), dtype=np.uint8) for _ in range(0, count, every)]
    for n, picture in enumerate(pictures):
        watching.look(picture, n * every / 25, (1.0, 1.0))
        state = watching.state()
        if n % 30 == 7:
            watching = Watching(learned, {1: track})
            watching.restore(state)
    return watching, pictures, track


@pytest.mark.parametrize("every", [1, 2])
def test_piece_by_piece_it_says_the_same_as_of_the_whole(
    checkpoints: Mapping[str, Path], voices: Any, every: int
) -> None:
    learned = Learned(checkpoints["random"], device="cpu", threads=1)
    count = 140 // every * every
    watching, pictures, track = _watched(learned, count, every)
    times, said = watching.finish(AudioTrack(voices.samples, 16000))[1]
    learned.close()
    faces = [cut(picture, track.boxes[0]) for picture in pictures]
    stack = np.repeat(np.stack(faces), every, axis=0)[: len(times)]
    network = load(checkpoints["random"], "cpu")
    with torch.inference_mode():
        seen = network.faces(torch.from_numpy(stack)[None])
        expected = network(seen, torch.from_numpy(mfcc(voices.samples)[: 4 * len(stack)])[None])[0].numpy()
    assert times == pytest.approx(np.arange(len(stack)) / 25)
    assert said == pytest.approx(expected, abs=1e-4)


def test_moments_without_sound_say_nothing(checkpoints: Mapping[str, Path], voices: Any) -> None:
    learned = Learned(checkpoints["random"], device="cpu", threads=1)
    watching, _, _ = _watched(learned, 50, 1)
    times, said = watching.finish(AudioTrack(voices.samples[:16000], 16000, start=0.5))[1]
    learned.close()
    assert np.isfinite(said).tolist() == [bool(time >= 0.5 and time + 0.04 <= 1.5) for time in np.round(times, 6)]


def test_a_face_is_cut_out_as_by_its_authors() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (300, 300), dtype=np.uint8)
    box = np.array([100.0, 90.0, 180.0, 170.0])
    half, x, y = 40, 140, 130  # a square of 112 pixels is scaled to 224, of which the middle 112 are seen
    import cv2

    square = picture[y - half : y + round(half * 1.8), x - round(half * 1.4) : x + round(half * 1.4)]
    expected = cv2.resize(square, (224, 224))[56:168, 56:168]
    assert np.abs(cut(picture, box).astype(int) - expected.astype(int)).max() <= 2


def test_its_word_stands_for_movement_and_synchrony(
    told: Callable[..., va.Result], checkpoints: Mapping[str, Path], voices: Any
) -> None:
    for name, verdict in (("always", "on_screen"), ("never", "off_screen")):
        result = told("one", weights=str(checkpoints[name]))
        rows = [row for row in result["active_speaker"].speaking if row.faces and row.end - row.start > 1]
        assert rows
        assert {row.on_screen for row in rows} == {verdict}
        assert all(row.network is not None and (row.network > 0) == (name == "always") for row in rows)
        faces = result["active_speaker"].frames
        assert {bool(face.network > 0.5) for face in faces if face.network is not None} == {name == "always"}
        (record,) = (r for r in result.provenance.pipelines if r.name == "active_speaker")
        assert [model.name for model in record.models] == [f"{name}.model"]


def test_other_files_are_refused(tmp_path: Path, films: Mapping[str, Path], diarized: Catalog) -> None:
    (tmp_path / "text.model").write_text("no")
    torch.save({"model.x": torch.zeros(3)}, tmp_path / "other.model")
    for file in ("text.model", "other.model"):
        with pytest.raises(ModelError, match="no checkpoint of LR-ASD"):
            load(tmp_path / file, "cpu")
