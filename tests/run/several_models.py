"""A pipeline of several models, of which some are used only when a setting names them."""

from __future__ import annotations

import attrs

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin


@attrs.frozen
class Appearance:
    weights: str | None = attrs.field(default=None, metadata={"help": "a model for looks; off where it is nothing"})


@attrs.frozen
class Config:
    weights: str = attrs.field(default="main.bin", metadata={"help": "the main model"})
    second: str | None = attrs.field(default=None, metadata={"help": "one more model"})
    appearance: Appearance = attrs.field(factory=Appearance, metadata={"help": "looks"})

    def models(self) -> tuple[str, ...]:
        return tuple(name for name in (self.weights, self.second, self.appearance.weights) if name is not None)


class Reads(va.Pipeline[Config]):
    """Says how long its models are."""

    def finish(self) -> va.Table[va.Signal]:
        files = [self.context.model(name) for name in self.config.models()]
        sizes = [float(file.path.stat().st_size) for file in files]
        return va.Table.of(va.Signal, time=[0.0] * len(files), name=[file.name for file in files], value=sizes)


SPEC = va.PipelineSpec(
    name="reads",
    version="1.0",
    needs=(),
    gives={"signals": "videoannotator.data.rows:Signal"},
    pipeline=f"{__name__}:Reads",
    config=f"{__name__}:Config",
    licence="MIT",
    models=[
        va.ModelSpec("main.bin", "https://example.invalid/main.bin", "MIT", size=4),
        va.ModelSpec("second.bin", "https://example.invalid/second.bin", "Apache-2.0", size=5_000_000),
        va.ModelSpec("looks.bin", "https://example.invalid/looks.bin", "custom", gated=True),
    ],
)
CATALOG = Catalog({"reads": PipelineEntry(SPEC, Plugin("reads", "videoannotator", "1.0"))}, {})
