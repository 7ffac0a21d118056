"""Pipelines that a run may be killed in: a tracker, one that counts to the end, and ones that need sound or rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from tests.run.pipelines import SIGNAL, SPECS
from tests.run.pipelines import spec as spec_in_pipelines

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin
from videoannotator.run import segments
from videoannotator.testing.clips import read_number


@va.row
class Step:
    frame: int
    time: float
    track: int
    x: float
    age: int


@attrs.frozen
class Pace:
    """``seconds``: slept in each batch or piece."""

    seconds: float = 0.0
    rate: float | None = None

    def needs(self) -> tuple[va.Frames, ...]:
        return (va.Frames(rate=self.rate),)


def walkers(number: int) -> list[float]:
    """Where somebody is in the picture that carries ``number``: five who come, cross each other's ways, and go."""
    return [
        (17.0 * who + (who + 1) * 1.3 * number) % 160
        for who in range(5)
        if (number + 13 * who) % 40 < 31  # now and then not seen for nine pictures
    ]


class Tracks(va.Pipeline[Pace]):
    """A tracker: who is nearest to where somebody was in the last few pictures has the same id."""

    def setup(self) -> None:
        self.last_id = 0

    def begin(self) -> None:
        self.tracks: list[dict[str, Any]] = []

    def process(self, batch: va.FrameBatch) -> va.Table[Step]:
        time.sleep(self.config.seconds)
        rows = []
        for frame, when, picture in zip(batch.frame.tolist(), batch.time.tolist(), batch.pixels, strict=True):
            for x in walkers(read_number(picture)):
                near = [t for t in self.tracks if abs(t["x"] - x) < 12 and t["frame"] < frame]
                if near:
                    track = min(near, key=lambda t: abs(t["x"] - x))
                else:
                    self.last_id += 1
                    track = {"id": self.last_id, "age": 0}
                    self.tracks.append(track)
                track.update(x=x, frame=frame, age=track["age"] + 1)
                rows.append((frame, when, track["id"], x, track["age"]))
            self.tracks = [t for t in self.tracks if frame - t["frame"] < 6]
        columns = list(zip(*rows, strict=True)) or [[]] * 5
        return va.Table.of(Step, frame=columns[0], time=columns[1], track=columns[2], x=columns[3], age=columns[4])

    def state(self) -> Any:
        return self.last_id, [dict(track) for track in self.tracks]

    def restore(self, state: Any) -> None:
        self.last_id, tracks = state
        self.tracks = [dict(track) for track in tracks]


class Slices(va.Pipeline[Pace]):
    """Sound, in pieces, with the loudest so far."""

    def begin(self) -> None:
        self.given, self.loudest = 0, 0.0

    def finish(self) -> Iterator[va.Table[va.Signal]]:
        audio = self.context.audio
        parts = np.array_split(audio.samples, 20)
        for n in range(self.given, 20):
            time.sleep(self.config.seconds)
            self.loudest = max(self.loudest, float(np.abs(parts[n]).max(initial=0)))
            self.given = n + 1
            yield va.Table.of(va.Signal, time=[audio.start + n * 1e-3], name="loudest", value=[self.loudest])

    def state(self) -> Any:
        return self.given, self.loudest

    def restore(self, state: Any) -> None:
        self.given, self.loudest = state


class Gathers(va.Pipeline[Pace]):
    """Has a last word about all frames, and does not say what it remembers: it can only be begun anew."""

    def begin(self) -> None:
        self.sum = 0

    def process(self, batch: va.FrameBatch) -> None:
        time.sleep(self.config.seconds)
        self.sum += sum(read_number(picture) for picture in batch.pixels)

    def finish(self) -> va.Table[va.Signal]:
        return va.Table.of(va.Signal, time=[self.context.span.start], name="sum", value=[float(self.sum)])


class After(va.Pipeline[None]):
    """Reads the tracker's rows in a later stage."""

    def finish(self) -> va.Table[va.Signal]:
        tracks = self.context.output("tracks")
        assert tracks is not None
        return va.Table.of(va.Signal, time=[0.0], name="ids", value=[float(tracks.steps.track.max(initial=0))])


def _spec(name: str, cls: str, *needs: Any, **more: Any) -> va.PipelineSpec:
    made = spec_in_pipelines(name, cls, *needs, **more)
    config = None if cls == "After" else f"{__name__}:Pace"
    return attrs.evolve(made, pipeline=f"{__name__}:{cls}", config=config)


_STEPS = {"steps": f"{__name__}:Step"}
_MADE = [
    _spec("tracks", "Tracks", va.Frames(), gives=_STEPS, batch=4),
    _spec("tracks_too", "Tracks", va.Frames(), gives=_STEPS, batch=3),
    attrs.evolve(_spec("slices", "Slices", va.Audio()), config=None, gives={"x": SIGNAL}),
    _spec("gathers", "Gathers", va.Frames(), batch=4),
    _spec("after", "After", va.Output("tracks")),
]


@attrs.frozen
class SlicePace:
    """``seconds``: slept for each piece."""

    seconds: float = 0.0


_MADE[2] = attrs.evolve(_MADE[2], config=f"{__name__}:SlicePace")
NAMES = [spec.name for spec in _MADE]
CATALOG = Catalog({s.name: PipelineEntry(s, Plugin(s.name, "videoannotator", "1.0")) for s in [*_MADE, *SPECS]}, {})


def main(clip: Path, out: Path, seconds: float) -> None:
    """Annotate as slowly as that, with a segment after every call, and export."""
    segments._EVERY, segments._SHARE = 0.0, 0
    config = {name: {"seconds": seconds} for name in ("tracks", "tracks_too", "slices", "gathers")}
    config["tracks_too"]["rate"] = 10.0
    with va.Annotator(NAMES, catalog=CATALOG, config=config) as annotator:
        annotator.annotate(clip, progress=False).export(out, formats=["native"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
