"""LR-ASD: a network that tells from a face and a sound whether the face is speaking.

Liao, Duan, Feng, Zhao, Yang, Chen, Chen, *LR-ASD: Lightweight and Robust Network for Active Speaker Detection*,
International Journal of Computer Vision, 2025; https://github.com/Junhua-Liao/LR-ASD (MIT). 0.84 million parameters.
Names of the parts are those of its checkpoints.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from videoannotator.errors import ModelError

__all__ = ["LRASD", "REACH", "load"]

REACH = 9
"""Pictures before and after one on which its numbers depend: three blocks, each of 5 and 3 pictures."""

_MEAN, _DEVIATION = 0.4161, 0.1688  # of grey levels, 0..1
_NORM = {"momentum": 0.01, "eps": 0.001}
_UNREADABLE = (AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)


class _VisualBlock(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two convolutions over the picture, two over time."""

    def __init__(self, given: int, made: int, *, halves: bool = False) -> None:
        super().__init__()
        stride = (1, 2, 2) if halves else (1, 1, 1)
        self.s_1 = nn.Conv3d(given, made // 2, (1, 5, 5), stride=stride, padding=(0, 2, 2), bias=False)
        self.s_norm_1 = nn.BatchNorm3d(made // 2, **_NORM)
        self.s_2 = nn.Conv3d(made // 2, made, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.s_norm_2 = nn.BatchNorm3d(made, **_NORM)
        self.t_1 = nn.Conv3d(made, made, (5, 1, 1), padding=(2, 0, 0), bias=False)
        self.t_norm_1 = nn.BatchNorm3d(made, **_NORM)
        self.t_2 = nn.Conv3d(made, made, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.t_norm_2 = nn.BatchNorm3d(made, **_NORM)

    def forward(self, x: Tensor) -> Tensor:
        x = self.s_norm_1(self.s_1(x)).relu()
        x = self.s_norm_2(self.s_2(x)).relu()
        x = self.t_norm_1(self.t_1(x)).relu()
        return torch.relu(self.t_norm_2(self.t_2(x)))


class _AudioBlock(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Two convolutions over the coefficients, two over time."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.m_1 = nn.Conv2d(given, made // 2, (5, 1), padding=(2, 0), bias=False)
        self.m_norm_1 = nn.BatchNorm2d(made // 2, **_NORM)
        self.m_2 = nn.Conv2d(made // 2, made, (3, 1), padding=(1, 0), bias=False)
        self.m_norm_2 = nn.BatchNorm2d(made, **_NORM)
        self.t_1 = nn.Conv2d(made, made, (1, 5), padding=(0, 2), bias=False)
        self.t_norm_1 = nn.BatchNorm2d(made, **_NORM)
        self.t_2 = nn.Conv2d(made, made, (1, 3), padding=(0, 1), bias=False)
        self.t_norm_2 = nn.BatchNorm2d(made, **_NORM)

    def forward(self, x: Tensor) -> Tensor:
        x = self.m_norm_1(self.m_1(x)).relu()
        x = self.m_norm_2(self.m_2(x)).relu()
        x = self.t_norm_1(self.t_1(x)).relu()
        return torch.relu(self.t_norm_2(self.t_2(x)))


class _Visual(nn.Module):  # type: ignore[misc]  # torch is not typed here
    def __init__(self) -> None:
        super().__init__()
        self.block1 = _VisualBlock(1, 32, halves=True)
        self.block2 = _VisualBlock(32, 64)
        self.block3 = _VisualBlock(64, 128)

    def forward(self, x: Tensor) -> Tensor:
        for block in (self.block1, self.block2):
            x = nn.functional.max_pool3d(block(x), (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        return torch.amax(self.block3(x), dim=(3, 4)).transpose(1, 2)


class _Audio(nn.Module):  # type: ignore[misc]  # torch is not typed here
    def __init__(self) -> None:
        super().__init__()
        self.block1 = _AudioBlock(1, 32)
        self.block2 = _AudioBlock(32, 64)
        self.block3 = _AudioBlock(64, 128)

    def forward(self, x: Tensor) -> Tensor:
        for block in (self.block1, self.block2):
            x = nn.functional.max_pool2d(block(x), (1, 3), stride=(1, 2), padding=(0, 1))
        return torch.mean(self.block3(x), dim=2).transpose(1, 2)


class _Fusion(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Both, each channel weighed by all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm1d(channels, **_NORM)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        both = torch.cat((first, second), dim=2).transpose(1, 2)
        return torch.transpose(both * torch.sigmoid(self.bn(self.attention(both))), 1, 2)


class _Detector(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """Over time, forwards and backwards."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru_forward = nn.GRU(channels, channels // 4, batch_first=True)
        self.gru_backward = nn.GRU(channels, channels // 4, batch_first=True)
        self.attention = _Fusion(channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        forwards, _ = self.gru_forward(x)
        backwards, _ = self.gru_backward(x.flip(1))
        fused: Tensor = self.attention(forwards, backwards.flip(1))
        return fused


class LRASD(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """The network, for telling only: dropout, which acts in training, is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.visualEncoder = _Visual()
        self.audioEncoder = _Audio()
        self.fusion = _Fusion(256)
        self.detector = _Detector(256)
        self.FC = nn.Linear(128, 2)

    def faces(self, pictures: Tensor) -> Tensor:
        """What is seen in grey faces (N, T, 112, 112), 0..255: (N, T, 128)."""
        x: Tensor = self.visualEncoder(((pictures.float() / 255 - _MEAN) / _DEVIATION).unsqueeze(1))
        return x

    def forward(self, seen: Tensor, coefficients: Tensor) -> Tensor:
        """Probability of speaking (N, T). ``seen``: of `faces`; ``coefficients``: MFCC (N, 4 T, 13)."""
        heard = self.audioEncoder(coefficients.float().transpose(1, 2).unsqueeze(1))
        said = self.FC(self.detector(self.fusion(heard, seen)))
        return torch.softmax(said, dim=2)[:, :, 1]


def load(path: Path, device: str) -> LRASD:
    """The network of a checkpoint, as its authors save one: ``model.*`` and ``lossAV.FC.*``; ``lossV`` is for training.

    Raises `ModelError` for a file that is something else.
    """
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        parts = {
            key.removeprefix("model.").removeprefix("lossAV."): value
            for key, value in kept.items()
            if key.startswith(("model.", "lossAV.FC."))
        }
        network = LRASD()
        network.load_state_dict(parts)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path} is no checkpoint of LR-ASD: {reason}; active_speaker.weights takes finetuning_TalkSet.model or "
            "pretrain_AVA.model of https://github.com/Junhua-Liao/LR-ASD"
        ) from error
    network.eval().to(device)
    return network
