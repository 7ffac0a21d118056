"""A torch network in the number type and memory layout that its device is fast in."""

from __future__ import annotations

from typing import Any

__all__ = ["fast_type", "lower"]

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # x86, and Arm's name for it


def fast_type(device: Any) -> Any:
    """The ``torch.dtype`` to compute in: half on graphics cards, bfloat16 on processors that have it, else float32.

    A processor without instructions for it emulates bfloat16, and is slower than with float32.
    """
    import torch

    if device.type != "cpu":
        return torch.float16
    can = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.bfloat16 if any(can.get(name) for name in _BFLOAT16) else torch.float32


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
