"""Networks in ONNX files: opened in one place, refused in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from videoannotator.discover.onnx import opened, providers_of, refusals, send_nothing
from videoannotator.errors import DeviceError, MissingDependencyError, ModelError


@pytest.fixture
def doubling() -> bytes:
    """A network that doubles."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [onnx.helper.make_tensor_value_info("x", kind, ["n", 2])],
        [onnx.helper.make_tensor_value_info("y", kind, ["n", 2])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    text: bytes = model.SerializeToString()
    return text


def test_a_file_and_its_bytes_are_the_same_network(doubling: bytes, tmp_path: Path) -> None:
    (tmp_path / "doubling.onnx").write_bytes(doubling)
    given = np.array([[1, 2]], dtype=np.float32)
    for model in (doubling, tmp_path / "doubling.onnx"):
        (answer,) = opened(model, device="cpu", threads=1).run(None, {"x": given})
        assert answer.tolist() == [[2, 4]]
    with pytest.raises(refusals()):
        opened(doubling, device="cpu", threads=1).run(None, {"x": given[0]})


def test_what_is_no_network_is_refused_by_its_name(doubling: bytes, tmp_path: Path) -> None:
    (tmp_path / "letter.onnx").write_bytes(b"not a network")
    for model, name, said in (
        (tmp_path / "letter.onnx", None, "letter.onnx"),
        (tmp_path / "nowhere.onnx", None, "nowhere.onnx"),
        (doubling[:20], "my network", "cannot open my network"),
    ):
        with pytest.raises(ModelError, match=said):
            opened(model, device="cpu", threads=1, name=name)


def test_a_device_that_it_cannot_use_is_refused(doubling: bytes) -> None:
    assert providers_of("cpu") == [("CPUExecutionProvider", {})]
    with pytest.raises(DeviceError, match=r"'mps'; set device='cpu'$"):
        opened(doubling, device="mps", threads=1)


def test_without_onnxruntime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="pip install onnxruntime"):
        opened(b"", device="cpu", threads=1)


def test_importing_the_helpers_imports_no_framework() -> None:
    code = (
        "import sys, videoannotator.discover.onnx, videoannotator.discover.workers\n"
        "print([name for name in ('torch', 'onnxruntime', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_kept_to_know_this_machine_by(doubling: bytes, tmp_path: Path) -> None:
    """The number of the machine is written in the same step that sets up the sending of events."""
    (tmp_path / "doubling.onnx").write_bytes(doubling)
    code = (
        "import sys; from pathlib import Path; from videoannotator.discover.onnx import opened\n"
        "opened(Path(sys.argv[1]), device='cpu', threads=1)"
    )
    home = tmp_path / "home"
    home.mkdir()
    outside = ("ORT_", "XDG_", "CI", "GITHUB_", "TF_BUILD")  # some of them would keep it silent anyway
    variables = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    command = [sys.executable, "-c", code, str(tmp_path / "doubling.onnx")]
    subprocess.run(command, env={**variables, "HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == []


def test_the_users_own_word_on_telemetry_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    monkeypatch.delenv("ORT_TELEMETRY_DISABLED", raising=False)
    send_nothing()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
