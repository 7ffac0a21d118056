"""Workers: each computes by itself, and nobody else notices."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from videoannotator.discover.workers import TorchWorkers, Workers, in_portions


@pytest.mark.parametrize(("threads", "most", "each"), [(1, None, [1]), (3, None, [1] * 3), (17, 8, [2] * 8)])
def test_torch_threads_are_the_workers_own_and_nobody_elses(threads: int, most: int | None, each: list[int]) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        workers, other = TorchWorkers("network", threads, most=most), ThreadPoolExecutor(1)
        all_here = threading.Barrier(len(each))
        assert workers.count == len(each)
        assert list(workers.map(lambda _: (torch.get_num_threads(), all_here.wait())[0], each)) == each
        workers.close()
        assert torch.get_num_threads() == 2
        assert other.submit(torch.get_num_threads).result() == 2
        other.shutdown()
    finally:
        torch.set_num_threads(before)


def test_bits_depend_neither_on_threads_nor_on_company() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8 * 30 * 30, 5))
    faces = torch.rand(6, 3, 32, 32)

    def seen(portion: slice) -> bytes:
        with torch.no_grad():
            answer: bytes = network(faces[portion]).numpy().tobytes()
        return answer

    answers = []
    for threads in (1, 2, 3):
        workers = TorchWorkers("network", threads)
        answers.append(in_portions(workers, seen, len(faces), 4))
        workers.close()
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == len(faces)


def test_portions_are_one_by_one_with_workers_and_as_many_as_wanted_without() -> None:
    def told(portion: slice) -> tuple[int, ...]:
        return tuple(range(7)[portion])

    workers = Workers("portions", 2)
    assert in_portions(workers, told, 7, 3) == [(n,) for n in range(7)]
    assert in_portions(workers, told, 0, 3) == []
    assert in_portions(None, told, 7, 3) == [(0, 1, 2), (3, 4, 5), (6,)]
    workers.close()


def test_the_last_to_let_go_may_be_one_of_them() -> None:
    workers = Workers("ours", 2)
    workers.submit(lambda them: them.close(), workers).result(timeout=10)
    assert [t.name for t in threading.enumerate() if t.name.startswith("videoannotator:ours")] == []


def test_threads_of_a_run_are_seen_by_the_contract_kit_until_they_are_closed() -> None:
    def ours() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("videoannotator:of_a_run")]

    workers = Workers("of_a_run", 1, owner="run")
    workers.submit(str, 1).result()
    assert len(ours()) == 1
    workers.close()
    assert ours() == []
