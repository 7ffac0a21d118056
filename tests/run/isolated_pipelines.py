"""Pipelines to run in a process of their own: each does one thing that the border between processes has to bear."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import attrs
import numpy as np
from numpy.typing import NDArray
from tests.run.pipelines import spec as spec_in_pipelines

import videoannotator as va
from videoannotator.errors import ModelMissingError, RefusedMediaError


@va.row
class Look:
    frame: int
    time: float
    mean: float | None
    corner: Annotated[NDArray[np.float32], va.ArrayOf("float32", (None, 3))]
    pid: int


@attrs.frozen
class Settings:
    how: str = ""
    sizes: tuple[int, ...] = (1, 2)


class Looks(va.Pipeline[Settings]):
    """Frames: numbers of every kind, state, and the picture before the one at hand."""

    def begin(self) -> None:
        self.count = 0
        self.before: Any = None

    def process(self, batch: va.FrameBatch) -> va.Table[Look]:
        assert not batch.pixels.flags.writeable
        mean, corner = [], []
        for picture in batch.pixels:
            before = picture if self.before is None else self.before
            mean.append(float(np.abs(picture.astype(int) - before).mean()) if self.count % 3 else None)
            corner.append(picture[: self.count % 4, 0].astype(np.float32))
            self.before = picture  # no copy
            self.count += 1
        return va.Table.of(Look, frame=batch.frame, time=batch.time, mean=mean, corner=corner, pid=0)

    def state(self) -> Any:
        return self.count, None if self.before is None else self.before.copy()

    def restore(self, state: Any) -> None:
        self.count, self.before = state


class Sounds(va.Pipeline[None]):
    """Sound: in pieces, with progress."""

    def finish(self) -> Iterator[dict[str, va.Table[va.Signal]]]:
        audio = self.context.audio
        assert not audio.samples.flags.writeable
        for n, part in enumerate(np.array_split(audio.samples, 4)):
            self.context.progress(n / 4)
            value = [float(np.square(part).sum()), float(audio.rate)]
            yield {"x": va.Table.of(va.Signal, time=[audio.start + n, audio.span.end], name=f"p{n}", value=value)}


class Reads(va.Pipeline[None]):
    """Another pipeline's rows."""

    def finish(self) -> va.Table[va.Signal]:
        assert self.context.output("nobody") is None
        looks = self.context.output("looks")
        assert looks is not None
        assert looks.coverage.duration == 1.5
        value = [float(looks.looks.frame.sum()), float(looks.looks.row_class is Look)]
        return va.Table.of(va.Signal, time=[0.0, 1.0], name="sum", value=value)


class Does(va.Pipeline[Settings]):
    """Whatever its settings say, in the middle of a batch."""

    def setup(self) -> None:
        self.kept: list[Any] = []
        if self.config.how == "half":
            self.context.dtype = "float16"
        if self.config.how == "model":
            self.context.model(__file__)

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        getattr(self, f"do_{self.config.how}", lambda: None)()
        return va.Table.of(va.Signal, time=batch.time, name="ok", value=[float(os.getpid())] * len(batch))

    def do_segfault(self) -> None:
        sys.stdout.write("last words\n")
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_exit(self) -> None:
        os._exit(3)

    def do_hang(self) -> None:
        subprocess.Popen(["sleep", "300"])
        time.sleep(300)

    def do_leak(self) -> None:
        self.kept.append(np.ones(50_000_000, np.uint8))

    def do_print(self) -> None:
        sys.stdout.write("a line of text\n" * 20_000)
        sys.stderr.write("more\n" * 20_000)
        assert sys.stdin.read() == ""

    def do_log(self) -> None:
        logging.getLogger("isolated.sub").warning("look at %s", "this")
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            logging.getLogger("isolated").exception("it failed")

    def do_missing(self) -> None:
        raise ModelMissingError("no weights")

    def do_refused(self) -> None:
        raise RefusedMediaError("too large", path="x.mp4")

    def do_memory(self) -> None:
        raise MemoryError("17 GB")

    def do_divide(self) -> None:
        _ = 1 / 0

    def do_system_exit(self) -> None:
        raise SystemExit(2)

    def do_progress(self) -> None:
        self.context.progress(0.5)


def spec(name: str, cls: str, *needs: Any, gives: dict[str, str] | None = None, **more: Any) -> va.PipelineSpec:
    made = spec_in_pipelines(name, cls, *needs, gives=gives, **more)
    return attrs.evolve(made, pipeline=f"{__name__}:{cls}")


LOOKS = spec(
    "looks", "Looks", va.Frames(rate=10.0), gives={"looks": f"{__name__}:Look"}, config=f"{__name__}:Settings", batch=4
)
SOUNDS = spec("sounds", "Sounds", va.Audio(rate=8000))
READS = spec("reads", "Reads", va.Output("looks"), va.Output("nobody", optional=True))
DOES = spec("does", "Does", va.Frames(color="gray"), config=f"{__name__}:Settings", batch=4)
