"""pyannote's networks and PLDA, loaded from files: the formats of the hub, offline, and looked at before unpickled."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videoannotator.errors import ModelError
from videoannotator_speaker_diarization.layout import network_file
from videoannotator_speaker_diarization.library import quiet

__all__ = ["read_network", "read_plda"]

_UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, EOFError, ImportError)
_PLDA = ("xvec_transform.npz", "plda.npz")


def read_network(place: Path, *, device: str, trust: bool = False) -> Any:
    """A network in pyannote's format (a ``pyannote.audio.Model``), on ``device``, ready to be asked.

    ``place``: a ``pytorch_model.bin``, or the folder with one. It is a pickle that lightning saved; what is in it is
    looked at by torch's restricted unpickler first, which runs no code, and knows pyannote's ``Specifications``
    besides tensors and plain values. ``trust``: leave that out.
    Raises `ModelError` for a file that holds more, is something else, or lacks some of its network's parameters.
    """
    from pyannote.audio import Model
    from pyannote.audio.utils.dependencies import MissingDependency, WrongDependencyVersion

    file = network_file(place)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error}; fetch the model again, or name another path") from error
    kept = _looked_at(data, file, trust=trust)
    try:
        with quiet():
            model = Model.from_pretrained(io.BytesIO(data), map_location="cpu", strict=False)
            lacks = sorted(set(model.state_dict()) - set(kept["state_dict"]))
    except (*_UNREADABLE, MissingDependency, WrongDependencyVersion) as error:
        raise ModelError(f"{file} is no checkpoint of pyannote.audio that can be used here: {error}") from error
    if lacks:  # pyannote would go on with random numbers
        raise ModelError(f"{file} lacks {len(lacks)} parameters of its network, such as {lacks[0]}")
    return model.eval().to(torch.device(device))


def _looked_at(data: bytes, file: Path, *, trust: bool) -> dict[str, Any]:
    """The checkpoint as it was saved. Raises `ModelError` when it is not what pyannote saves."""
    from pyannote.audio.core.model import Introspection
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from torch.torch_version import TorchVersion

    known = [Specifications, Problem, Resolution, Introspection, TorchVersion]
    try:
        with torch.serialization.safe_globals(known):
            kept = torch.load(io.BytesIO(data), map_location="cpu", weights_only=not trust)
        architecture = kept["pyannote.audio"]["architecture"]
        module = str(architecture["module"])
        parameters = kept["state_dict"]
    except pickle.UnpicklingError as error:
        found = str(error).strip().partition("WeightsUnpickler error: ")[2].partition(" was not")[0]
        raise ModelError(
            f"{file} holds more than tensors and plain values"
            f"{f' ({found})' if found else ''}, or is no checkpoint. If you know where it comes from, set "
            "speaker_diarization.trust_checkpoints: then code that is in it may run"
        ) from error
    except _UNREADABLE as error:
        raise ModelError(f"{file} is no checkpoint of pyannote.audio: {error}") from error
    if not module.startswith("pyannote.audio.models.") and not trust:
        raise ModelError(
            f"{file} is of a network that is not pyannote.audio's own ({module}). If you know where it comes from, set "
            "speaker_diarization.trust_checkpoints: then the code of that module runs"
        )
    if not isinstance(parameters, dict):
        raise ModelError(f"{file} is no checkpoint of pyannote.audio: its state_dict is none")
    return dict(kept)


def read_plda(folder: Path) -> Any:
    """The PLDA (a ``pyannote.audio.core.plda.PLDA``) in a folder with ``xvec_transform.npz`` and ``plda.npz``.

    Both are read without unpickling. Raises `ModelError` for something else.
    """
    from pyannote.audio.core.plda import PLDA

    try:
        return PLDA(*(folder / name for name in _PLDA))
    except (*_UNREADABLE, np.linalg.LinAlgError) as error:
        raise ModelError(f"{folder} holds no PLDA ({' and '.join(_PLDA)}) as pyannote saves one: {error}") from error
