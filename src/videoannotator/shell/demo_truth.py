"""What was found in the demo's clip against what was put into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.result import Result
from videoannotator.data.rows import Shot, SpeechRegion
from videoannotator.data.time import TimeSpan
from videoannotator.shell.demo_clip import RATE, DemoClip

__all__ = ["CutScore", "SpeechScore", "compare", "score_cuts", "score_speech"]

_STEP = 0.001  # s; speech is compared on a grid this fine


@attrs.frozen
class CutScore:
    """``found`` of ``true`` cuts have a found cut within the tolerance; ``extra`` found cuts are not near any."""

    true: int
    found: int
    extra: int


@attrs.frozen
class SpeechScore:
    """Seconds of speech put in, of those missed, and of speech found where there is none."""

    true: float
    missed: float
    extra: float

    @property
    def error_rate(self) -> float | None:
        """Detection error rate: (missed + extra) / true, as pyannote.metrics defines it, without a collar."""
        return (self.missed + self.extra) / self.true if self.true > 0 else None


def score_cuts(true: Sequence[float], found: Sequence[float], tolerance: float) -> CutScore:
    """Compare times of cuts; each found cut may stand for one true cut only. All in seconds."""
    left = sorted(found)
    hits = 0
    for cut in sorted(true):
        near = [time for time in left if abs(time - cut) <= tolerance]
        if near:
            left.remove(min(near, key=lambda time: abs(time - cut)))
            hits += 1
    return CutScore(len(true), hits, len(left))


def score_speech(true: Sequence[TimeSpan], found: Sequence[TimeSpan], duration: float) -> SpeechScore:
    """Compare stretches of speech. ``duration``: of the clip, seconds."""
    there, heard = _grid(true, duration), _grid(found, duration)
    missed, extra = float((there & ~heard).sum()), float((heard & ~there).sum())
    return SpeechScore(float(there.sum()) * _STEP, missed * _STEP, extra * _STEP)


def _grid(spans: Sequence[TimeSpan], duration: float) -> NDArray[np.bool_]:
    grid = np.zeros(round(duration / _STEP), dtype=np.bool_)
    for span in spans:
        grid[round(span.start / _STEP) : round(span.end / _STEP)] = True
    return grid


def compare(result: Result, clip: DemoClip) -> Iterator[str]:
    """A line for everything whose truth is known and that was looked for."""
    for _, _, table in result.tables():
        if issubclass(table.row_class, Shot):
            tolerance = float(1 / RATE)
            score = score_cuts(clip.cuts, [shot.start for shot in table][1:], tolerance * 1.01)
            extra = f"{score.extra} too many" if score.extra else "none too many"
            yield f"cuts: {score.found} of {score.true} found within one frame ({tolerance:.2f} s), {extra}"
        elif issubclass(table.row_class, SpeechRegion):
            found = [TimeSpan(region.start, region.end) for region in table]
            speech = score_speech(clip.speech, found, clip.duration)
            if not clip.speech:
                yield f"speech: none put in, {speech.extra:.2f} s found"
                continue
            yield (
                f"speech: {speech.true:.2f} s put in, {speech.missed:.2f} s of it missed, {speech.extra:.2f} s found "
                f"where there is none; detection error rate {speech.error_rate:.3f}"
            )
