from __future__ import annotations

import numpy as np

import videoannotator as va


class BrightSquare(va.Pipeline[None]):
    """The box around every pixel that is brighter than the middle."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        rows = []
        for frame, time, picture in zip(batch.frame.tolist(), batch.time.tolist(), batch.pixels, strict=True):
            y, x = np.nonzero(picture > 128)
            if len(x):
                box = {"x1": x.min(), "y1": y.min(), "x2": x.max() + 1, "y2": y.max() + 1}
                rows.append({"frame": frame, "time": time, **{name: float(value) for name, value in box.items()}})
        columns = {name: [row[name] for row in rows] for name in ("frame", "time", "x1", "y1", "x2", "y2")}
        return va.Table.of(va.Detection, label="square", score=[1.0] * len(rows), **columns)


class Broken(va.Pipeline[None]):
    """Never gives anything."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        raise RuntimeError("the lamp of this pipeline is broken")
