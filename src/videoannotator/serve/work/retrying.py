"""Which errors are worth another attempt, and when it is made.

========================  ==========================================================  ======================
code                      what happened                                               attempts
========================  ==========================================================  ======================
CRASHED                   the process of the job, or of a pipeline, ended by itself   as many as the job has
WORKER_LOST               the worker is gone, or gave no sign of life                 as many as the job has
DEVICE_BUSY               others held the device for too long                         as many as the job has
MODEL_DOWNLOAD_FAILED     a model could not be fetched                                as many as the job has
STALLED                   no progress for `jobs.stalled` seconds: it was ended        as many as the job has
STORAGE_FULL              no space left on the disk                                   as many as the job has
INTERNAL_ERROR            something nobody foresaw                                    as many as the job has
OUT_OF_MEMORY             more memory than a job may use, or than there is            once more
any other                 the file, the settings or a pipeline: the same every time   none
========================  ==========================================================  ======================
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

from videoannotator.data.outcome import Failure
from videoannotator.errors import (
    CacheError,
    ConfigError,
    DataError,
    DeviceError,
    FormatError,
    LeaseTimeout,
    MediaError,
    ModelDownloadError,
    ModelError,
    ModelMissingError,
    PlanError,
    PluginError,
    UnknownPipelineError,
)
from videoannotator.run.devices import is_out_of_memory
from videoannotator.serve.errors import RefusedError

__all__ = ["code_of", "delay_of", "failing_code", "passes", "retries"]

_PASSING = frozenset(
    {
        "CRASHED",
        "DEVICE_BUSY",
        "INTERNAL_ERROR",
        "MODEL_DOWNLOAD_FAILED",
        "OUT_OF_MEMORY",
        "STALLED",
        "STORAGE_FULL",
        "WORKER_LOST",
    }
)
_LONGEST = 600.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_ERRORS: tuple[tuple[type[Exception], str], ...] = (
    (MediaError, "MEDIA_REFUSED"),
    (UnknownPipelineError, "UNKNOWN_PIPELINE"),
    (ModelDownloadError, "MODEL_DOWNLOAD_FAILED"),
    (ModelMissingError, "MODEL_MISSING"),
    (ModelError, "MODEL_REFUSED"),
    (LeaseTimeout, "DEVICE_BUSY"),
    (DeviceError, "DEVICE_MISSING"),
    (FormatError, "FORMAT_FAILED"),
    (CacheError, "STORAGE_FULL"),
    (ConfigError, "INVALID_CONFIG"),
    (PluginError, "INVALID_CONFIG"),
    (PlanError, "INVALID_CONFIG"),
    (DataError, "INVALID_CONFIG"),
)
_OF_FAILURES = {
    "crashed": "CRASHED",
    "hung": "CRASHED",
    "lease_timeout": "DEVICE_BUSY",
    "model_download": "MODEL_DOWNLOAD_FAILED",
    "model_missing": "MODEL_MISSING",
    "out_of_memory": "OUT_OF_MEMORY",
}


def code_of(error: BaseException) -> str:
    """The stable code of an error that ended a run."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in _FULL:
            return "STORAGE_FULL"
        chain = chain.__cause__
    if isinstance(error, RefusedError):
        return error.stable_code
    if is_out_of_memory(error):
        return "OUT_OF_MEMORY"
    return next((code for kind, code in _OF_ERRORS if isinstance(error, kind)), "INTERNAL_ERROR")


def failing_code(failures: Iterable[Failure]) -> str:
    """The code of a run in which pipelines failed: one that can pass, if there is any."""
    codes = [_OF_FAILURES.get(failure.kind, "PIPELINE_FAILED") for failure in failures]
    return next((code for code in codes if code in _PASSING), codes[0] if codes else "MEDIA_DAMAGED")


def passes(code: str | None) -> bool:
    """Whether this can be otherwise the next time."""
    return code in _PASSING


def retries(code: str | None, *, attempt: int, max_attempts: int, before: str | None) -> bool:
    """Whether another attempt makes sense. ``before``: code of the error that ended the attempt before."""
    if code == "OUT_OF_MEMORY" and before == "OUT_OF_MEMORY":
        return False
    return passes(code) and attempt < max_attempts


def delay_of(back_off: float, attempt: int) -> float:
    """Seconds to wait after attempt number ``attempt``: ``back_off``, doubled each time, ten minutes at most."""
    return float(min(_LONGEST, back_off * 2.0 ** min(attempt - 1, 30)))
