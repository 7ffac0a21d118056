"""Ultralytics as a guest in the process: quiet, offline, installing nothing, leaving no traces."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoannotator.errors import MissingDependencyError
from videoannotator_person_tracking.detector import Detector
from videoannotator_person_tracking.guard import loading, quiet
from videoannotator_person_tracking.streams import Streams

VISIT = """
import os, socket, subprocess, sys, warnings
import cv2, numpy as np, torch
from PIL import Image

attempts = []
def refuse(what):
    def attempt(*args, **kwargs):
        attempts.append((what, args[:1]))
        raise OSError("refused by the test")
    return attempt
socket.getaddrinfo, socket.socket.connect = refuse("look-up"), refuse("connect")

def state():
    return {
        "environment": dict(os.environ), "threads": torch.get_num_threads(), "cv2": cv2.getNumThreads(),
        "save": torch.save, "open": Image.open, "numpy": repr(np.array([1 / 3])), "torch": repr(torch.ones(99)),
        "filters": len(warnings.filters),
    }

torch.set_num_threads(2)
before = state()
from pathlib import Path
from videoannotator_person_tracking.detector import Detector
from videoannotator_person_tracking.tracker import Follower
from videoannotator_person_tracking.config import PersonTrackingConfig

real = subprocess.Popen.__init__
def watched(self, args, *rest, **kwargs):
    if any(word in str(args) for word in ("pip", "uv")):
        attempts.append(("install", args))
    return real(self, args, *rest, **kwargs)
subprocess.Popen.__init__ = watched

detector = Detector(Path(sys.argv[1]), conf=0.1, threads=2)
tracker = Follower(PersonTrackingConfig(), 30)
found = detector.detect(np.random.default_rng(0).integers(0, 255, (3, 90, 120, 3), dtype=np.uint8))
for one in found:
    tracker.update(one)
after = state()
changed = {key for key in before if before[key] != after[key]}
assert not changed, {key: (before[key], after[key]) for key in changed}
assert not attempts, attempts
assert "ultralytics" in sys.modules
assert "openvino_telemetry" not in sys.modules
"""


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_a_visit_leaves_no_traces(made: Mapping[str, Path], pose_openvino: Path, tmp_path: Path, kind: str) -> None:
    weights = made["pose"] if kind == "torch" else pose_openvino
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(VISIT), str(weights)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": ":".join(p for p in sys.path if p), "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    settings = next(tmp_path.rglob("settings.json"), None)  # its own first-import file; nothing else is written
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p != settings] == []


def test_a_missing_package_is_named_and_never_installed(
    exported: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(args))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    from ultralytics.utils import checks

    monkeypatch.setattr(checks, "AUTOINSTALL", True)
    monkeypatch.setattr(checks, "check_version", lambda *args, **kwargs: False)  # as if nothing were installed
    monkeypatch.setattr(checks, "ONLINE", True)
    with pytest.raises(MissingDependencyError, match=r"fixed\.onnx needs onnxruntime.*person-tracking\[onnx\]"):
        Detector(exported["fixed"])
    assert started == []
    assert checks.AUTOINSTALL is True


def test_what_it_logs_comes_to_our_logger(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, pose_openvino: Path
) -> None:
    with caplog.at_level(logging.DEBUG, logger="videoannotator_person_tracking"):
        Detector(pose_openvino)
    assert capsys.readouterr().out == ""
    assert any("OpenVINO" in r.message and r.levelno == logging.DEBUG for r in caplog.records)
    theirs = logging.getLogger("ultralytics")
    assert theirs.filters == []


def test_other_threads_keep_their_log(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.LogRecord("ultralytics", logging.WARNING, __file__, 1, "theirs", None, None)
    with quiet():
        worker = threading.Thread(target=lambda: setattr(record, "thread", threading.get_ident()))
        worker.start()
        worker.join()
        (ours,) = logging.getLogger("ultralytics").filters
        assert ours.filter(record) is True  # type: ignore[union-attr]


def test_switches_are_put_back_after_an_error() -> None:
    from ultralytics.nn import tasks

    def fail() -> None:
        with loading():
            assert tasks.SAFE_LOAD is True
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert tasks.SAFE_LOAD is False


def test_a_slow_machine_loses_no_boxes(made: Mapping[str, Path], street: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """ultralytics gives up suppressing after about two seconds and leaves the rest of a batch without boxes."""
    from ultralytics.utils import nms

    detector = Detector(made["detect"], conf=0.1, imgsz=320)
    expected = [len(found) for found in detector.detect(street[:4])]
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr(nms.time, "time", lambda: next(clock))
    assert [len(found) for found in detector.detect(street[:4])] == expected
    assert min(expected) > 0
    assert detector.detect(np.zeros((0, 90, 120, 3), dtype=np.uint8)) == []


def test_streams_say_what_ultralytics_own_network_says(detect_openvino: Path) -> None:
    import torch
    from ultralytics.nn.autobackend import AutoBackend

    theirs = AutoBackend(str(detect_openvino), device=torch.device("cpu"), verbose=False)
    pictures = np.random.default_rng(0).random((4, 1, 3, 640, 640), dtype=np.float32)
    expected = [theirs(torch.from_numpy(picture))[0].numpy() for picture in pictures]
    if not Streams.fit(theirs.backend):
        pytest.skip("left to ultralytics on this machine")
    streams = Streams.of(theirs.backend, detect_openvino, threads=2)
    said = streams.map(lambda picture: streams.infer(picture, lambda outputs: outputs[0].copy()), pictures)
    for ours, other in zip(said, expected, strict=True):
        np.testing.assert_array_equal(ours[0], other)
    streams.close()


@pytest.mark.parametrize("closed", [True, False])
def test_the_threads_end_with_the_detector(detect_openvino: Path, street: Any, closed: bool) -> None:
    before = set(threading.enumerate())
    detector = Detector(detect_openvino, threads=2)
    detector.detect(street[:3])
    assert {t.name.partition("_")[0] for t in set(threading.enumerate()) - before} >= {"videoannotator-model:boxes"}
    if closed:
        detector.close()
        detector.close()
    else:
        del detector
    assert set(threading.enumerate()) - before == set()
