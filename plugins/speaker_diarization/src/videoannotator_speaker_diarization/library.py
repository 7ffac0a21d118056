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

__all__ = ["as_it_was", "imported"]

_log = logging.getLogger(__name__)
_TALKATIVE = ("lightning.pytorch.utilities.migration.utils", "lightning.pytorch.utilities.rank_zero")


def imported() -> None:
    """Import pyannote.audio, and switch its telemetry off for this process, whatever its settings say.

    pyannote.audio 4 reports each model, pipeline and file, with its length, to otel.pyannote.ai unless told otherwise.
    Raises `MissingDependencyError`.
    """
    try:
        with warnings.catch_warnings():
            # torchcodec, which it opens files with, is not needed: it is given the sound
            warnings.simplefilter("ignore")
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
    for module in (pyannote.audio.pipelines.clustering, vbx):
        vars(module)["print"] = _said  # they print what they find odd


def _said(*words: Any) -> None:
    _log.info("pyannote.audio: %s", " ".join(map(str, words)))


@contextmanager
def as_it_was(device: str) -> Iterator[None]:
    """While pyannote computes or loads: no warnings, no hints, and what it sets for the whole process is put back.

    On CUDA it computes without TensorFloat-32, and leaves it switched off for everybody.
    """
    import torch

    cuda = torch.backends.cuda.matmul, torch.backends.cudnn
    allowed = [part.allow_tf32 for part in cuda]
    levels = [(logger, logger.level) for logger in map(logging.getLogger, _TALKATIVE)]
    for logger, _ in levels:
        logger.setLevel(logging.ERROR)
    if device.startswith("cuda"):
        for part in cuda:
            part.allow_tf32 = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
        if device.startswith("cuda"):
            for part, before in zip(cuda, allowed, strict=True):
                part.allow_tf32 = before
