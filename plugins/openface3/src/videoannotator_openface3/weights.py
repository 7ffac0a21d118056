"""Checkpoints of OpenFace 3.0: read without running what a pickle may hold, and checked against the network."""

from __future__ import annotations

import collections
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from videoannotator.errors import ModelError

__all__ = ["fill", "read"]

_UNREADABLE = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


def read(path: Path) -> dict[str, Any]:
    """The mapping in a checkpoint, on the processor.

    Only tensors, plain containers, and ``collections.Counter`` are unpickled: the landmark checkpoint keeps the state
    of the scheduler that it was trained with, which counts its milestones. Raises `ModelError` for anything else.
    """
    try:
        with torch.serialization.safe_globals([collections.Counter]):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(
            f"{path} is no checkpoint of tensors, or holds what is not unpickled here: {error}. Fetch it again, or "
            "name another file"
        ) from error
    if not isinstance(found, Mapping):
        raise ModelError(f"{path} is no checkpoint: it holds a {type(found).__name__}, not parameters by name")
    return dict(found)


def fill(network: torch.nn.Module, parameters: Mapping[str, Any], path: Path, what: str) -> torch.nn.Module:
    """Put ``parameters`` into ``network`` and make it ready to be asked.

    All of the network's must be there, of its shapes; more may be. Raises `ModelError` with what is wrong.
    """
    try:
        missing = network.load_state_dict(dict(parameters), strict=False).missing_keys
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ModelError(f"{path} is not {what}: {error}") from error
    if missing:
        raise ModelError(f"{path} is not {what}: it lacks {len(missing)} parameters, such as {missing[0]}")
    return network.eval()
