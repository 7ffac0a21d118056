"""A small pyannote pipeline fitted to the given excerpts, in the hub's files and folders.

pyannote's own weights are behind an agreement. So a segmentation network of pyannote's class (PyanNet, powerset of
three speakers, two at once) and a voice-print network of its class (WeSpeaker ResNet34, on 8 mel bands instead of 80)
are fitted to half a minute of each of four recordings until they can tell who speaks there, and saved as the hub has
them: by `community` in one folder with a PLDA, by `separate` in three, as 3.1 is. They say nothing about other
recordings, nor about pyannote's weights.

Only the last layers are fitted: the LSTM and what follows on random SincNet filters, and the last linear layer on a
random ResNet. That takes seconds, and finds these few voices apart::

    python plugins/speaker_diarization/tests/fitting.py ASSETS FOLDER
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import yaml
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from pyannote.database.util import load_rttm

EXCERPTS = ("sample_two_speakers", "ami_dev00", "ami_trn05", "ami_trn08")
RATE = 16000
_STEPS, _STRIDE = 220, 1.0  # of fitting; seconds between the pieces that are fitted to

VBX = {
    "dependencies": {"pyannote.audio": "4.0.0"},
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "VBxClustering",
            "segmentation": "$model/segmentation",
            "segmentation_batch_size": 32,
            "embedding": "$model/embedding",
            "embedding_batch_size": 32,
            "embedding_exclude_overlap": True,
            "plda": "$model/plda",
        },
    },
    "params": {
        "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
        "segmentation": {"min_duration_off": 0.0},
    },
}
"""``config.yaml`` of ``pyannote/speaker-diarization-community-1``."""

AGGLOMERATIVE = {
    "version": "3.1.0",
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "AgglomerativeClustering",
            "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
            "embedding_batch_size": 32,
            "embedding_exclude_overlap": True,
            "segmentation": "pyannote/segmentation-3.0",
            "segmentation_batch_size": 32,
        },
    },
    "params": {
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
        "segmentation": {"min_duration_off": 0.0},
    },
}
"""``config.yaml`` of ``pyannote/speaker-diarization-3.1``."""


def sound_of(path: Path) -> torch.Tensor:
    """Mono at 16 kHz, float32 (1, N)."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", RATE)
        heard = [part.to_ndarray() for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        heard += [part.to_ndarray() for part in resampler.resample(None)]
    return torch.from_numpy(np.concatenate(heard, axis=1)).reshape(1, -1)


def reference_of(assets: Path, name: str) -> Any:
    """Who speaks when, as a ``pyannote.core.Annotation``."""
    (reference,) = load_rttm(assets / "audio" / f"{name}.rttm").values()
    return reference


def _activity(reference: Any, begin: float, duration: float, frames: int) -> np.ndarray:
    """Which of the three who speak most in a piece speaks in each frame, (frames, 3)."""
    middles = begin + (np.arange(frames) + 0.5) * duration / frames
    found = []
    for speaker in reference.labels():
        timeline = reference.label_timeline(speaker)
        found.append(np.array([bool(timeline.overlapping(time)) for time in middles], dtype=np.float32))
    found = sorted(found, key=lambda active: -active.sum())[:3]
    found += [np.zeros(frames, np.float32)] * (3 - len(found))
    return np.stack(found, axis=1)


def fit_segmentation(assets: Path) -> PyanNet:
    """A PyanNet for pieces of 10 s that says who of up to three speakers speaks."""
    torch.manual_seed(1)
    model = PyanNet(lstm={"hidden_size": 48, "num_layers": 1}, linear={"hidden_size": 32, "num_layers": 1})
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    model.build()
    powerset = Powerset(3, 2)
    heard, wanted = [], []
    for name in EXCERPTS:
        sound, reference = sound_of(assets / "audio" / f"{name}.wav"), reference_of(assets, name)
        for begin in np.arange(0.0, sound.shape[1] / RATE - 10.0 + 1e-6, _STRIDE):
            with torch.inference_mode():
                piece = sound[None, :, round(begin * RATE) :][:, :, : 10 * RATE]
                heard.append(model.sincnet(piece)[0].T)
            wanted.append(torch.from_numpy(_activity(reference, begin, 10.0, len(heard[-1]))))
    features, active = torch.stack(heard).clone(), torch.stack(wanted)
    # the order of the speakers in a piece does not matter: the best of the six is what is fitted to
    orders = [
        powerset.to_powerset(active[:, :, list(order)]).argmax(dim=-1) for order in itertools.permutations(range(3))
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    generator = torch.Generator().manual_seed(2)
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 8e-3 * (1 - step / _STEPS) + 1e-4
        some = torch.randint(len(features), (16,), generator=generator)
        said = features[some]
        said, _ = model.lstm(said)
        for linear in model.linear:
            said = torch.nn.functional.leaky_relu(linear(said))
        said = model.activation(model.classifier(said)).flatten(0, 1)
        losses = torch.stack(
            [
                torch.nn.functional.nll_loss(said, order[some].flatten(), reduction="none").view(len(some), -1).mean(1)
                for order in orders
            ]
        )
        optimizer.zero_grad()
        losses.min(dim=0).values.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return model.eval()


def fit_embedding(assets: Path) -> WeSpeakerResNet34:
    """A WeSpeaker ResNet34 on 8 mel bands whose last layer sends each of the voices another way."""
    torch.manual_seed(3)
    model = WeSpeakerResNet34(num_mel_bins=8).eval()
    model.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    stats, whose = [], []
    for name in EXCERPTS:
        sound, reference = sound_of(assets / "audio" / f"{name}.wav"), reference_of(assets, name)
        alone = _activity_of_all(reference, 300)
        for begin in np.arange(0.0, sound.shape[1] / RATE - 10.0 + 1e-6, 1.0):
            with torch.inference_mode():
                piece = sound[None, :, round(begin * RATE) :][:, :, : 10 * RATE]
                frames = model.forward_frames(piece)
                for speaker, active in alone.items():
                    mask = active[round(begin * 10) :][:100]
                    for part in (mask, np.where(np.arange(100) < 50, mask, 0), np.where(np.arange(100) < 50, 0, mask)):
                        if part.sum() >= 10:
                            weights = torch.from_numpy(part.astype(np.float32))[None]
                            stats.append(model.resnet.pool(frames, weights=weights)[0])
                            whose.append(f"{name} {speaker}")
    seen, speakers = torch.stack(stats).double(), sorted(set(whose))
    ways = torch.linalg.qr(torch.randn(256, len(speakers), dtype=torch.float64))[0]
    wanted = ways[:, [speakers.index(speaker) for speaker in whose]].T * 10
    mean, spread = seen.mean(0), seen.std(0) + 1e-6
    scaled = (seen - mean) / spread
    solved = torch.linalg.solve(scaled.T @ scaled + 5.0 * torch.eye(seen.shape[1]), scaled.T @ wanted)
    with torch.no_grad():
        model.resnet.seg_1.weight.copy_((solved / spread[:, None]).T.float())
        model.resnet.seg_1.bias.copy_((-(mean / spread) @ solved).float())
    return model


def _activity_of_all(reference: Any, frames: int) -> dict[str, np.ndarray]:
    """Where each speaker speaks alone, by tenths of a second."""
    many = {
        speaker: np.array([bool(reference.label_timeline(speaker).overlapping((n + 0.5) / 10)) for n in range(frames)])
        for speaker in reference.labels()
    }
    alone = np.sum(list(many.values()), axis=0) == 1
    return {speaker: active & alone for speaker, active in many.items()}


def save(model: Any, folder: Path, *, lightning: str = "2.5.2") -> Path:
    """A checkpoint as pyannote's ``convert.py`` and lightning save one."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint: dict[str, Any] = {
        "state_dict": model.state_dict(),
        "hparams_name": "kwargs",
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning,
    }
    model.on_save_checkpoint(checkpoint)
    checkpoint["pyannote.audio"]["versions"]["torch"] = torch.__version__  # as versions of pyannote before 4 did
    torch.save(checkpoint, folder / "pytorch_model.bin")
    return folder


def save_plda(folder: Path) -> Path:
    """A PLDA of 256 numbers that keeps half of the space and scales it alike: mu, tr, psi, and the LDA before it."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = np.linalg.qr(np.random.default_rng(4).normal(size=(256, 128)))[0]
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=kept)
    np.savez(folder / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(6.0, 4.0, 128))
    return folder


def write_config(folder: Path, config: Any) -> Path:
    """The pipeline's ``config.yaml`` in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


def community(folder: Path, segmentation: Any, embedding: Any) -> Path:
    """A pipeline in one folder, as ``pyannote/speaker-diarization-community-1`` is."""
    save(segmentation, folder / "segmentation")
    save(embedding, folder / "embedding")
    save_plda(folder / "plda")
    return write_config(folder, VBX)


def separate(folder: Path, segmentation: Any, embedding: Any) -> Path:
    """A pipeline in three folders, as ``pyannote/speaker-diarization-3.1`` is; gives the folder of all three."""
    save(segmentation, folder / "segmentation-3.0", lightning="1.6.5")
    save(embedding, folder / "wespeaker-voxceleb-resnet34-LM")
    write_config(folder / "speaker-diarization-3.1", AGGLOMERATIVE)
    return folder


if __name__ == "__main__":
    torch.set_num_threads(1)
    assets, folder = map(Path, sys.argv[1:])
    networks = fit_segmentation(assets), fit_embedding(assets)
    community(folder / "speaker-diarization-community-1", *networks)
    separate(folder, *networks)
