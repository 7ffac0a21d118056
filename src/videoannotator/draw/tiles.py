"""The pictures of the contact sheet: which frames are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from videoannotator.data.boxes import box_tables
from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.data.time import TimeSpan
from videoannotator.draw.look import Look
from videoannotator.draw.scene import Scene
from videoannotator.draw.source import pictures

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["choose_frames", "tiles"]


def choose_frames(result: Result, count: int) -> list[int]:
    """Indices of at most ``count`` frames, in order: every shot has one if there are not too many.

    Longer shots get more. Inside its stretch of time a tile shows the frame nearest to the middle on which
    something was found, or, where nothing was, the middle.
    """
    video = result.media.video
    if video is None or not len(video.clock):
        return []
    times = video.clock.times
    span = result.provenance.span
    found = [np.asarray(boxes.table.column("frame"), dtype=np.int64) for boxes in box_tables(result)]
    rows = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    chosen = set()
    for stretch in _stretches(_shots(result), span, count):
        inside = np.flatnonzero((times >= stretch.start) & (times < stretch.end))
        if not inside.size:
            continue
        candidates = rows[np.isin(rows, inside)]
        candidates = candidates if candidates.size else inside
        middle = (stretch.start + stretch.end) / 2
        chosen.add(int(candidates[np.argmin(np.abs(times[candidates] - middle))]))
    return sorted(chosen) or [int(np.argmin(np.abs(times - span.start)))]


def _shots(result: Result) -> list[TimeSpan]:
    for _, _, table in result.tables():
        if issubclass(table.row_class, Shot) and len(table):
            return [TimeSpan(shot.start, shot.end) for shot in table]
    return []


def _stretches(shots: Sequence[TimeSpan], span: TimeSpan, count: int) -> list[TimeSpan]:
    """``span`` in at most ``count`` pieces that do not cross a cut, or in ``count`` equal ones."""
    if not shots or len(shots) > count:
        shots = [span]
    pieces = [1] * len(shots)
    while sum(pieces) < count:  # the next tile goes where the tiles stand for most time
        pieces[int(np.argmax([shot.duration / n for shot, n in zip(shots, pieces, strict=True)]))] += 1
    stretches = []
    for shot, n in zip(shots, pieces, strict=True):
        edges = np.linspace(shot.start, shot.end, n + 1).tolist()
        stretches += [TimeSpan(a, b) for a, b in pairwise(edges)]
    return stretches


def tiles(
    result: Result, chosen: Sequence[int], width: int, look: Look | None = None
) -> Iterator[tuple[float, Image.Image]]:
    """The chosen frames, ``width`` pixels wide, with what was found drawn on them: (time, picture)."""
    video = result.media.video
    if video is None:
        return
    scene = Scene(result, look if look is not None else Look())
    size = (width, max(1, round(width * video.height / video.width)))
    for number, time, pixels in pictures(result, chosen, size):
        yield time, scene.paint(pixels, number, time)
