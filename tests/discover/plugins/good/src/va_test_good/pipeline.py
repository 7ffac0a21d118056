from typing import Annotated

import attrs

import videoannotator as va


@attrs.frozen
class Config:
    gain: Annotated[float, va.Range(gt=0, le=10)] = 1.0


@va.row
class Brightness:
    frame: int
    time: float
    value: float


class BrightnessPipeline(va.Pipeline[Config]):
    def process(self, batch):
        value = self.config.gain * batch.pixels.mean(axis=(1, 2)) / 255
        return va.Table.of(Brightness, frame=batch.frame, time=batch.time, value=value)
