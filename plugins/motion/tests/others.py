"""Pipelines that say what a test wants to hear, under the names of those whose rows `motion` reads."""

from __future__ import annotations

import numpy as np

import videoannotator as va
from videoannotator.data.frames import FrameBatch
from videoannotator.data.rows import Detection, Shot
from videoannotator.data.table import Table

BOXES = {1: (10.0, 90.0, 150.0, 150.0), 2: (200.0, 100.0, 260.0, 400.0)}
"""Of track 1, where the square moves, and of track 2, where nothing does; it goes on below the picture."""
CUT = 4


class Persons(va.Pipeline[None]):
    """Track 1 in every frame, track 2 in even ones, and somebody who is not tracked."""

    def process(self, batch: FrameBatch) -> Table[Detection]:
        rows = []
        for frame, time in zip(batch.frame.tolist(), batch.time.tolist(), strict=True):
            for track in (1, 2, None):
                if track != 2 or frame % 2 == 0:
                    x1, y1, x2, y2 = BOXES[track or 1]
                    rows.append(Detection(frame, time, "person", 0.5, x1, y1, x2, y2, track))
        return Table.from_rows(Detection, rows)


class Shots(va.Pipeline[None]):
    """A cut before frame `CUT`, whatever is shown."""

    def begin(self) -> None:
        self.times = self.context.media.video.clock.times  # type: ignore[union-attr]  # a clip with pictures

    def process(self, batch: FrameBatch) -> None:
        """Nothing to say yet."""

    def finish(self) -> Table[Shot]:
        start = np.array([0, CUT])
        end = np.array([CUT, len(self.times)])
        return Table.of(
            Shot,
            start=self.times[start],
            end=[self.times[CUT], self.context.media.duration],
            start_frame=start,
            end_frame=end,
        )

    def state(self) -> tuple[()]:
        return ()

    def restore(self, state: tuple[()]) -> None:
        """Nothing is remembered."""


def _spec(name: str, output: str, row: str, cls: str) -> va.PipelineSpec:
    return va.PipelineSpec(
        name=name,
        version="1",
        needs=(va.Frames(height=32),),
        gives={output: f"videoannotator.data.rows:{row}"},
        pipeline=f"{__name__}:{cls}",
        licence="MIT",
    )


PERSONS = _spec("person_tracking", "detections", "Detection", "Persons")
SHOTS = _spec("scene_detection", "shots", "Shot", "Shots")
