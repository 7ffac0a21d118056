"""Pipelines on simulated cards: they take what they say, and the card says when it is too much."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import attrs
from tests.run.pipelines import spec as spec_in_pipelines

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin
from videoannotator.run.resources import ResourceManager
from videoannotator.testing.simulated import Buffer, SimulatedMachine, SimulatedMemory

CARDS: dict[str, SimulatedMemory] = {}
"""The devices of the machine at hand: set by `machine`."""
THREADS: dict[str, list[int]] = {}


@attrs.frozen
class Settings:
    """``size``: of the model. ``each``: for a picture. ``fails_at``: the batch that raises. ``hold``: s for a batch."""

    weights: str = ""
    size: int = 30
    each: int = 1
    fails_at: int = -1
    hold: float = 0.001


class OnCard(va.Pipeline[Settings]):
    def setup(self) -> None:
        def build(file: Any) -> Buffer:
            return self._take(self.config.size)

        self.model = self.context.load(self.config.weights, build, variant=self.context.device)
        self.batches = 0

    def _take(self, size: int) -> Buffer:
        card = CARDS.get(self.context.device)
        return SimulatedMemory(size).allocate(size) if card is None else card.allocate(size)

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        self.batches += 1
        if self.batches == self.config.fails_at:
            raise ZeroDivisionError("as asked")
        buffer = self._take(self.config.each * len(batch))
        threading.Event().wait(self.config.hold)
        buffer.close()
        name = f"{self.context.device} {self.context.batch}"
        return va.Table.of(va.Signal, time=batch.time, name=name, value=batch.frame.astype(float))


class Threads(OnCard):
    """Notes how many threads torch has in this thread."""

    def process(self, batch: va.FrameBatch) -> None:
        import torch

        THREADS.setdefault("seen", []).append(torch.get_num_threads())
        THREADS.setdefault("told", []).append(self.context.threads)


def spec(name: str, cls: str = "OnCard", **more: Any) -> va.PipelineSpec:
    made = spec_in_pipelines(name, cls, va.Frames(), accelerators=["cuda"], **more)
    return attrs.evolve(made, pipeline=f"{__name__}:{cls}", config=f"{__name__}:Settings")


def catalog(*specs: va.PipelineSpec) -> Catalog:
    return Catalog({s.name: PipelineEntry(s, Plugin(s.name, "videoannotator", "1")) for s in specs}, {})


def machine(devices: dict[str, SimulatedMemory], threads: int = 2) -> ResourceManager:
    CARDS.clear()
    CARDS.update(devices)
    return ResourceManager(SimulatedMachine(devices, threads))


def weights(folder: Path, count: int) -> list[str]:
    files = [folder / f"{number}.bin" for number in range(count)]
    for file in files:
        file.write_text(file.name)
    return [str(file) for file in files]
