"""The strip under the pictures of a film: the time, and lanes of shots, speech and speakers around it."""

from __future__ import annotations

from collections.abc import Sequence
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
            letters = font(round(0.62 * self.row))
            text = shorten(shot, letters, wide / 2)
            draw.text((wide - chart.left, middle), text, font=letters, fill=FAINT, anchor="rm")
        top = self._top
        bottom = chart.draw_lanes(draw, _inside(self.lanes, chart.span), top)
        if self.lanes:
            x = 2 * round(chart.x(time) / 2)  # encoders keep colours of pairs of pixels
            draw.rectangle((x, top - 2, x + 1, bottom - chart.between + 1), fill=FAILURE)
        below = np.pad(pixels, ((0, high % 2), (0, wide % 2), (0, 0)), mode="edge") if high % 2 or wide % 2 else pixels
        return np.concatenate([below, np.asarray(picture)])


def _inside(lanes: Sequence[Lane], span: TimeSpan) -> list[Lane]:
    """The lanes with the blocks that can be seen."""

    def seen(block: Block) -> bool:
        return block.start < span.end and block.end > span.start

    return [attrs.evolve(lane, blocks=tuple(filter(seen, lane.blocks))) for lane in lanes]
