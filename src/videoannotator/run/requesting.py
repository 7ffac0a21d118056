"""What the pipelines of a plan will ask for: a device each, memory of it, a batch to start with. Nothing is held."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Frames, Need
from videoannotator.data.outcome import Precision
from videoannotator.decode.geometry import output_size
from videoannotator.discover.config import models_of, plain_config
from videoannotator.discover.specs import PipelineSpec
from videoannotator.run.devices import Machine, candidates
from videoannotator.run.measured import Measured, nearest
from videoannotator.run.resources import Request, gigabytes

__all__ = ["Asked", "Asker"]


@attrs.frozen
class Asked:
    """A pipeline for which a request is made. ``precision``: that was asked for.

    ``python``: of its own environment; None where it has none.
    """

    spec: PipelineSpec
    config: Any
    needs: Sequence[Need]
    precision: Precision = "exact"
    python: str | None = None

    @property
    def looks(self) -> bool:
        """True when it is handed pictures."""
        return any(isinstance(need, Frames) for need in self.needs)

    @property
    def computes(self) -> bool:
        """True when it uses a model: by its settings where they name models, else by what its spec declares."""
        names = hasattr(self.config, "models") or hasattr(self.config, "weights")
        return bool(models_of(self.config) if names else self.spec.models)

    @property
    def fast(self) -> bool:
        """True when it will compute in its fast mode."""
        return self.precision == "fast" and "fast" in self.spec.precisions

    def job(self, model: str) -> str:
        """Under which name it is remembered what it takes. ``model``: of the device."""
        told = [self.spec.name, self.spec.version, plain_config(self.config), self.fast, model]
        return f"{self.spec.name}:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]}"


@attrs.frozen
class Asker:
    """Chooses for one file. ``wanted``: devices that were asked for, from `videoannotator.run.devices.check`."""

    media: MediaInfo
    machine: Machine
    wanted: Sequence[str]
    measured: Measured

    def requests(self, together: Sequence[Asked]) -> dict[str, Request]:
        """Requests of pipelines that could run at the same time, by name.

        Where there are several devices of a kind, each pipeline gets the one on which most is left. One that would not
        fit on an accelerator even alone starts with a smaller batch, and at last on the processor.
        Sound is handed over when the pictures are done: one that only hears takes no threads from those that look.
        Raises `DeviceError` when a device that was asked for is not here.
        """
        looking = any(asked.looks and asked.computes for asked in together)
        planned: dict[str, int] = {}  # bytes by device
        found = {}
        for asked in together:
            devices = candidates(self.machine, self.wanted, asked.spec.accelerators, asked.python)
            choices = [self._request(asked, device) for device in devices]
            possible = [one for one in choices if one.fits or one.device == "cpu"]
            if possible:
                kind = possible[0].device.partition(":")[0]
                alike = [one for one in possible if one.device.partition(":")[0] == kind]
                best = max(alike, key=lambda one: self._left(one, planned))
            else:
                best = attrs.evolve(self._request(asked, "cpu"), note=choices[0].note)
            planned[best.device] = planned.get(best.device, 0) + (best.memory or 0)
            found[asked.spec.name] = attrs.evolve(best, heavy=best.heavy and (asked.looks or not looking))
        return found

    def _left(self, request: Request, planned: dict[str, int]) -> int:
        total = self._total(request.device)
        return (total or 0) - planned.get(request.device, 0)

    def _total(self, device: str) -> int | None:
        memory = self.machine.memory(device)
        return None if memory is None else int(memory.total * (1 - self.machine.spare))

    def _request(self, asked: Asked, device: str) -> Request:
        """What it asks for of one device; with a note when it does not fit there even with one picture at a time."""
        spec, pixels = asked.spec, self._pixels(asked.needs)
        job = asked.job(self.machine.model(device))
        total, known = self._total(device), self.measured.memory(job)
        batches = [spec.batch]
        while batches[-1] > 1:
            batches.append((batches[-1] + 1) // 2)
        asks = [(batch, _memory(spec, known, batch, pixels)) for batch in batches]
        within = [(batch, size) for batch, size in asks if size is None or total is None or size <= total]
        fits = bool(within)
        batch, memory = within[0] if fits else asks[-1]
        note = ""
        if not fits:
            assert memory is not None and total is not None  # noqa: S101, PT018 - told to the type checker
            note = f"it needs {gigabytes(memory)} even for one picture at a time, and {device} has {gigabytes(total)}"
        elif batch < spec.batch:
            note = f"batches of {batch} pictures: more need more memory than {device} has"
        return Request(
            name=spec.name,
            device=device,
            # more than there is would never be given: on the processor, it tries with what there is
            memory=memory if fits else total,
            measured=bool(known),
            batch=batch,
            dtypes=self._dtypes(device, asked.fast),
            note=note,
            fits=fits,
            heavy=asked.computes,
            pace=self._pace(asked.needs),
            smaller=tuple((less, size) for less, size in within[1:] if size is not None),
            job=job,
            pixels=pixels,
        )

    def _pace(self, needs: Sequence[Need]) -> float:
        """Pictures per second of film."""
        frames = next((need for need in needs if isinstance(need, Frames)), None)
        video = self.media.video
        if frames is None or video is None or not len(video.clock):
            return 1.0
        every = len(video.clock) / max(video.clock.end - float(video.clock.times[0]), 1e-9)
        return max(1e-6, every if frames.rate is None else min(frames.rate, every))

    def _dtypes(self, device: str, fast: bool) -> tuple[str, ...]:
        return (*(self.machine.halves(device) if fast else ()), "float32")

    def _pixels(self, needs: Sequence[Need]) -> int:
        frames = next((need for need in needs if isinstance(need, Frames)), None)
        if frames is None or self.media.video is None:
            return 0
        width, height = output_size(self.media.video, frames)
        return width * height


def _memory(spec: PipelineSpec, known: Mapping[tuple[int, int], int], batch: int, pixels: int) -> int | None:
    """Bytes. What was measured for another size is scaled as the spec declares, or else never down."""
    size = nearest(known, batch, pixels)
    if size is None:
        return None if spec.memory is None else spec.memory.of(batch, pixels)
    if size == (batch, pixels):
        return known[size]
    if spec.memory is not None and (then := spec.memory.of(*size)):
        return round(known[size] * spec.memory.of(batch, pixels) / then)
    return round(known[size] * max(1.0, batch / size[0]) * max(1.0, pixels / max(1, size[1])))
