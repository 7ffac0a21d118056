"""On a real card, where one is at hand: what was allocated comes back, and what was taken is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.run.leased_pipelines import Settings, catalog, spec, weights

import videoannotator as va
from videoannotator.run.devices import Machine
from videoannotator.testing.clips import write_clip

MEGABYTE = 1 << 20


class Tensors(va.Pipeline[Settings]):
    """A model of ``size`` and ``each`` for a picture, in megabytes of the card."""

    def setup(self) -> None:
        self.model = self.context.load(self.config.weights, lambda file: self._take(self.config.size))

    def _take(self, megabytes: int) -> Any:
        import torch

        return torch.zeros(megabytes * MEGABYTE, dtype=torch.uint8, device=self.context.device)

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        assert batch.torch(self.context.device).device.type == "cuda"
        self._take(self.config.each * len(batch))
        return va.Table.of(va.Signal, time=batch.time, name=self.context.device, value=batch.frame.astype(float))


@pytest.fixture
def card() -> str:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA card here")
    return "cuda:0"


def test_a_card_gets_its_memory_back_and_its_use_is_measured(card: str, tmp_path: Path) -> None:
    machine = Machine()
    clip = write_clip(tmp_path / "clip.mp4", frames=24, rate=20)
    before = machine.held(card)
    found = catalog(attrs.evolve(spec("a"), pipeline=f"{__name__}:Tensors"))
    config = {"a": {"weights": weights(tmp_path, 1)[0], "size": 64, "each": 8}}
    with va.Annotator(["a"], config=config, catalog=found, cache=False, device=card) as annotator:
        result = annotator.annotate(clip, progress=False)
        assert result.ok, result.failures
        assert machine.held(card) - before >= 64 * MEGABYTE, "the model stays for the next run"
        needs = annotator.plan(clip).pipelines[0].request
        assert needs.measured
        assert needs.memory is not None
        assert 120 * MEGABYTE < needs.memory < 200 * MEGABYTE
    assert machine.held(card) == before
    assert machine.reserved(card) <= before + 2 * MEGABYTE
    memory = machine.memory(card)
    assert memory is not None
    assert 0 < memory.free <= memory.total
    assert machine.identity(card) != card
