"""Leases: never more than there is, nobody waits for ever, all of it comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.discover.models import ModelKey
from videoannotator.errors import LeaseTimeout
from videoannotator.run import ledger
from videoannotator.run.ledger import Book, Ledger, Waiting, new_owner
from videoannotator.run.resources import Lease, Request, ResourceManager
from videoannotator.testing.simulated import Buffer, SimulatedMachine, SimulatedMemory

GIVE_UP = 30.0


def manager(ledger: Ledger | None = None, threads: int = 4, **totals: int) -> ResourceManager:
    devices = {name.replace("_", ":"): SimulatedMemory(total) for name, total in totals.items()}
    return ResourceManager(SimulatedMachine(devices, threads), ledger=ledger)


def request(name: str, memory: int | None, device: str = "cuda:0", heavy: bool = True) -> Request:
    return Request(name, device, memory, heavy=heavy)


class Stop(Exception):  # noqa: N818 - not an error
    pass


@attrs.frozen
class Step:
    """``device``, ``memory``: asked for. ``raises``: while it is held."""

    device: str
    memory: int
    raises: bool


STEP = st.builds(Step, st.sampled_from(["cuda:0", "cuda:1", "cpu"]), st.integers(0, 10), st.booleans())
RUN = st.tuples(st.lists(st.lists(STEP, min_size=1, max_size=4), min_size=1, max_size=3), st.integers(0, 6))


def do_run(resources: ResourceManager, stages: list[list[Step]], looks: int, done: list[str]) -> None:
    """A run as the runner makes it. After ``looks`` looks it is cancelled, unless that is 0."""
    left = [looks]

    def check() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Stop

    for stage in stages:
        todo = {f"p{number}": step for number, step in enumerate(stage)}
        while todo:
            asked = [request(name, step.memory, step.device) for name, step in todo.items()]
            leases = resources.lease(asked, timeout=GIVE_UP, check=check)
            assert leases
            assert set(leases) <= set(todo)
            workers = [
                threading.Thread(target=hold, args=(resources, lease, todo[name])) for name, lease in leases.items()
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            todo = {name: step for name, step in todo.items() if name not in leases}
    done.append("done")


OVER: list[BaseException] = []


def hold(resources: ResourceManager, lease: Lease, step: Step) -> None:
    """A pipeline: it takes all that its lease allows, and gives it back whatever happens."""
    machine = resources.machine
    assert isinstance(machine, SimulatedMachine)
    try:
        buffer = machine.devices[lease.device].allocate(step.memory)
        try:
            time.sleep(0.0005)
            if step.raises:
                return
        finally:
            buffer.close()
    except MemoryError as error:
        OVER.append(error)
    finally:
        resources.give_back(lease)


@settings(deadline=None, max_examples=60)
@given(runs=st.lists(RUN, min_size=1, max_size=5))
def test_whatever_the_schedule_nothing_is_over_budget_and_all_get_their_turn(
    runs: list[tuple[list[list[Step]], int]],
) -> None:
    resources = manager(cuda_0=10, cuda_1=12, cpu=15)
    OVER.clear()
    done: list[str] = []

    def run(stages: list[list[Step]], looks: int) -> None:
        try:
            do_run(resources, stages, looks, done)
        except Stop:
            done.append("stopped")

    threads = [threading.Thread(target=run, args=one) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GIVE_UP)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    assert not OVER, "a lease was given that the device could not keep"
    assert len(done) == len(runs)
    assert resources.leases == ()
    assert isinstance(resources.machine, SimulatedMachine)
    assert all(memory.allocated == 0 for memory in resources.machine.devices.values())
    with resources._ledger.open() as book:
        assert not any(book.waiting.values())


def test_what_fits_runs_side_by_side_and_what_does_not_waits() -> None:
    resources = manager(cuda_0=10)
    first = resources.lease([request("a", 4), request("b", 5), request("c", 4)], timeout=0)
    assert set(first) == {"a", "b"}
    with pytest.raises(LeaseTimeout, match=r"c needs 4 bytes of cuda:0, 10 bytes in all, 1 bytes left, held by a \(4"):
        resources.lease([request("c", 4)], timeout=0)
    resources.give_back(first["b"])
    assert resources.lease([request("c", 4)], timeout=0)


def test_one_who_asks_for_much_is_not_passed_by_those_who_ask_for_little() -> None:
    resources = manager(cuda_0=10)
    small = resources.lease([request("small", 4)], timeout=0)["small"]
    got: list[str] = []

    def ask(name: str, memory: int) -> None:
        lease = resources.lease([request(name, memory)], timeout=GIVE_UP)[name]
        got.append(name)
        resources.give_back(lease)

    much = threading.Thread(target=ask, args=("much", 9))
    much.start()
    wait_until(lambda: resources_wait(resources) == 1)
    little = threading.Thread(target=ask, args=("little", 2))  # there would be room for it
    little.start()
    wait_until(lambda: resources_wait(resources) == 2)
    assert got == []
    resources.give_back(small)
    much.join(GIVE_UP)
    little.join(GIVE_UP)
    assert got == ["much", "little"]


def resources_wait(resources: ResourceManager) -> int:
    with resources._ledger.open() as book:
        return len(book.waiting.get(resources._owner, []))


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + GIVE_UP
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_one_who_waits_and_was_stopped_holds_nobody_up() -> None:
    now = time.time()
    book = Book(waiting={new_owner(): [Waiting("card", "stopped", now - 60, now - 30)]})
    assert book.first("card", "me", now)
    book.waiting[new_owner()] = [Waiting("card", "waits", now - 60, now)]
    assert not book.first("card", "me", now)
    assert book.first("another card", "me", now)


def test_programs_that_know_nothing_of_us_count() -> None:
    resources = manager(cuda_0=10)
    assert isinstance(resources.machine, SimulatedMachine)
    resources.machine.devices["cuda:0"].others = 7
    with pytest.raises(LeaseTimeout, match="held by other programs"):
        resources.lease([request("a", 4)], timeout=0)
    resources.machine.devices["cuda:0"].others = 6
    assert resources.lease([request("a", 4)], timeout=0)


def test_where_only_other_programs_are_in_the_way_it_begins_with_less() -> None:
    resources = manager(cuda_0=100, cpu=100)
    assert isinstance(resources.machine, SimulatedMachine)
    resources.machine.devices["cuda:0"].others = 55
    asked = attrs.evolve(request("a", 70), batch=8, smaller=((4, 50), (2, 40), (1, 35)))
    lease = resources.lease([asked], timeout=0)["a"]
    assert (lease.batch, lease.memory) == (2, 40)
    resources.give_back(lease)
    resources.machine.devices["cuda:0"].others = 0
    other = resources.lease([request("b", 60)], timeout=0)["b"]
    with pytest.raises(LeaseTimeout):  # that one will be done some time, and then all of it can be had
        resources.lease([asked], timeout=0)
    resources.give_back(other)
    assert resources.lease([asked], timeout=0)["a"].batch == 8

    resources.machine.devices["cpu"].others = 90  # what counts as used there can mostly be found all the same
    assert resources.lease([request("c", 30, "cpu")], timeout=0)
    with pytest.raises(LeaseTimeout):
        resources.lease([request("d", 30, "cpu")], timeout=0)


def test_what_the_process_uses_besides_counts() -> None:
    resources = manager(cuda_0=10)
    assert isinstance(resources.machine, SimulatedMachine)
    mine = resources.machine.devices["cuda:0"].allocate(5)  # a notebook's own model
    with pytest.raises(LeaseTimeout):
        resources.lease([request("a", 6)], timeout=0)
    lease = resources.lease([request("a", 5)], timeout=0)["a"]
    mine.close()
    resources.give_back(lease)
    assert resources.lease([request("a", 6)], timeout=0)


def test_what_a_process_of_ours_takes_is_not_counted_twice() -> None:
    resources = manager(cuda_0=10)
    assert isinstance(resources.machine, SimulatedMachine)
    lease = resources.lease([request("apart", 5)], timeout=0)["apart"]
    resources.machine.devices["cuda:0"].others = 5  # the process of its pipeline: to the driver, another program
    with pytest.raises(LeaseTimeout):
        resources.lease([request("b", 5)], timeout=0)
    resources.taken_apart(lease, 5)
    assert resources.lease([request("b", 5)], timeout=0)
    resources.give_back(lease)
    with pytest.raises(LeaseTimeout):
        resources.lease([request("c", 1)], timeout=0)


def loaded(resources: ResourceManager, name: str, size: int, pipeline: str) -> None:
    """A model that ``pipeline`` has used and that is idle now."""
    assert isinstance(resources.machine, SimulatedMachine)
    memory = resources.machine.devices["cuda:0"]
    holder = resources.models.holder("somebody", pipeline)

    def build() -> Buffer:
        return memory.allocate(size)

    holder(ModelKey(name, "0" * 64, "cuda:0", "float32"), build, concurrent=True)
    holder.close()


def test_idle_models_go_when_somebody_needs_their_room_the_oldest_first() -> None:
    resources = manager(cuda_0=10)
    for name in "xyz":
        loaded(resources, name, 3, f"pipeline of {name}")
    assert resources.models.idle("cuda:0") == 9
    lease = resources.lease([request("new", 4)], timeout=0)["new"]
    assert [key.name for key in resources.models.keys] == ["y", "z"]
    resources.give_back(lease)
    with pytest.raises(LeaseTimeout):
        resources.lease([request("new", 11)], timeout=0)
    assert [key.name for key in resources.models.keys] == ["y", "z"], "nothing is given up in vain"


def test_a_pipelines_own_model_stays_for_it() -> None:
    resources = manager(cuda_0=10)
    loaded(resources, "x", 6, "a")
    loaded(resources, "y", 3, "b")
    assert resources.lease([request("a", 8)], timeout=0)
    assert [key.name for key in resources.models.keys] == ["x"], "the other goes, though it was used later"


def test_threads_are_divided_among_those_who_compute_and_handed_back() -> None:
    resources = manager(threads=8, cuda_0=10)
    one = resources.lease([request("a", 1)], timeout=0)["a"]
    assert one.threads == 8
    more = resources.lease([request(n, 1) for n in "bcd"] + [request("light", 1, heavy=False)], timeout=0)
    assert {lease.threads for lease in more.values()} == {2}
    for lease in (one, *more.values()):
        resources.give_back(lease)
        resources.give_back(lease)  # twice is once
    assert resources.lease([request("e", 1)], timeout=0)["e"].threads == 8


@pytest.mark.parametrize(
    ("processors", "paces", "threads"),
    [
        (2, [25.0, 5.0], [2, 1]),
        (16, [25.0, 5.0], [13, 3]),
        (2, [25.0, 25.0, 25.0], [1, 1, 1]),
        (8, [30.0, 30.0], [4, 4]),
        (4, [1.0, 0.1], [4, 1]),
    ],
)
def test_who_looks_more_often_gets_more_threads(processors: int, paces: list[float], threads: list[int]) -> None:
    resources = manager(threads=processors)
    asked = [Request(f"p{n}", pace=pace) for n, pace in enumerate(paces)]
    light = Request("light", heavy=False, pace=1000.0)
    leases = resources.lease([*asked, light], timeout=0)
    assert [leases[one.name].threads for one in asked] == threads, "the light one takes none from them"


def test_moving_gives_the_card_back() -> None:
    resources = manager(cuda_0=10)
    lease = resources.lease([request("a", 8)], timeout=0)["a"]
    moved = resources.move(lease, "cpu")
    assert (moved.device, moved.memory) == ("cpu", None)
    assert resources.lease([request("b", 10)], timeout=0)
    assert [one.name for one in resources.leases] == ["a", "b"]
    resources.give_back(moved)
    assert [one.name for one in resources.leases] == ["b"]


# several processes --------------------------------------------------------------------------------------------------

HOLDS = """
import sys, time
from pathlib import Path
from videoannotator.run.ledger import Ledger
from videoannotator.run.resources import Request, ResourceManager
from videoannotator.testing.simulated import SimulatedMachine, SimulatedMemory

resources = ResourceManager(SimulatedMachine({"cuda:0": SimulatedMemory(10)}), ledger=Ledger(Path(sys.argv[1])))
resources.lease([Request("theirs", "cuda:0", 7)], timeout=10)
print("has it", flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds 7 of 10 bytes of a card."""
    program = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "has it\n"
        yield process
        process.kill()


def test_processes_share_a_card(other: subprocess.Popen[str], tmp_path: Path) -> None:
    resources = manager(Ledger(tmp_path), cuda_0=10)
    with pytest.raises(LeaseTimeout, match=rf"held by theirs \(7 bytes, process {other.pid}\)"):
        resources.lease([request("ours", 4)], timeout=0.3)
    small = resources.lease([request("small", 3)], timeout=0)["small"]
    resources.give_back(small)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert resources.lease([request("ours", 10)], timeout=GIVE_UP), "what a dead process held is free"


def test_one_who_waits_gets_it_when_another_process_dies(other: subprocess.Popen[str], tmp_path: Path) -> None:
    resources = manager(Ledger(tmp_path), cuda_0=10)
    got: list[dict[str, Lease]] = []
    thread = threading.Thread(target=lambda: got.append(resources.lease([request("ours", 9)], timeout=GIVE_UP)))
    thread.start()
    wait_until(lambda: resources_wait(resources) == 1)
    assert not got
    other.kill()
    thread.join(GIVE_UP)
    assert got


def test_a_folder_that_cannot_be_used_is_said_and_leases_are_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    resources = manager(Ledger(tmp_path / "file"), cuda_0=10)
    lease = resources.lease([request("a", 10)], timeout=0)["a"]
    with pytest.raises(LeaseTimeout, match=f"process {os.getpid()}"):
        resources.lease([request("b", 1)], timeout=0)
    resources.give_back(lease)
    assert caplog.text.count("cannot be used, so devices are not shared") == 1


def test_a_book_that_somebody_keeps_open_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger, "_STUCK", 0.2)
    with FileLock(tmp_path / "devices.lock"):
        assert manager(Ledger(tmp_path), cuda_0=10).lease([request("a", 10)], timeout=0)
    assert "devices are not shared with other processes" in caplog.text


def test_a_page_of_another_version_does_not_stop_us(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    owner = new_owner()
    (tmp_path / "devices.json").write_text(f'{{"{owner}": {{"holdings": [{{"new": 1}}], "waiting": []}}}}')
    assert manager(Ledger(tmp_path), cuda_0=10).lease([request("a", 10)], timeout=0)
    assert "cannot be read" in caplog.text
