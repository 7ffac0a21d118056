"""What a machine is asked, what errors say that memory was short, and who may use which device."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import psutil
import pytest

from videoannotator.errors import DeviceError
from videoannotator.run.devices import Machine, candidates, check, is_out_of_memory
from videoannotator.run.gate import Gate
from videoannotator.testing.simulated import SimulatedMachine, SimulatedMemory

TOO_MUCH = 1 << 50


def test_this_machine_tells_of_itself() -> None:
    machine = Machine()
    assert machine.available()[-1] == "cpu"
    assert 1 <= machine.processors() <= (psutil.cpu_count() or 1)
    memory = machine.memory("cpu")
    assert memory is not None
    assert 0 < memory.free <= memory.total <= psutil.virtual_memory().total
    assert machine.identity("cpu") == "cpu"
    assert machine.halves("cpu") in ((), ("bfloat16",))
    assert str(machine.processors()) in machine.model("cpu")


def test_memory_of_the_processor_is_seen_to_be_taken_and_given_back() -> None:
    machine, size = Machine(), 200_000_000
    before, peak = machine.held("cpu"), machine.watch_peak("cpu")
    taken = np.ones(size, np.uint8)
    assert peak() - before > 0.9 * size
    assert machine.reserved("cpu") - before > 0.9 * size
    del taken
    machine.empty("cpu")
    assert machine.held("cpu") - before < 0.5 * size


def numpy_is_short() -> None:
    np.empty(TOO_MUCH)


def torch_is_short() -> None:
    pytest.importorskip("torch").empty(TOO_MUCH)


def torch_says_so() -> None:
    raise pytest.importorskip("torch").OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def opencv_is_short() -> None:
    pytest.importorskip("cv2").resize(np.zeros((10, 10), np.uint8), (2**15 * 20, 2**15 * 20))


def onnxruntime_is_short() -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ConstantOfShape", ["shape"], ["y"])],
        "g",
        [value("shape", onnx.TensorProto.INT64, [2])],
        [value("y", onnx.TensorProto.FLOAT, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session.run(None, {"shape": np.array([1 << 25, 1 << 25], np.int64)})


@pytest.mark.parametrize(
    "ask",
    [numpy_is_short, torch_is_short, torch_says_so, opencv_is_short, onnxruntime_is_short],
    ids=lambda f: f.__name__,
)
def test_libraries_that_run_out_of_memory_are_understood(ask: Any) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the library raises: that is the question
        ask()
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"), KeyError("x")]
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def machine(*devices: str) -> SimulatedMachine:
    return SimulatedMachine({device: SimulatedMemory(1) for device in devices})


@pytest.mark.parametrize(
    ("wanted", "accelerators", "expected"),
    [
        ("auto", ["cuda", "mps"], ("cuda:0", "cuda:1")),
        ("auto", ["mps"], ("mps",)),
        ("auto", [], ("cpu",)),
        ("cuda", ["cuda"], ("cuda:0", "cuda:1")),
        ("cuda:1", ["cuda"], ("cuda:1",)),
        ("cuda:1", ["mps"], ("cpu",)),
        ("cuda:9", [], ("cpu",)),
        (["cuda:1", "mps"], ["cuda", "mps"], ("cuda:1", "mps")),
        (["cuda:1", "cuda"], ["cuda"], ("cuda:1", "cuda:0")),
        ("cpu", ["cuda"], ("cpu",)),
    ],
)
def test_who_may_use_which_device(wanted: Any, accelerators: list[Any], expected: tuple[str, ...]) -> None:
    assert candidates(machine("cuda:0", "cuda:1", "mps"), check(wanted), accelerators) == expected


def test_a_device_that_is_not_here_is_said() -> None:
    with pytest.raises(DeviceError, match="this machine has no 'mps'; it has cuda:0, cpu"):
        candidates(machine("cuda:0"), check("mps"), ["cuda"])


def test_through_a_gate_goes_one_alone_or_many_together() -> None:
    gate, inside, most, alone = Gate(), [0], [0], []
    lock = threading.Lock()

    def enter(single: bool) -> None:
        for _ in range(40):
            with gate.alone() if single else gate.together():
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    if single:
                        alone.append(inside[0])
                threading.Event().wait(0.0003)
                with lock:
                    inside[0] -= 1

    threads = [threading.Thread(target=enter, args=(number < 2,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert set(alone) == {1}
    assert most[0] > 1


def test_a_thread_that_is_in_waits_for_nobody() -> None:
    gate = Gate()
    with gate.together(), gate.alone(), gate.together():
        pass
    with gate.aside(), gate.alone(), gate.together():
        pass
    with gate.alone(), gate.alone():
        pass
    with gate.alone():  # and nobody is left inside
        assert gate.undisturbed


def test_one_who_is_alone_knows_whether_somebody_was_aside() -> None:
    gate = Gate()
    with gate.alone():
        assert gate.undisturbed
        with gate.aside():
            assert not gate.undisturbed
    with gate.alone():
        with gate.aside():
            pass
        assert not gate.undisturbed, "it was there meanwhile"
    there, go = threading.Event(), threading.Event()

    def aside() -> None:
        with gate.aside():
            there.set()
            go.wait(30)

    thread = threading.Thread(target=aside)
    thread.start()
    assert there.wait(30)
    with gate.alone():
        assert not gate.undisturbed, "it is still there"
    go.set()
    thread.join()
    with gate.alone():
        assert gate.undisturbed
