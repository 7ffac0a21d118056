"""Lanes over a time axis: of the contact sheet, of charts of tracks, under the pictures of a film."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from videoannotator.data.time import TimeSpan
from videoannotator.draw.lanes import Lane
from videoannotator.draw.style import FAINT, INK, LANE, MARGIN, PAPER, WIDTH, font, ink_on, shorten

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

__all__ = ["Chart", "timeline"]

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@attrs.frozen
class Chart:
    """Where lanes lie on a picture, and from seconds to its pixels.

    ``width``: of the picture. ``left``: where the labels begin; ``labels``: room for them. ``row``: height of a lane,
    on which the size of letters depends; ``between``: from one lane to the next. All in pixels.
    """

    span: TimeSpan
    width: int = WIDTH
    left: int = MARGIN
    labels: int = 230
    row: int = 26
    between: int = 6

    def x(self, time: float) -> float:
        """The column of a time; times outside the span lie on its ends."""
        share = (time - self.span.start) / (self.span.duration or 1.0)
        return self.left + self.labels + min(max(share, 0.0), 1.0) * (self.width - 2 * self.left - self.labels)

    def height(self, lane: Lane) -> int:
        """Pixels from the top of the lane to its bottom."""
        return round(self.row * 0.58) if lane.slim else self.row

    def total(self, drawn: Sequence[Lane]) -> int:
        """Height of all lanes with what is between them."""
        return sum(self.height(lane) + self.between for lane in drawn)

    def draw_lanes(self, draw: ImageDraw.ImageDraw, drawn: Sequence[Lane], y: int) -> int:
        """Draw the lanes from ``y`` on downwards; returns where they end."""
        for lane in drawn:
            self._draw_lane(draw, lane, y)
            y += self.height(lane) + self.between
        return y

    def _draw_lane(self, draw: ImageDraw.ImageDraw, lane: Lane, y: int) -> None:
        high = self.height(lane)
        small = font(max(8, self.row // 2))
        letters = font(max(8, round(self.row * (0.46 if lane.slim else 0.58))), lane.label)
        middle = y + high / 2
        label = shorten(lane.label, letters, self.labels - 12)
        draw.text((self.left, middle), label, font=letters, fill=INK, anchor="lm")
        room = self.labels - 24 - letters.getlength(label)
        note = shorten(lane.note, small, room)
        draw.text((self.left + self.labels - 12, middle), note, font=small, fill=FAINT, anchor="rm")
        left, right, bottom = self.x(self.span.start), self.x(self.span.end), y + high
        if lane.covered is None:
            draw.rectangle((left, y, right, bottom), fill=LANE)
        else:
            _hatch(draw, (left, y, right, bottom))
            for span in lane.covered:
                if span.end > self.span.start and span.start < self.span.end:
                    draw.rectangle((self.x(span.start), y, self.x(span.end), bottom), fill=LANE)
        self._draw_blocks(draw, lane, y)
        self._draw_curve(draw, lane, y)

    def _draw_blocks(self, draw: ImageDraw.ImageDraw, lane: Lane, y: int) -> None:
        high = self.height(lane)
        size = max(8, min(self.row // 2, high - 2))
        for block in lane.blocks:
            if block.end <= self.span.start or block.start >= self.span.end:
                continue
            x1, x2 = self.x(block.start), self.x(block.end)
            draw.rectangle((x1, y, max(x2 - 1, x1 + 1), y + high), fill=block.color)
            text = " ".join(block.text.split())
            letters = font(size, text)
            text = shorten(text, letters, x2 - x1 - 8)
            if text:
                draw.text((x1 + 5, y + high / 2), text, font=letters, fill=ink_on(block.color), anchor="lm")

    def _draw_curve(self, draw: ImageDraw.ImageDraw, lane: Lane, y: int) -> None:
        """Steps: a value holds until the next one."""
        high = self.height(lane)
        ends = [time for time, _ in lane.curve[1:]] + ([self.span.end] if lane.curve else [])
        for (time, value), end in zip(lane.curve, ends, strict=True):
            if value > 0:
                top = y + high - max(1.0, value * (high - 2))
                draw.rectangle((self.x(time), top, max(self.x(end) - 1, self.x(time)), y + high), fill=lane.color)

    def draw_axis(self, draw: ImageDraw.ImageDraw, y: int, marks: Sequence[float] = ()) -> None:
        """Times below the lanes, and small triangles at ``marks``. 34 pixels high at the usual size of lanes."""
        span = self.span
        letters = font(max(8, self.row // 2))
        draw.line((self.x(span.start), y, self.x(span.end), y), fill=FAINT, width=1)
        most = max(2, int((self.width - self.labels) / (5.5 * letters.size)))
        step = next((s for s in _STEPS if span.duration / s <= min(most, 16)), span.duration / 16)
        for n in range(int(np.ceil(span.start / step)), int(np.floor(span.end / step)) + 1):
            x = self.x(n * step)
            draw.line((x, y, x, y + 6), fill=FAINT, width=1)
            draw.text((x, y + 9), _clock(n * step, step), font=letters, fill=FAINT, anchor="mt")
        for mark in marks:
            x = self.x(mark)
            draw.polygon([(x, y - 1), (x - 5, y + 7), (x + 5, y + 7)], fill=INK)


def timeline(drawn: Sequence[Lane], span: TimeSpan, marks: Sequence[float] = ()) -> Image.Image:
    """The lanes over a time axis, `WIDTH` pixels wide. ``marks``: times of the tiles above."""
    from PIL import Image, ImageDraw

    chart = Chart(span)
    picture = Image.new("RGB", (chart.width, chart.total(drawn) + 34), PAPER)
    draw = ImageDraw.Draw(picture)
    chart.draw_axis(draw, chart.draw_lanes(draw, drawn, 0), marks)
    return picture


def _hatch(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    """Slanted lines: here nobody looked."""
    x1, y1, x2, y2 = box
    slant = y2 - y1
    for x in np.arange(x1, x2 - slant, 9.0).tolist():
        draw.line((x, y2, x + slant, y1), fill=(205, 206, 203), width=1)


def _clock(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
