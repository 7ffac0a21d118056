"""One pipeline name, published three times: once by itself, twice as a named backend."""

from __future__ import annotations

from typing import Literal

import attrs

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin


@attrs.frozen
class Own:
    backend: Literal["house"] = attrs.field(default="house", metadata={"help": "which distribution runs"})
    level: float = attrs.field(default=1.0, metadata={"help": "what is said"})


@attrs.frozen
class Other:
    backend: Literal["other"] = attrs.field(default="other", metadata={"help": "which distribution runs"})
    depth: float = attrs.field(default=2.0, metadata={"help": "what is said"})
    weights: str = attrs.field(default="other.bin", metadata={"help": "a model"})


@attrs.frozen
class Another:
    backend: Literal["another"] = attrs.field(default="another", metadata={"help": "which distribution runs"})


class Says(va.Pipeline[Own | Other | Another]):
    """Says which one it is."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        return va.Table.of(va.Signal, time=batch.time, name=self.config.backend, value=float(len(self.config.backend)))


class Reads(va.Pipeline[None]):
    """Says what it has read."""

    def finish(self) -> va.Table[va.Signal]:
        read = self.context.output("says")
        assert read is not None
        return va.Table.of(va.Signal, time=[0.0], name=[read.tables["signals"][0].name], value=[1.0])


def spec(config: str, **more: object) -> va.PipelineSpec:
    return va.PipelineSpec(
        **{  # type: ignore[arg-type]
            "name": "says",
            "version": "1.0",
            "needs": (va.Frames(rate=5.0, height=32, color="gray"),),
            "gives": {"signals": "videoannotator.data.rows:Signal"},
            "pipeline": f"{__name__}:Says",
            "config": f"{__name__}:{config}",
            "licence": "MIT",
            **more,
        }
    )


OWN = spec("Own", licence="AGPL-3.0-or-later")
OTHER = spec("Other", backend="other", models=[va.ModelSpec("other.bin", "https://example.invalid/o.bin", "MIT")])
ANOTHER = spec("Another", backend="another", precisions=("exact", "fast"))
READS = va.PipelineSpec(
    name="reads",
    version="1.0",
    needs=(va.Output("says"),),
    gives={"signals": "videoannotator.data.rows:Signal"},
    pipeline=f"{__name__}:Reads",
    licence="MIT",
)


def catalog(*specs: va.PipelineSpec) -> Catalog:
    """These, each from a distribution of its own."""
    return Catalog.of(
        PipelineEntry(one, Plugin(one.backend or one.name, f"va-{one.backend or one.name}", "1")) for one in specs
    )
