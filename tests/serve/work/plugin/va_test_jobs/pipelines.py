from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import attrs

import videoannotator as va
from videoannotator.run import segments
from videoannotator.testing.clips import read_number

segments._EVERY, segments._SHARE = 0.0, 0  # a segment after every call: a kill may cost one call


@attrs.frozen
class Way:
    """``seconds``: slept in each batch. ``seen``: a file to which the number of every picture is added.

    ``how``: what `Misbehaves` does. ``megabytes``: that it takes.
    """

    seconds: float = 0.0
    seen: str = ""
    how: str = "fails"
    megabytes: int = 0


class Counts(va.Pipeline[Way]):
    """The number drawn in each picture, and their sum so far."""

    def begin(self) -> None:
        self.sum = 0

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        time.sleep(self.config.seconds)
        numbers = [read_number(picture) for picture in batch.pixels]
        sums = []
        for number in numbers:
            self.sum += number
            sums.append(float(self.sum))
        if self.config.seen:
            with Path(self.config.seen).open("a") as file:
                file.write("".join(f"{number}\n" for number in numbers))
        return va.Table.of(va.Signal, time=batch.time, name="sum", value=sums)

    def state(self) -> Any:
        return self.sum

    def restore(self, state: Any) -> None:
        self.sum = state


class After(va.Pipeline[Way]):
    """How many rows the other one has."""

    def finish(self) -> va.Table[va.Signal]:
        time.sleep(self.config.seconds)
        given = self.context.output("counts")
        assert given is not None
        return va.Table.of(va.Signal, time=[0.0], name="rows", value=[float(len(given.values))])


class Misbehaves(va.Pipeline[Way]):
    """Fails, crashes, hangs, prints or takes memory, as it is told."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        time.sleep(self.config.seconds)
        how = self.config.how
        if how == "fails":
            raise RuntimeError("it was told to fail")
        if how == "fails late" and batch.frame[0] > 8:
            raise RuntimeError("it was told to fail late")
        if how == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hangs":  # and will hear of nothing
            ctypes.CDLL(None).signal(int(signal.SIGTERM), ctypes.c_void_p(int(signal.SIG_IGN)))
            Path(self.config.seen).write_text(f"{os.getpid()} {subprocess.Popen(['sleep', '3600']).pid}")
            time.sleep(3600)
        if how == "prints":
            print('{"kind": "done", "state": "completed"}', flush=True)
            os.write(1, b"noise\n")
        if how == "eats":
            self.eaten = bytearray(os.urandom(1) * (self.config.megabytes << 20))
            time.sleep(3600)
        return va.Table.of(va.Signal, time=batch.time, name="x", value=[1.0] * len(batch.frame))
