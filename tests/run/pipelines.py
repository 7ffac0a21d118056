"""Small pipelines to run: each does one thing that a run has to cope with."""

from __future__ import annotations

import threading
import time
from typing import Any

import attrs

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin
from videoannotator.testing.clips import read_number

SIGNAL = "videoannotator.data.rows:Signal"


@va.row
class Seen:
    frame: int
    time: float
    number: int
    width: int
    height: int


@attrs.frozen
class RateConfig:
    rate: float | None = None
    width: int | None = None

    def needs(self) -> tuple[va.Frames, ...]:
        return (va.Frames(rate=self.rate, width=self.width),)


class Watch(va.Pipeline[RateConfig]):
    """Reads the number that every frame carries."""

    def process(self, batch: va.FrameBatch) -> va.Table[Seen]:
        numbers = [read_number(picture) for picture in batch.pixels]
        return va.Table.of(
            Seen, frame=batch.frame, time=batch.time, number=numbers, width=batch.width, height=batch.height
        )


class Loudness(va.Pipeline[None]):
    def finish(self) -> va.Table[va.Signal]:
        audio = self.context.audio
        return va.Table.of(va.Signal, time=[audio.start], name="peak", value=[float(abs(audio.samples).max())])


class FailsAtThird(va.Pipeline[None]):
    def setup(self) -> None:
        self.batches = 0

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        self.batches += 1
        if self.batches == 3:
            raise ZeroDivisionError("the third batch is one too many")
        return va.Table.of(va.Signal, time=batch.time, name="ok", value=[1.0] * len(batch))


class FailsInSetup(va.Pipeline[None]):
    def setup(self) -> None:
        raise MemoryError

    def process(self, batch: va.FrameBatch) -> None:
        raise AssertionError("must not be called")


class Exits(va.Pipeline[None]):
    """What argparse inside a dependency does."""

    def setup(self) -> None:
        raise SystemExit(2)


class WrongRows(va.Pipeline[None]):
    def finish(self) -> Any:
        return va.Table.of(va.Shot, start=[0.0], end=[1.0], start_frame=[0], end_frame=[1])


class WrongOutput(va.Pipeline[None]):
    def finish(self) -> Any:
        return {"y": va.Table.empty(va.Signal)}


class NeedsWeights(va.Pipeline[None]):
    def setup(self) -> None:
        self.context.model("absent")


class Mean(va.Pipeline[None]):
    """Reads another pipeline's rows."""

    def finish(self) -> va.Table[va.Signal]:
        seen = self.context.output("watch")
        value = float(seen.seen.number.mean()) if seen is not None else -1.0
        return va.Table.of(va.Signal, time=[0.0], name="mean", value=[value])


class Slow(va.Pipeline[None]):
    closed = threading.Event()

    def process(self, batch: va.FrameBatch) -> None:
        time.sleep(0.05)

    def close(self) -> None:
        self.closed.set()


class Endless(va.Pipeline[None]):
    def finish(self) -> None:
        while True:
            self.context.progress(0.5)
            time.sleep(0.01)


class Quiet(va.Pipeline[None]):
    """Finds nothing, and says nothing."""

    def process(self, batch: va.FrameBatch) -> None:
        return None


def spec(name: str, cls: str, *needs: Any, gives: dict[str, str] | None = None, **more: Any) -> va.PipelineSpec:
    return va.PipelineSpec(
        name=name,
        version="1.0",
        needs=needs,
        gives=gives or {"x": SIGNAL},
        pipeline=f"{__name__}:{cls}",
        licence="MIT",
        **more,
    )


SPECS = [
    spec("watch", "Watch", va.Frames(), gives={"seen": f"{__name__}:Seen"}, config=f"{__name__}:RateConfig"),
    spec(
        "watch_too", "Watch", va.Frames(), gives={"seen": f"{__name__}:Seen"}, config=f"{__name__}:RateConfig", batch=3
    ),
    spec("loudness", "Loudness", va.Audio()),
    spec("loudness_8k", "Loudness", va.Audio(rate=8000)),
    spec("fails_at_third", "FailsAtThird", va.Frames(), batch=4),
    spec("fails_in_setup", "FailsInSetup", va.Frames()),
    spec("exits", "Exits", va.Frames()),
    spec("wrong_rows", "WrongRows", va.Audio()),
    spec("wrong_output", "WrongOutput", va.Audio()),
    spec("needs_weights", "NeedsWeights", va.Frames()),
    spec("not_importable", "NoSuchClass", va.Frames()),
    spec("mean", "Mean", va.Output("watch")),
    spec("maybe_mean", "Mean", va.Output("watch", optional=True)),
    spec("after_failure", "Mean", va.Output("fails_at_third")),
    spec("slow", "Slow", va.Frames(), batch=1),
    spec("endless", "Endless", va.Audio()),
    spec("quiet", "Quiet", va.Frames()),
    spec("chicken", "Mean", va.Output("egg")),
    spec("egg", "Mean", va.Output("chicken")),
    spec(
        "with_model",
        "Quiet",
        va.Frames(),
        config=f"{__name__}:ModelConfig",
        models=[va.ModelSpec("far", "https://example.invalid/far.bin", "MIT", size=5_000_000)],
        accelerators=["cuda"],
    ),
]


@attrs.frozen
class ModelConfig:
    weights: str = "far"


CATALOG = Catalog({s.name: PipelineEntry(s, Plugin(s.name, "videoannotator", "1.0")) for s in SPECS}, {})
