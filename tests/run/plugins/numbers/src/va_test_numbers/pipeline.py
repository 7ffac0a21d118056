import os
import signal
from typing import Annotated, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

import videoannotator as va
from va_test_numbers.values import values


@attrs.frozen
class Config:
    gain: Annotated[float, va.Range(gt=0, le=10)] = attrs.field(default=1.0, metadata={"help": "multiplies values"})
    rate: Annotated[float, va.Range(gt=0, le=50)] = 5.0
    weights: str = "inside.txt"
    more: str | None = None
    ends: Literal["well", "crash"] = "well"

    def models(self):
        return (self.weights,) if self.more is None else (self.weights, self.more)

    def needs(self):
        return [va.Frames(rate=self.rate, height=90, color="gray")]


@va.row
class Part:
    at: Annotated[float, va.Unit("s")]


@va.row
class Number:
    frame: int
    time: Annotated[float, va.Unit("s")]
    numpy: str
    mean: Annotated[float, va.Dtype("float32"), va.Range(ge=0)]
    level: Annotated[float, va.Unit("dB")] | None
    corners: Annotated[NDArray[np.float32], va.ArrayOf("float32", (2, 2))]
    parts: tuple[Part, ...]


@va.row
class Note:
    text: str


class Numbers(va.Pipeline[Config]):
    def setup(self):
        self.offset = float(self.context.model(self.config.weights).path.read_text())
        self.before = 0.0

    def begin(self):
        self.before = 0.0

    def process(self, batch):
        if self.config.ends == "crash" and batch.frame[0] > 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        columns, self.before = values(batch.pixels, self.config.gain, self.offset, self.before)
        parts = [(Part(at=float(t)),) for t in batch.time]
        version = np.__version__
        return {
            "numbers": va.Table.of(Number, frame=batch.frame, time=batch.time, numpy=version, parts=parts, **columns)
        }

    def state(self):
        return {"before": self.before}

    def restore(self, state):
        self.before = state["before"]
