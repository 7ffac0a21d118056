"""The strip under the pictures of a film: the time, and lanes of shots, speech and speakers around it."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.result import Result
from videoannotator.data.time import TimeSpan
from videoannotator.draw.lanes import Block, Lane, span_lanes
from videoannotator.draw.look import Look
from videoannotator.draw.scene import time_text
from videoannotator.draw.style import FAILURE, FAINT, INK, PAPER, font, shorten
from videoannotator.draw.timeline import Chart

__all__ = ["Strip"]

_NARROWEST = 240
"""Pictures less wide than this get no strip: nobody could read it."""

_WINDOW = 30.0
"""Seconds that are shown at a time: the present is in the middle, except near the ends."""

_MOST = 6


@attrs.frozen(eq=False)
class _Lane:
    """A lane whose blocks are quickly found by time: a long film has thousands of them, and each frame asks."""

    lane: Lane

    @cached_property
    def _blocks(self) -> tuple[list[Block], NDArray[np.float64], NDArray[np.float64]]:
        """The blocks in order of their starts, their starts, and the latest end up to each."""
        blocks = sorted(self.lane.blocks, key=lambda block: block.start)
        ends = np.maximum.accumulate(np.array([block.end for block in blocks]))
        return blocks, np.array([block.start for block in blocks]), ends

    def during(self, span: TimeSpan) -> Lane:
        """The lane with those blocks that may be seen in ``span``."""
        blocks, starts, ends = self._blocks
        first, last = int(np.searchsorted(ends, span.start, side="right")), int(np.searchsorted(starts, span.end))
        return attrs.evolve(self.lane, blocks=tuple(blocks[first:last]))


@attrs.frozen(eq=False)
class Strip:
    """Draws the strip of one film. ``width``: of the pictures. All sizes in pixels."""

    span: TimeSpan
    lanes: tuple[Lane, ...]
    width: int
    row: int
    time: bool
    shots: bool

    @classmethod
    def of(cls, result: Result, look: Look, span: TimeSpan, width: int) -> Self | None:
        """The strip that ``look`` asks for; None when it asks for none, or the pictures are too narrow."""
        if "lanes" not in look.show or width < _NARROWEST:
            return None
        drawn = [lane for lane in span_lanes(result, look) if lane.label != "shots" or "shots" in look.show]
        more = len(drawn) - _MOST
        if more > 0:
            drawn = [*drawn[: _MOST - 1], attrs.evolve(drawn[_MOST - 1], note=f"{more} more not shown")]
        row = round(min(max(width / 34, 14), 36))
        strip = cls(span, tuple(drawn), width, row, "time" in look.show, "shots" in look.show)
        return strip if strip.height else None

    @property
    def height(self) -> int:
        """Of the strip: even, as encoders want it; 0 when there is nothing to show."""
        if not self.lanes and not self.time:
            return 0
        high = self._top + self._chart(self.span).total(self.lanes) + 4
        return high + high % 2

    @property
    def _top(self) -> int:
        """Where the lanes begin: below the line of time and shot, where there is one."""
        return round(1.7 * self.row) if self.time or self.shots else self.row // 3

    def _chart(self, span: TimeSpan) -> Chart:
        labels = round(min(self.width * 0.24, 8.5 * self.row))
        return Chart(span, self.width, self.row // 2, labels, self.row, max(2, self.row // 6))

    @cached_property
    def _sorted(self) -> list[_Lane]:
        return [_Lane(lane) for lane in self.lanes]

    def window(self, time: float) -> TimeSpan:
        """The stretch that is shown at a time."""
        if self.span.duration <= _WINDOW:
            return self.span
        start = min(max(time - _WINDOW / 2, self.span.start), self.span.end - _WINDOW)
        return TimeSpan(start, start + _WINDOW)

    def under(self, pixels: NDArray[np.uint8], frame: int, time: float, shot: str) -> NDArray[np.uint8]:
        """``pixels`` (height, width, 3), made even, with the strip below them."""
        from PIL import Image, ImageDraw

        high, wide = pixels.shape[:2]
        picture = Image.new("RGB", (wide + wide % 2, self.height), PAPER)
        draw = ImageDraw.Draw(picture)
        chart = self._chart(self.window(time))
        middle = 0.85 * self.row
        if self.time:
            text = f"{time_text(time)}   frame {frame}"
            draw.text((chart.left, middle), text, font=font(round(0.75 * self.row)), fill=INK, anchor="lm")
        if self.shots and shot:
            letters = font(round(0.62 * self.row), shot)
            text = shorten(shot, letters, wide / 2)
            draw.text((wide - chart.left, middle), text, font=letters, fill=FAINT, anchor="rm")
        top = self._top
        bottom = chart.draw_lanes(draw, [lane.during(chart.span) for lane in self._sorted], top)
        if self.lanes:
            x = 2 * round(chart.x(time) / 2)  # encoders keep colours of pairs of pixels
            draw.rectangle((x, top - 2, x + 1, bottom - chart.between + 1), fill=FAILURE)
        below = np.pad(pixels, ((0, high % 2), (0, wide % 2), (0, 0)), mode="edge") if high % 2 or wide % 2 else pixels
        return np.concatenate([below, np.asarray(picture)])
