"""A torch network in the number type and memory layout that its device is fast in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["fast_type", "lower"]


def fast_type(device: Any, allowed: Sequence[str]) -> Any:
    """The ``torch.dtype`` to compute in, of those ``allowed`` (`Context.dtypes`), best first; else float32.

    On cards float16, where it is allowed: as fast as bfloat16, with three more bits.
    """
    import torch

    wanted = "float16" if device.type != "cpu" and "float16" in allowed else allowed[0] if allowed else "float32"
    return getattr(torch, wanted)


def lower(net: Any, dtype: Any) -> None:
    """Make an ultralytics network compute in ``dtype``, channels last, in place; boxes are still made in float32.

    A box is a place times a stride plus a distance: bfloat16 has 8 bits for that, which is 4 pixels in 640.
    """
    import torch
    from ultralytics.nn.modules.head import Detect

    net.to(dtype=dtype, memory_format=torch.channels_last)
    head = net.model[-1]
    if not isinstance(head, Detect):
        return
    inference = head._inference

    def in_float32(said: dict[str, Any]) -> Any:
        return inference({key: _float32(value) for key, value in said.items()})

    head.dfl.float()
    head._inference = in_float32


def _float32(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [one.float() for one in value]
    return value.float() if hasattr(value, "float") else value
