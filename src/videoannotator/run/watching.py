"""What memory a pipeline really takes: seen in its first run, and remembered for the next plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from videoannotator.run.loaded import Holder
from videoannotator.run.measured import Measured
from videoannotator.run.resources import Lease, Request, ResourceManager

__all__ = ["Watch"]


class Watch:
    """Stands around the calls of one pipeline.

    The first batch of a job that nobody has measured is computed while no other pipeline of this process computes on
    the device, so that what is taken meanwhile is known to be its own. ``apart``: tells what the pipeline has taken in
    a process of its own, or None when it has none.
    """

    def __init__(
        self, resources: ResourceManager, request: Request, measured: Measured, apart: Callable[[], int | None]
    ) -> None:
        self._resources = resources
        self._request = request
        self._measured = measured
        self._apart = apart
        self._most = 0  # frames in the largest batch that is known
        self._told = 0  # bytes

    @contextmanager
    def calling(self, lease: Lease, holder: Holder, frames: int, alone: bool) -> Iterator[None]:
        """Around one call, with ``frames`` pictures; 0 for one without, that may take long.

        ``alone``: nobody else of this process computes on the device meanwhile.
        """
        gate, apart = self._resources.models.gate(lease.device), self._apart()
        unknown = apart is None and frames > 0 and not self._known(lease, frames)
        way: AbstractContextManager[None]
        if alone or unknown:
            way = gate.alone()
        elif apart is None:
            way = gate.together() if frames else gate.aside()
        else:
            way = nullcontext()
        with way, holder.computing():
            last = apart is None and not frames and not self._request.pixels
            taken = self._taken(lease, holder) if unknown or last else lambda: self._apart() or 0
            yield
            if apart is not None:
                self._resources.taken_apart(lease, taken())
                self._remember(lease, frames or lease.batch, taken())
            elif unknown and gate.undisturbed:
                self._remember(lease, frames, taken())
            elif last and self._resources.sole(lease):
                self._remember(lease, lease.batch, taken())

    def _known(self, lease: Lease, frames: int) -> bool:
        """True when there is nothing to learn: as much was seen, here or in an earlier run."""
        if self._most >= frames or lease.device != self._request.device:
            return True
        if (frames, self._request.pixels) not in self._measured.memory(self._request.job):
            return False
        self._most = frames
        return True

    def _taken(self, lease: Lease, holder: Holder) -> Callable[[], int]:
        """Begin to watch; the function returned tells what the pipeline has taken, with its models."""
        machine, sole = self._resources.machine, self._resources.sole(lease)
        before, peak = machine.held(lease.device), machine.watch_peak(lease.device)

        def taken() -> int:
            most = peak()
            alone = most - self._resources.unleased(lease.device) if sole and self._resources.sole(lease) else 0
            return max(holder.size + max(0, most - before), alone)

        return taken

    def _remember(self, lease: Lease, frames: int, taken: int) -> None:
        if lease.device != self._request.device or (taken <= self._told and frames <= self._most):
            return
        self._told = max(taken, self._told)
        self._measured.remember_memory(self._request.job, frames, self._request.pixels, taken)
        self._most = max(self._most, frames)
