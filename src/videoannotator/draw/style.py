"""Colours and letters of everything that is drawn."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from videoannotator.draw.fonts import font_for
from videoannotator.errors import MissingDependencyError

if TYPE_CHECKING:
    from PIL import ImageFont

__all__ = [
    "FACE",
    "FAILURE",
    "FAINT",
    "GAP",
    "INK",
    "LANE",
    "MARGIN",
    "PAPER",
    "SHOTS",
    "SPEECH",
    "UNKNOWN",
    "WIDTH",
    "Color",
    "font",
    "ink_on",
    "pillow",
    "shorten",
    "track_color",
    "wrap",
]

Color = tuple[int, int, int]

WIDTH = 1600
MARGIN = 32
GAP = 12

PAPER: Color = (250, 250, 247)
INK: Color = (32, 34, 38)
FAINT: Color = (118, 122, 128)
LANE: Color = (232, 233, 230)
FAILURE: Color = (176, 32, 32)
FACE: Color = (255, 214, 10)
SPEECH: Color = (0, 114, 178)
UNKNOWN: Color = (198, 200, 203)
SHOTS: tuple[Color, Color] = (86, 96, 110), (150, 160, 172)

# Okabe and Ito's colours, told apart by colour-blind readers too (jfly.uni-koeln.de/color), without black and
# without the yellow, which is the faces'
_TRACKS: tuple[Color, ...] = (
    (230, 120, 0),
    (0, 158, 115),
    (86, 180, 233),
    (204, 90, 150),
    (213, 70, 0),
    (110, 90, 200),
    (120, 170, 30),
    (150, 95, 60),
    (60, 200, 190),
    (235, 130, 130),
    (60, 90, 160),
)


def track_color(track: int | None) -> Color:
    """One colour for one track, the same on every frame; what has no track is light grey."""
    return (205, 208, 212) if track is None else _TRACKS[track % len(_TRACKS)]


def ink_on(color: Color) -> Color:
    """Black or white, whichever can be read on ``color``."""
    return (0, 0, 0) if 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140 else (255, 255, 255)


def pillow() -> None:
    """Raise `MissingDependencyError` where Pillow is not installed."""
    try:
        import PIL  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        raise MissingDependencyError('drawing needs Pillow: pip install "videoannotator[draw]"') from error


def font(size: int, text: str = "") -> ImageFont.FreeTypeFont:
    """Pillow's own font: nothing has to be installed, and sheets look alike everywhere.

    For a ``text`` with letters that it does not have, an installed one: see `font_for`.
    """
    return _font(size, font_for(text))


@cache
def _font(size: int, file: str) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    letters = ImageFont.truetype(file, size) if file else ImageFont.load_default(size)
    if not isinstance(letters, ImageFont.FreeTypeFont):  # a Pillow built without FreeType
        raise MissingDependencyError("drawing needs a Pillow with FreeType: pip install --upgrade pillow")
    return letters


def shorten(text: str, letters: ImageFont.FreeTypeFont, width: float) -> str:
    """``text``, cut off with dots where it would be wider than ``width`` pixels."""
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..." if text else ""


def wrap(text: str, letters: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """``text`` in lines of at most ``width`` pixels, broken between words; a longer word is cut off."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shorten(line, letters, width) for line in lines]
