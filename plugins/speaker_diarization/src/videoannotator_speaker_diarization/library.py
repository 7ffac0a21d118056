"""pyannote.audio, imported so that it keeps quiet: it sends nothing, warns of nothing and prints nothing.

Importing this module imports nothing of it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from videoannotator.errors import MissingDependencyError

__all__ = ["imported", "quiet", "without_tf32"]

_log = logging.getLogger(__name__)
_TALKATIVE = ("lightning.pytorch.utilities.migration.utils", "lightning.pytorch.utilities.rank_zero")


def imported() -> None:
    """Import pyannote.audio, and switch its telemetry off for this process, whatever its settings say.

    pyannote.audio 4 reports each model, pipeline and file, with its length, to otel.pyannote.ai unless told otherwise.
    Its warnings are hidden and what it prints is logged, of its own modules only: what matters of it is a notice here.
    Raises `MissingDependencyError`.
    """
    try:
        with quiet():  # torchcodec, which it opens files with, need not work: it is given the sound
            import pyannote.audio
            import pyannote.audio.pipelines.clustering
            from pyannote.audio.telemetry import set_telemetry_metrics
            from pyannote.audio.utils import vbx
    except ImportError as error:
        raise MissingDependencyError(
            f"speaker_diarization needs pyannote.audio 4, and {error.name or error} could not be imported; run: "
            "pip install videoannotator-speaker-diarization"
        ) from error
    set_telemetry_metrics(False)
    warnings.filterwarnings("ignore", module=r"pyannote\.audio\.")
    for module in (pyannote.audio.pipelines.clustering, vbx):
        vars(module)["print"] = _said


def _said(*words: Any) -> None:
    _log.info("pyannote.audio: %s", " ".join(map(str, words)))


@contextmanager
def quiet() -> Iterator[None]:
    """For the moment of loading: no warnings, and none of lightning's hints about old checkpoints."""
    levels = [(logger, logger.level) for logger in map(logging.getLogger, _TALKATIVE)]
    for logger, _ in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@contextmanager
def without_tf32(device: str) -> Iterator[None]:
    """While it computes on CUDA: without TensorFloat-32, as it wants it; pyannote leaves that so for everybody."""
    if not device.startswith("cuda"):
        yield
        return
    import torch

    parts = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [part.allow_tf32 for part in parts]
    for part in parts:
        part.allow_tf32 = False
    try:
        yield
    finally:
        for part, allowed in zip(parts, before, strict=True):
            part.allow_tf32 = allowed
