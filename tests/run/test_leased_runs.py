"""Runs on simulated cards: what fits runs together, what does not takes turns, what was taken is known next time."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.run.leased_pipelines import CARDS, THREADS, catalog, machine, spec, weights

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.discover.catalog import Catalog
from videoannotator.errors import CancelledError, ConfigError, DeviceError
from videoannotator.run.resources import ResourceManager
from videoannotator.testing.clips import write_clip
from videoannotator.testing.simulated import SimulatedMachine, SimulatedMemory

FRAMES = 24


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=FRAMES, rate=20)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return weights(tmp_path_factory.mktemp("weights"), 4)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[DecodePass]:
    made: list[DecodePass] = []
    enter = DecodePass.__enter__

    def counted(self: DecodePass) -> DecodePass:
        made.append(self)
        return enter(self)

    monkeypatch.setattr(DecodePass, "__enter__", counted)
    return made


def annotator(found: Catalog, resources: ResourceManager, config: dict[str, Any], **more: Any) -> va.Annotator:
    return va.Annotator(list(config), config=config, catalog=found, resources=resources, cache=False, **more)


def whole(result: va.Result, name: str) -> bool:
    return bool(result[name].x.value.tolist() == list(range(FRAMES)))


def declared(size: int, each: int) -> va.MemoryNeed:
    return va.MemoryNeed(fixed=size, per_frame=each)


@pytest.mark.parametrize(("total", "expected"), [(120, 1), (100, 2), (60, 3)])
def test_what_fits_runs_in_one_pass_and_what_does_not_takes_turns(
    clip: Path, files: list[str], passes: list[DecodePass], total: int, expected: int
) -> None:
    found = catalog(*(spec(name, memory=declared(30, 1)) for name in "abc"))
    resources = machine({"cuda:0": SimulatedMemory(total)})
    with annotator(found, resources, {n: {"weights": f} for n, f in zip("abc", files, strict=False)}) as all_:
        result = all_.annotate(clip, progress=False)
    assert result.ok
    assert all(whole(result, name) for name in "abc")
    assert all(record.batch == 8 and not record.notices for record in result.provenance.pipelines)
    assert len(passes) == expected
    assert CARDS["cuda:0"].peak <= total


def test_what_it_took_is_measured_and_the_next_plan_goes_by_it(
    clip: Path, files: list[str], passes: list[DecodePass]
) -> None:
    found = catalog(spec("a"), spec("b"))  # neither says what it needs
    config = {"a": {"weights": files[0], "size": 30, "each": 2}, "b": {"weights": files[1], "size": 20, "each": 3}}
    with annotator(found, machine({"cuda:0": SimulatedMemory(100)}), config) as both:
        before = both.plan(clip)
        assert [p.request.memory for p in before.pipelines] == [None, None]
        assert "is measured in the first run" in str(before)
        assert both.annotate(clip, progress=False).ok
        after = both.plan(clip)
    assert [(p.request.memory, p.request.measured) for p in after.pipelines] == [(30 + 8 * 2, True), (20 + 8 * 3, True)]
    assert "memory 46 bytes (measured)" in str(after)
    assert "90 bytes of cuda:0" in str(after)
    passes.clear()
    with annotator(found, machine({"cuda:0": SimulatedMemory(80)}), config) as both:  # a smaller card of that name
        result = both.annotate(clip, progress=False)
    assert whole(result, "a")
    assert whole(result, "b")
    assert len(passes) == 2


def test_minutes_are_said_once_they_are_known(clip: Path, files: list[str]) -> None:
    found = catalog(spec("a"), spec("b"))
    resources = machine({"cuda:0": SimulatedMemory(1000)})
    one, two = {"weights": files[0], "hold": 0.02}, {"weights": files[1]}
    with annotator(found, resources, {"a": one, "b": two}) as both:
        assert both.plan(clip).seconds is None
        assert "not measured here yet" in str(both.plan(clip))
        both.annotate(clip, progress=False)
        together = both.plan(clip).seconds
    assert together is not None
    assert 3 * 0.02 < together < 60
    assert "about" in str(both.catalog and annotator(found, resources, {"a": one, "b": two}).plan(clip))
    with annotator(found, resources, {"a": one}) as alone:  # never ran alone, but its own part is known
        part = alone.plan(clip).seconds
    assert part is not None
    assert 3 * 0.02 <= part <= together


def test_a_card_that_is_too_small_gets_smaller_batches_and_at_last_the_processor_does_it(
    clip: Path, files: list[str]
) -> None:
    found = catalog(spec("a", memory=declared(30, 5)))
    config = {"a": {"weights": files[0], "each": 5}}
    with annotator(found, machine({"cuda:0": SimulatedMemory(45)}), config) as one:
        plan, result = one.plan(clip), one.annotate(clip, progress=False)
    assert "batches of 2 pictures: more need more memory than cuda:0 has" in str(plan)
    assert set(result["a"].x.name.tolist()) == {"cuda:0 2"}
    assert whole(result, "a")
    assert not result.provenance.pipelines[0].notices, "it was known before"
    with annotator(found, machine({"cuda:0": SimulatedMemory(34)}), config) as one:
        plan, result = one.plan(clip), one.annotate(clip, progress=False)
    assert "it needs 35 bytes even for one picture at a time, and cuda:0 has 34 bytes" in str(plan)
    assert set(result["a"].x.name.tolist()) == {"cpu 8"}
    assert whole(result, "a")


@pytest.mark.parametrize("error", ["MemoryError", "torch.OutOfMemoryError"])
def test_a_shortage_nobody_foresaw_is_endured(clip: Path, files: list[str], error: str) -> None:
    kind: Any = MemoryError if error == "MemoryError" else pytest.importorskip("torch").OutOfMemoryError
    found = catalog(spec("a", memory=declared(10, 0)), spec("b", memory=declared(30, 1)))  # a says too little
    config = {
        "a": {"weights": files[0], "size": 30, "each": 9},
        "b": {"weights": files[1], "hold": 0.003},
    }
    resources = machine({"cuda:0": SimulatedMemory(100, kind)})
    with annotator(found, resources, config) as both:
        result = both.annotate(clip, progress=False)
    assert whole(result, "a")
    assert whole(result, "b")
    a, b = result.provenance.pipelines
    assert any("batches of" in notice for notice in a.notices)
    assert (b.batch, b.device, b.notices) == (8, "cuda:0", ()), "the other one never notices"
    assert resources.leases == ()


def test_moved_to_the_processor_the_card_is_free(clip: Path, files: list[str]) -> None:
    found = catalog(spec("a", memory=declared(5, 1)))
    resources = machine({"cuda:0": SimulatedMemory(20)})
    with annotator(found, resources, {"a": {"weights": files[0], "size": 50}}) as one:
        events = one.stream(clip)
        devices = []
        for event in events:
            if isinstance(event, va.RowsReady):
                devices += [lease.device for lease in resources.leases]
            if isinstance(event, va.Finished):
                result = event.result
    assert devices
    assert set(devices) == {"cpu"}
    assert whole(result, "a")
    (record,) = result.provenance.pipelines
    assert record.device == "cpu"
    assert "went on on the cpu" in record.notices[0]


def test_several_cards_are_filled_evenly(clip: Path, files: list[str]) -> None:
    found = catalog(*(spec(name, memory=declared(30, 0)) for name in "abc"))
    config = {n: {"weights": f} for n, f in zip("abc", files, strict=False)}
    cards = {"cuda:0": SimulatedMemory(100), "cuda:1": SimulatedMemory(80)}

    def placed(device: Any) -> dict[str, str]:
        with annotator(found, machine(cards), config, device=device) as all_:
            return {p.name: p.request.device for p in all_.plan(clip).pipelines}

    assert placed("auto") == placed("cuda") == {"a": "cuda:0", "b": "cuda:1", "c": "cuda:0"}
    assert set(placed("cuda:1").values()) == {"cuda:1"}
    assert placed(["cuda:1", "cpu"]) == dict.fromkeys("abc", "cuda:1")
    assert placed(["cpu", "cuda:1"]) == dict.fromkeys("abc", "cpu")
    assert placed("cpu") == dict.fromkeys("abc", "cpu")
    for wrong, says in (([], "give 'auto' alone"), (["auto", "cpu"], "give 'auto' alone"), ("gpu", "no device 'gpu'")):
        with pytest.raises(DeviceError, match=says):
            annotator(found, machine(cards), config, device=wrong)
    with pytest.raises(DeviceError, match="this machine has no 'cuda:7'; it has cuda:0, cuda:1, cpu"):
        placed(["cuda:7"])
    with pytest.raises(ConfigError, match="lease_timeout"):
        annotator(found, machine(cards), config, lease_timeout=-1)


def test_waiting_in_vain_is_a_failure_that_says_who_has_it(clip: Path, files: list[str]) -> None:
    found = catalog(spec("a", memory=declared(30, 0)), spec("light", memory=declared(0, 0)))
    resources = machine({"cuda:0": SimulatedMemory(40)})
    config = {"a": {"weights": files[0]}, "light": {"weights": files[1], "size": 0, "each": 0}}
    CARDS["cuda:0"].others = 20
    with annotator(found, resources, config, lease_timeout=0.2) as both:
        result = both.annotate(clip, progress=False)
    (failure,) = result.failures
    assert (failure.pipeline, failure.kind) == ("a", "lease_timeout")
    assert "a needs 30 bytes of cuda:0, 40 bytes in all, 20 bytes left, held by other programs" in failure.message
    assert whole(result, "light")
    assert len(result["a"].x) == 0


def test_waiting_is_said_and_goes_on_when_there_is_room(
    clip: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = catalog(spec("a", memory=declared(30, 0)))
    resources = machine({"cuda:0": SimulatedMemory(40)})
    CARDS["cuda:0"].others = 20
    with annotator(found, resources, {"a": {"weights": files[0]}}) as one:
        said = []
        for event in one.stream(clip):
            if isinstance(event, va.Notice):
                said.append(event.message)
                CARDS["cuda:0"].others = 0
            if isinstance(event, va.Finished):
                assert whole(event.result, "a")
                assert event.result.provenance.pipelines[0].notices == (), "no number depends on it"
        assert "waits for room: a needs 30 bytes of cuda:0" in said[0]
        CARDS["cuda:0"].others = 20
        threading.Timer(1.5, lambda: setattr(CARDS["cuda:0"], "others", 0)).start()
        one.annotate(clip)
    assert "a: waits for room" in capsys.readouterr().err


def test_waiting_for_a_device_can_be_cancelled(clip: Path, files: list[str]) -> None:
    found = catalog(spec("a", memory=declared(30, 0)))
    resources = machine({"cuda:0": SimulatedMemory(40)})
    CARDS["cuda:0"].others = 20
    one = annotator(found, resources, {"a": {"weights": files[0]}})
    threading.Timer(0.3, one.cancel).start()
    with pytest.raises(CancelledError):
        one.annotate(clip, progress=False)
    assert resources.leases == ()
    with resources._ledger.open() as book:
        assert not any(book.waiting.values())


def test_torch_keeps_to_the_threads_of_a_lease(clip: Path, files: list[str]) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    THREADS.clear()
    try:
        model = [va.ModelSpec("far", "https://example.invalid/far.bin", "MIT")]
        found = catalog(*(spec(name, "Threads", models=model) for name in "ab"))
        config = {n: {"weights": f} for n, f in zip("ab", files, strict=False)}
        resources = machine({}, threads=4)
        with annotator(found, resources, config) as both:
            assert both.annotate(clip, progress=False).ok
        assert set(THREADS["told"]) == set(THREADS["seen"]) == {2}
        assert torch.get_num_threads() == 4
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [4], "threads to come have what they had"
    finally:
        torch.set_num_threads(before)


PIPELINE = st.fixed_dictionaries(
    {
        "size": st.integers(0, 40),
        "each": st.integers(0, 4),
        "fails_at": st.sampled_from([-1, -1, -1, 1, 2]),
        "says": st.sampled_from(["nothing", "the truth", "too little"]),
    }
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.lists(PIPELINE, min_size=1, max_size=3), min_size=1, max_size=3),
    total=st.integers(20, 120),
    cancel=st.none() | st.integers(0, 12),
)
def test_whatever_runs_together_nothing_is_lost_and_all_comes_back(
    clip: Path, files: list[str], runs: list[list[dict[str, Any]]], total: int, cancel: int | None
) -> None:
    resources = machine({"cuda:0": SimulatedMemory(total)})
    results: list[tuple[list[dict[str, Any]], va.Result]] = []
    errors: list[BaseException] = []

    def run(pipelines: list[dict[str, Any]], until: int | None) -> None:
        try:
            specs, config = [], {}
            for number, (name, told) in enumerate(zip("abc", pipelines, strict=False)):
                need = {
                    "nothing": None,
                    "the truth": declared(told["size"], told["each"]),
                    "too little": declared(1, 0),
                }
                specs.append(spec(name, memory=need[told["says"]]))
                config[name] = {k: v for k, v in told.items() if k != "says"} | {"weights": files[number]}
            with annotator(catalog(*specs), resources, config, lease_timeout=60) as one:
                for number, event in enumerate(one.stream(clip)):
                    if number == until:
                        one.cancel()
                    if isinstance(event, va.Finished):
                        results.append((pipelines, event.result))
        except CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread of the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one, cancel if n == 0 else None)) for n, one in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    assert not errors, errors
    assert len(results) >= len(runs) - 1
    for pipelines, result in results:
        for name, told in zip("abc", pipelines, strict=False):
            rows = result[name].x.value.tolist()
            assert rows == list(range(len(rows))), "a row is there once, in its place"
            if told["fails_at"] == -1:
                assert whole(result, name), result.failures
            else:
                assert [f.kind for f in result.failures if f.pipeline == name] == ["pipeline_error"]
    gc.collect()
    assert resources.leases == ()
    assert resources.models.keys == ()
    assert isinstance(resources.machine, SimulatedMachine)
    memory = resources.machine.devices["cuda:0"]
    assert memory.allocated == 0
    assert memory.peak <= total


def test_a_shortage_on_the_card_is_known_next_time(clip: Path, files: list[str]) -> None:
    found = catalog(spec("a"))
    config = {"a": {"weights": files[0], "size": 30, "each": 5}}
    with annotator(found, machine({"cuda:0": SimulatedMemory(55)}), config) as one:
        first = one.annotate(clip, progress=False)
        assert "batches of 4" in first.provenance.pipelines[0].notices[0]
        again = one.annotate(clip, progress=False)
    assert attrs.asdict(again.provenance.pipelines[0])["notices"] == ()
    assert whole(again, "a")
