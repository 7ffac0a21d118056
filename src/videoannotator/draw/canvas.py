"""Lines, dots and letters with smooth edges, laid over a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.draw.labels import Box, Room
from videoannotator.draw.style import Color, font, ink_on

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Canvas", "Measures"]

_SMOOTH_BELOW = 1_200_000  # pixels; larger pictures are drawn at their own size, where edges are fine enough
_DARK = (0, 0, 0, 150)


@attrs.frozen
class Measures:
    """How thick lines and how large letters are on a picture of this size, in its pixels."""

    width: int
    height: int

    @property
    def line(self) -> float:
        """Thickness of a line."""
        return max(1.5, min(self.width, self.height) / 220)

    @property
    def letters(self) -> int:
        """Size of letters."""
        return round(min(max(min(self.width, self.height) / 34, 11), 44))


class Canvas:
    """A clear sheet over a picture of ``width`` x ``height`` pixels. All coordinates are in its pixels."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self.measures = Measures(width, height)
        self.room = Room(width, height)
        self._finer = 2 if width * height < _SMOOTH_BELOW else 1
        # colours already multiplied by how opaque they are: what is drawn is opaque, or black, so they are
        self._sheet = Image.new("RGBa", (width * self._finer, height * self._finer))
        self._draw = ImageDraw.Draw(self._sheet)
        self._labels: list[tuple[str, Color, Box, bool]] = []
        self._corners: list[tuple[str, Box]] = []

    def _scaled(self, values: Sequence[float]) -> list[float]:
        return [value * self._finer for value in values]

    def _thick(self, times: float = 1.0) -> int:
        return max(1, round(self.measures.line * self._finer * times))

    def around(self, box: Box, color: Color) -> None:
        """A thick frame around a box, which stays as it is."""
        x1, y1, x2, y2 = box
        thick, gap = 2 * self.measures.line, self.measures.line
        outer = self._scaled((x1 - gap - thick, y1 - gap - thick, x2 + gap + thick, y2 + gap + thick))
        self._draw.rectangle([round(edge) for edge in outer], outline=color, width=self._thick(2))

    def box(self, box: Box, color: Color) -> None:
        """The outline of a box."""
        x1, y1, x2, y2 = (round(edge) for edge in self._scaled(box))
        corners = (x1, y1, max(x2 - 1, x1), max(y2 - 1, y1))  # Pillow's last pixel is inside
        self._draw.rectangle(corners, outline=color, width=self._thick())

    def corners(self, box: Box, color: Color) -> None:
        """Only the corners of a box: for what was seen near this frame, and not in it."""
        x1, y1, x2, y2 = box
        for x, across in ((x1, 1), (x2, -1)):
            for y, down in ((y1, 1), (y2, -1)):
                length = 0.2 * min(x2 - x1, y2 - y1)
                self._stroke([(x + across * length, y), (x, y), (x, y + down * length)], color, self._thick())

    def line(self, a: tuple[float, float], b: tuple[float, float], color: Color, times: float = 1.0) -> None:
        """A line, ``times`` as thick as usual, with a dark rim, so that it is seen on anything."""
        self._stroke([a, b], _DARK, self._thick(times) + 2)
        self._stroke([a, b], color, self._thick(times))

    def _stroke(self, points: Sequence[tuple[float, float]], color: tuple[int, ...], thick: int) -> None:
        self._draw.line([(x * self._finer, y * self._finer) for x, y in points], fill=color, width=thick)

    def dot(self, x: float, y: float, color: Color, times: float = 1.0) -> None:
        """A filled circle, ``times`` as large as usual."""
        radius = max(0.75, self.measures.line * 1.1 * times) * self._finer
        x, y = x * self._finer, y * self._finer
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=(0, 0, 0))

    def arrow(self, a: tuple[float, float], b: tuple[float, float], color: Color) -> None:
        """A line from ``a`` with a head at ``b``; a dot where it has no length."""
        along = np.subtract(b, a)
        length = float(np.hypot(*along))
        if length < 2 * self.measures.line:
            self.dot(*b, color)
            return
        self.line(a, b, color)
        back = along / length * min(5 * self.measures.line, 0.5 * length)
        across = np.array((-back[1], back[0])) * 0.5
        for side in (across, -across):
            x, y = (np.array(b) - back + side).tolist()
            self.line((x, y), b, color)

    def specks(self, points: NDArray[np.floating], color: Color, radius: float) -> None:
        """Many small dots without rims, (N, 2): the more of them there are, the less may each one cover."""
        radius = max(0.5, radius) * self._finer
        for x, y in (np.asarray(points, dtype=np.float64) * self._finer).tolist():
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def label(self, text: str, color: Color, box: Box, *, below: bool = False) -> None:
        """A label for ``box``; where it goes is decided when all are known."""
        self._labels.append((text, color, box, below))

    def corner_text(self, text: str, *, right: bool) -> None:
        """A line of text in the lower right or left corner, above all else; left out where it does not fit."""
        letters = font(self.measures.letters * self._finer, text)
        wide = (letters.getlength(text) + letters.size) / self._finer
        high = 1.5 * self.measures.letters
        width, height = self.measures.width, self.measures.height
        if wide > width or high > height:
            return
        x1 = width - wide if right else 0.0
        box = (x1, height - high, x1 + wide, float(height))
        self.room.keep_clear(box)
        self._corners.append((text, box))

    def _write_corners(self) -> None:
        for text, box in self._corners:
            letters = font(self.measures.letters * self._finer, text)
            self._draw.rectangle(self._scaled(box), fill=(0, 0, 0, 190))
            x, y = self._scaled([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
            self._draw.text((x, y), text, font=letters, fill=(255, 255, 255), anchor="mm")
        self._corners.clear()

    def _write_labels(self) -> None:
        """The labels, those of large boxes first: in a crowd they are the ones that are looked at."""
        high = round(1.25 * self.measures.letters)

        def size(entry: tuple[str, Color, Box, bool]) -> float:
            x1, y1, x2, y2 = entry[2]
            return (x1 - x2) * (y2 - y1)

        for text, color, box, below in sorted(self._labels, key=size):
            letters = font(self.measures.letters * self._finer, text)
            wide = (letters.getlength(text) + 0.6 * letters.size) / self._finer
            if (box[3] - box[1]) * 3 < high:  # the box is far smaller than its label
                continue
            place = self.room.place(box, wide, high, below=below)
            if place is None:
                continue
            x, y = place
            self._draw.rectangle(
                self._scaled((x, y, x + wide - 1 / self._finer, y + high - 1 / self._finer)), fill=color
            )
            self._draw.text(
                ((x + 0.3 * self.measures.letters) * self._finer, (y + high / 2) * self._finer),
                text,
                font=letters,
                fill=ink_on(color),
                anchor="lm",
            )
        self._labels.clear()

    def onto(self, picture: Image.Image) -> Image.Image:
        """``picture`` (RGB, of this size) with everything drawn on it; the same object."""
        self._write_labels()
        self._write_corners()
        from PIL import Image, ImageChops

        *colors, opaque = (self._sheet if self._finer == 1 else self._sheet.reduce(self._finer)).split()
        picture.paste((0, 0, 0), (0, 0, *picture.size), opaque)
        picture.paste(ImageChops.add(picture, Image.merge("RGB", colors)))
        return picture
