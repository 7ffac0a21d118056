"""Ultralytics as a guest: it installs nothing, calls nobody, prints nothing and leaves the process as it was.

What it does of its own accord, in 8.4: importing it looks up a host name, sets environment variables, turns
OpenCV's threads off, changes print options and warning filters, replaces ``torch.save``, and Pillow's ``Image.open``
by one that runs pip for a picture it does not know; loading weights may run pip, and unpickles whatever a ``.pt`` file
holds; its logger writes to standard output. (Its usage events, hub and update checks hang on its ``Model`` and
``Predictor`` classes, which this plugin never touches.) OpenVINO reports its first import to Google Analytics, from a
fork of the process, unless the user has opted out; onnxruntime reports to Microsoft (`videoannotator.discover.onnx`).
"""

from __future__ import annotations

import copy
import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from videoannotator.errors import MissingDependencyError

__all__ = ["loading", "quiet"]

_log = logging.getLogger("videoannotator_person_tracking")
_SET_BY_ULTRALYTICS = (
    "YOLO_OFFLINE",  # by us, while it is imported
    "OMP_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TORCH_CPP_LOG_LEVEL",
    "KINETO_LOG_LEVEL",
    "TORCHINDUCTOR_CACHE_DIR",  # by torch, when ultralytics imports its compiler
)
_USED = (  # all of it here, in one thread: threads of their own prepare pictures later
    "torchvision",
    "ultralytics.data.augment",
    "ultralytics.engine.results",
    "ultralytics.nn.autobackend",
    "ultralytics.trackers.bot_sort",
    "ultralytics.trackers.byte_tracker",
    "ultralytics.utils.nms",
)
_TELEMETRY = "openvino_telemetry"
_loading = threading.Lock()  # the switches below are the process's, so one thread at a time turns them


class _FromHere(logging.Filter):
    """Takes what ultralytics logs in one thread to this plugin's logger; leaves other threads' records alone."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        # what ultralytics calls information ("Loading ...") is detail to a user of this library
        level = logging.DEBUG if record.levelno <= logging.INFO else record.levelno
        _log.log(level, "%s", record.getMessage().strip())
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Send what ultralytics logs in this thread to our logger instead of standard output."""
    logger = logging.getLogger("ultralytics")
    here = _FromHere()
    logger.addFilter(here)
    try:
        yield
    finally:
        logger.removeFilter(here)


@contextmanager
def loading(*, trust: bool = False) -> Iterator[None]:
    """Import and load with ultralytics: no network, no pip, no pickled code (unless ``trust``), no traces.

    Raises `MissingDependencyError` when ultralytics, or what it needs to load and track, cannot be imported.
    """
    with _loading, quiet(), _as_it_was(), _no_telemetry():
        try:
            checks = importlib.import_module("ultralytics.utils.checks")
            with _switched(checks, "AUTOINSTALL", False):
                tasks = importlib.import_module("ultralytics.nn.tasks")
                for module in _USED:
                    importlib.import_module(module)
        except ImportError as error:
            raise MissingDependencyError(
                f"person_tracking needs ultralytics with torch, torchvision and lap, and {error.name or error} could "
                "not be imported; run: pip install videoannotator-person-tracking"
            ) from error
        with _switched(checks, "AUTOINSTALL", False), _switched(tasks, "SAFE_LOAD", not trust):
            yield


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Let OpenVINO, if it is imported now, find its telemetry package missing: it goes on without, for good."""
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        yield
    finally:
        sys.modules.pop(_TELEMETRY, None)


@contextmanager
def _switched(module: ModuleType, name: str, value: bool) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what importing ultralytics changes in the process."""
    try:
        import cv2
        import numpy as np
        import torch  # before ultralytics: it sets OMP_NUM_THREADS=1, which torch obeys when imported later
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError(
            f"person_tracking needs {error.name}; run: pip install videoannotator-person-tracking"
        ) from error

    environment = {name: os.environ.get(name) for name in _SET_BY_ULTRALYTICS}
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    save, image_open = torch.save, Image.open
    printing, np_printing = copy.copy(torch._tensor_str.PRINT_OPTS), np.get_printoptions()
    os.environ["YOLO_OFFLINE"] = "1"  # read while importing: no host name look-up, no crash reports
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
        torch.save, Image.open = save, image_open
        torch._tensor_str.PRINT_OPTS = printing
        np.set_printoptions(**np_printing)
