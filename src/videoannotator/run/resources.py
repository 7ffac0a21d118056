"""Who gets which device and how many threads. The only one who decides."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from videoannotator.discover.specs import PipelineSpec
from videoannotator.run import devices

__all__ = ["Lease", "ResourceManager"]


@attrs.frozen
class Lease:
    """The right to use a device. ``threads``: processor threads the pipeline may use."""

    device: str
    threads: int


@attrs.frozen
class ResourceManager:
    """Gives out leases. ``device``: what the user asked for."""

    device: str = attrs.field(default="auto", converter=devices.check)

    def leases(self, together: Sequence[PipelineSpec]) -> dict[str, Lease]:
        """Leases for pipelines that run at the same time, by name.

        Pipelines with models share the processor's threads evenly; the others do little more than arithmetic on
        small pictures and are not counted. Raises `DeviceError` when the device asked for is not here.
        """
        heavy = sum(bool(spec.models) for spec in together)
        share = max(1, devices.processors() // max(1, heavy))
        return {spec.name: Lease(devices.choose(self.device, spec.accelerators), share) for spec in together}
