"""Networks in ONNX files, opened on onnxruntime: the same for every plugin that has one.

onnxruntime is imported when a network is opened; it is no dependency of the library. As its makers build it, it sends
them events from 1.29 on, also on Linux and macOS, and keeps a number of this machine in the user's cache folder. Here
it does neither.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from videoannotator.errors import DeviceError, MissingDependencyError, ModelError

__all__ = ["opened", "providers_of", "refusals", "send_nothing"]

_ERRORS_ONLY = 3
_REFUSALS = (
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "NoSuchFile",
    "NotImplemented",
    "RuntimeException",
)


def send_nothing() -> None:
    """Keep onnxruntime, wherever it is used in this process from now on, from reporting to its makers.

    By the variable that it reads when it first makes a session, for the process's life; the call
    ``disable_telemetry_events`` comes too late for the first event and for the number of the machine
    (https://github.com/microsoft/onnxruntime/pull/29843). Who has set the variable is left alone.
    """
    for name in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"):  # it was renamed
        os.environ.setdefault(name, "1")


def _onnxruntime() -> Any:
    send_nothing()
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "networks in ONNX files are run by onnxruntime, which could not be imported; run: pip install onnxruntime"
        ) from error
    return onnxruntime


def refusals(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a file that it cannot use, and for what a network cannot take, and ``more``."""
    _onnxruntime()
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    return (*(getattr(states, name) for name in _REFUSALS), *more)


def providers_of(device: str) -> list[tuple[str, dict[str, Any]]]:
    """onnxruntime's execution providers for a device: ``"cpu"`` or ``"cuda:N"``.

    Raises `DeviceError` when the installed onnxruntime cannot use it, rather than falling back unseen.
    """
    kind, _, index = device.partition(":")
    cpu: tuple[str, dict[str, Any]] = ("CPUExecutionProvider", {})
    if kind == "cpu":
        return [cpu]
    if kind == "cuda" and "CUDAExecutionProvider" in _onnxruntime().get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": int(index or 0)}), cpu]
    raise DeviceError(
        f"the installed onnxruntime cannot use {device!r}; set device='cpu'"
        + (", or replace onnxruntime by onnxruntime-gpu" if kind == "cuda" else "")
    )


def opened(model: Path | bytes, *, device: str, threads: int, name: str | None = None) -> Any:
    """An ``onnxruntime.InferenceSession`` for a model file, or for its bytes; several threads may run it at once.

    ``threads``: that share one picture. ``name``: what the model is called in errors, the file's unless said. Nothing
    is reported to onnxruntime's makers. Raises `MissingDependencyError`, `DeviceError`, and `ModelError` for what is
    no model.
    """
    onnxruntime = _onnxruntime()
    providers = providers_of(device)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY  # it warns of initializers that nobody needs
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=providers
        )
    except refusals() as error:
        named = name or ("the model" if isinstance(model, bytes) else str(model))
        raise ModelError(f"onnxruntime cannot open {named}: {error}") from error
