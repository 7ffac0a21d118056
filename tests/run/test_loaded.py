"""Loaded models: one copy of each, pinned while in use, given up when somebody needs room, gone at the end."""

from __future__ import annotations

import gc
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.run.pipelines import spec as spec_in_pipelines

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin
from videoannotator.discover.models import ModelKey
from videoannotator.run.loaded import Holder, LoadedModels
from videoannotator.run.resources import shared_resources
from videoannotator.run.threads import thread_counts
from videoannotator.testing.clips import write_clip
from videoannotator.testing.simulated import Buffer, SimulatedMemory

MEMORY = SimulatedMemory(100)
BUILT: list[str] = []
AT_ONCE = SimpleNamespace(now=0, most=0)


@attrs.frozen
class Settings:
    """``weights``: a file. ``size``: of the model. ``each``: for a frame. ``concurrent``: for `Context.load`."""

    weights: str = ""
    size: int = 30
    each: int = 1
    concurrent: bool = False
    threads: int = 0


class Computes(va.Pipeline[Settings]):
    """Loads a model and needs memory for every frame, all on the simulated device."""

    def setup(self) -> None:
        def build(file: Any) -> Buffer:
            made = MEMORY.allocate(self.config.size)
            BUILT.append(file.name)
            return made

        self.model = self.context.load(self.config.weights, build, concurrent=self.config.concurrent)
        assert self.model._close.alive
        if self.config.threads:
            import torch

            torch.set_num_threads(self.config.threads)

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        AT_ONCE.now += 1
        AT_ONCE.most = max(AT_ONCE.most, AT_ONCE.now)
        try:
            assert self.model._close.alive, "a model in use was closed"
            buffer = MEMORY.allocate(self.config.each * len(batch))
            threading.Event().wait(0.002)
            buffer.close()
        finally:
            AT_ONCE.now -= 1
        return va.Table.of(va.Signal, time=batch.time, name="n", value=batch.frame.astype(float))


class Breaks(Computes):
    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        raise ZeroDivisionError


def spec(name: str, cls: str = "Computes") -> va.PipelineSpec:
    made = spec_in_pipelines(name, cls, va.Frames(), batch=8)
    return attrs.evolve(made, pipeline=f"{__name__}:{cls}", config=f"{__name__}:Settings")


SPECS = [spec("a"), spec("b"), spec("c"), spec("breaks", "Breaks")]
CATALOG = Catalog({s.name: PipelineEntry(s, Plugin(s.name, "videoannotator", "1")) for s in SPECS}, {})


@pytest.fixture(autouse=True)
def _at_the_start() -> Any:
    gc.collect()
    assert MEMORY.allocated == 0
    BUILT.clear()
    AT_ONCE.now = AT_ONCE.most = 0
    MEMORY.peak = 0
    yield
    gc.collect()
    assert MEMORY.allocated == 0, "memory returns to its start"
    assert shared_resources().models.keys == ()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=40, rate=20)


@pytest.fixture
def weights(tmp_path: Path) -> list[str]:
    files = [tmp_path / f"{name}.bin" for name in "xyz"]
    for file in files:
        file.write_text(file.name)
    return [str(file) for file in files]


def annotator(**config: dict[str, Any]) -> va.Annotator:
    return va.Annotator(list(config), config=config, catalog=CATALOG, cache=False)


def values(result: va.Result, name: str) -> list[float]:
    found: list[float] = result[name].x.value.tolist()
    return found


def test_runs_and_pipelines_share_one_copy_until_the_annotator_is_closed(clip: Path, weights: list[str]) -> None:
    same = {"weights": weights[0]}
    with annotator(a=same, b=same) as first:
        for _ in range(2):
            assert first.annotate(clip, progress=False).ok
        with annotator(c=same) as second:
            assert second.annotate(clip, progress=False).ok
        assert BUILT == ["x.bin"]
        assert MEMORY.allocated == 30, "the other one still has it"
    assert MEMORY.allocated == 0


def test_release_gives_memory_back_to_a_notebook(clip: Path, weights: list[str]) -> None:
    kept = annotator(a={"weights": weights[0]})
    kept.annotate(clip, progress=False)
    assert MEMORY.allocated == 30
    va.release()
    assert MEMORY.allocated == 0
    assert kept.annotate(clip, progress=False).ok
    assert BUILT == ["x.bin"] * 2
    del kept  # never closed
    gc.collect()
    assert MEMORY.allocated == 0


@pytest.mark.parametrize(("concurrent", "most"), [(False, 1), (True, 2)])
def test_a_model_that_bears_one_at_a_time_gets_one_at_a_time(
    clip: Path, weights: list[str], concurrent: bool, most: int
) -> None:
    same = {"weights": weights[0], "concurrent": concurrent}
    with annotator(a=same, b=same) as both:
        assert both.annotate(clip, progress=False).ok
    assert AT_ONCE.most == most


def test_idle_models_make_room_and_no_row_is_lost(clip: Path, weights: list[str]) -> None:
    with annotator(a={"weights": weights[0], "size": 40}, b={"weights": weights[1], "size": 40}) as first:
        first.annotate(clip, progress=False)
        assert MEMORY.allocated == 80
        with annotator(c={"weights": weights[2], "size": 50, "each": 5}) as second:
            result = second.annotate(clip, progress=False)
            assert result.ok
            assert values(result, "c") == list(range(40))
            assert not any("batches" in notice for notice in result.provenance.pipelines[0].notices)
            loaded = [key.name for key in shared_resources().models.keys]
            assert loaded in (["y.bin", "z.bin"], ["x.bin", "z.bin"], ["z.bin"])
    assert MEMORY.peak <= 100


def test_where_nothing_is_idle_batches_become_smaller(clip: Path, weights: list[str]) -> None:
    with annotator(c={"weights": weights[2], "size": 70, "each": 7}) as one:
        result = one.annotate(clip, progress=False)
    assert values(result, "c") == list(range(40))
    assert result.provenance.pipelines[0].batch == 4


def test_who_fails_gives_everything_back_and_the_others_go_on(clip: Path, weights: list[str]) -> None:
    with annotator(
        breaks={"weights": weights[0]}, a={"weights": weights[1], "size": 200}, b={"weights": weights[2]}
    ) as all_:
        result = all_.annotate(clip, progress=False)
        assert {f.pipeline: f.kind for f in result.failures} == {"breaks": "pipeline_error", "a": "out_of_memory"}
        assert values(result, "b") == list(range(40))


def test_a_cancelled_run_gives_everything_back(clip: Path, weights: list[str]) -> None:
    for after in range(1, 8, 2):
        with annotator(a={"weights": weights[0]}, b={"weights": weights[1]}) as one:
            events = one.stream(clip)
            for _ in range(after):
                next(events)
            events.close()  # type: ignore[attr-defined]
        assert MEMORY.allocated == 0


def test_closing_while_a_run_goes_on(clip: Path, weights: list[str]) -> None:
    one = annotator(a={"weights": weights[0]})
    events = one.stream(clip)
    while not isinstance(next(events), va.RowsReady):
        pass
    one.close()
    with pytest.raises(va.VideoAnnotatorError, match="cancelled"):
        list(events)
    assert MEMORY.allocated == 0


def test_two_who_ask_at_once_build_once_and_a_failed_build_is_tried_again() -> None:
    models, key = LoadedModels(), ModelKey("m", "0" * 64, "cpu", "float32")
    began, go = threading.Event(), threading.Event()
    built: list[int] = []

    def build() -> object:
        built.append(1)
        began.set()
        go.wait(20)
        if len(built) == 1:
            raise OSError("the disk")
        return object()

    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(models.holder("me")(key, build, concurrent=True))
        except OSError as error:
            found.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert began.wait(20)
    go.set()
    for thread in threads:
        thread.join(20)
    assert len(built) == 2
    assert sorted(isinstance(one, OSError) for one in found) == [False, False, True]
    assert len({id(one) for one in found if not isinstance(one, OSError)}) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_cannot_be_closed_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Bad:
        def close(self) -> None:
            raise RuntimeError("no")

    models = LoadedModels()
    holder = models.holder("me")
    holder(ModelKey("bad", "0" * 64, "cpu", "float32"), Bad, concurrent=True)
    holder.close()
    models.release()
    assert models.keys == ()
    assert "bad (float32) on cpu could not be closed" in caplog.text


def test_thread_counts_are_put_right_again(clip: Path, weights: list[str]) -> None:
    torch = pytest.importorskip("torch")
    import cv2

    before = thread_counts()
    assert set(before) == {"torch", "cv2"}
    assert before["cv2"] == cv2.getNumThreads()
    try:
        with annotator(a={"weights": weights[0], "threads": before["torch"] + 3}) as one:
            assert one.annotate(clip, progress=False).ok
        assert torch.get_num_threads() == before["torch"]
    finally:
        torch.set_num_threads(before["torch"])
    assert "torch" in sys.modules


class Machine(RuleBasedStateMachine):
    """Pipelines come, ask for models, and go, in any order; memory is never exceeded, and nothing in use is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = SimulatedMemory(10)
        self.models = LoadedModels()
        self.holders: list[tuple[str, Holder, dict[ModelKey, Buffer]]] = []
        self.order: list[ModelKey] = []

    @rule(user=st.sampled_from("pq"))
    def comes(self, user: str) -> None:
        self.holders.append((user, self.models.holder(user), {}))

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), name=st.sampled_from("abcd"), size=st.integers(1, 6))
    def asks(self, data: st.DataObject, name: str, size: int) -> None:
        _, holder, had = data.draw(st.sampled_from(self.holders))
        key = ModelKey(name, "0" * 64, "cpu", "float32")
        while True:
            try:
                had[key] = holder(key, lambda: self.memory.allocate(size), concurrent=False)
            except MemoryError:
                idle = [k for k in self.order if not any(k in h for _, _, h in self.holders)]
                assert self.models.free("cpu") == bool(idle)
                if not idle:
                    return
                assert idle[0] not in self.models.keys, "the least recently used goes first"
                self.order.remove(idle[0])
            else:
                self.order = [k for k in self.order if k != key] + [key]
                return

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def computes(self, data: st.DataObject) -> None:
        _, holder, had = data.draw(st.sampled_from(self.holders))
        with holder.computing():
            assert all(model._close.alive for model in had.values())

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.holders))
        self.holders.remove(gone)
        gone[1].close()
        self.order = [k for k in self.order if k in self.models.keys]

    @rule(user=st.sampled_from("pq"))
    def leaves(self, user: str) -> None:
        self.models.leave(user)
        self.order = [k for k in self.order if k in self.models.keys]

    @invariant()
    def what_is_in_use_is_there(self) -> None:
        assert self.memory.peak <= self.memory.total
        for _, _, had in self.holders:
            assert all(model._close.alive for model in had.values())
            assert set(had) <= set(self.models.keys)
        loaded = sum(m.model.size for m in self.models._models.values())
        assert self.memory.allocated == loaded

    def teardown(self) -> None:
        for _, holder, had in self.holders:
            had.clear()
            holder.close()
        self.models.release()
        assert self.models.keys == ()
        assert self.memory.allocated == 0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
