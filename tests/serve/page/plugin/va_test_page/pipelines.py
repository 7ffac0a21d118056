from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import attrs
import numpy as np

import videoannotator as va

HOLD = "VA_TEST_HOLD"
"""In the environment: a file; while it is there `SlowSquare` is slow."""


@attrs.frozen(kw_only=True)
class BrightSettings:
    """What counts as bright, and for whom."""

    threshold: Annotated[int, va.Range(ge=0, le=255)] = attrs.field(
        default=128, metadata={"help": "grey level above which a pixel is bright"}
    )
    rooms: tuple[str, ...] = attrs.field(default=(), metadata={"help": "where the film was taken"})
    limit: Annotated[float, va.Range(gt=0)] | None = attrs.field(default=8.0, metadata={"help": "boxes at most"})

    def __attrs_post_init__(self) -> None:
        if "cellar" in self.rooms:
            raise ValueError("there is no light in the cellar")


class BrightSquare(va.Pipeline[BrightSettings]):
    """The box around every pixel that is brighter than the threshold."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        rows = []
        threshold = 128 if self.config is None else self.config.threshold
        for frame, time_, picture in zip(batch.frame.tolist(), batch.time.tolist(), batch.pixels, strict=True):
            y, x = np.nonzero(picture > threshold)
            if len(x):
                box = {"x1": x.min(), "y1": y.min(), "x2": x.max() + 1, "y2": y.max() + 1}
                rows.append({"frame": frame, "time": time_, **{name: float(value) for name, value in box.items()}})
        columns = {name: [row[name] for row in rows] for name in ("frame", "time", "x1", "y1", "x2", "y2")}
        return va.Table.of(va.Detection, label="square", score=[1.0] * len(rows), **columns)


class SlowSquare(BrightSquare):
    """The same, half a second for each frame as long as `HOLD` is there."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        until = time.monotonic() + 0.5
        while Path(os.environ[HOLD]).exists() and time.monotonic() < until:
            time.sleep(0.02)
        return super().process(batch)


class Broken(va.Pipeline[None]):
    """Never gives anything."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        raise RuntimeError("the lamp of this pipeline is broken")
