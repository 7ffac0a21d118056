"""Which font has the letters of a text.

Pillow's own font is there everywhere and has the letters of ASCII. Names and speech need others: then the first of the
fonts below that is installed and has them all is taken, else the one that has most of them. Right-to-left text and
joined letters are set by Pillow (with libraqm, which its packages bring).
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

__all__ = ["font_for"]

_INSTALLED = (
    # Latin, Greek, Cyrillic, and Hebrew or Arabic in some
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "segoeui.ttf",
    "LiberationSans-Regular.ttf",
    # nearly everything
    "Arial Unicode.ttf",
    "unifont.ttf",
    # scripts of their own
    "NotoSansHebrew-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoNaskhArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Nirmala.ttf",
    "Nirmala.ttc",
    "leelawui.ttf",
    # Chinese, Japanese, Korean
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "Hiragino Sans GB.ttc",
    "AppleSDGothicNeo.ttc",
    "msyh.ttc",
    "YuGothR.ttc",
    "malgun.ttf",
    # signs and faces, in outlines
    "NotoEmoji-Regular.ttf",
    "Symbola.ttf",
    "seguisym.ttf",
)
_PILLOWS = ""
_NOT_A_CHARACTER = "\uffff"
_NO_LETTER = frozenset({"Mn", "Me", "Cf", "Cc", "Zs", "Zl", "Zp"})
"""Categories of characters that change others, or leave room: fonts do without a shape for them."""


@lru_cache(4096)
def font_for(text: str) -> str:
    """The file of the font for ``text``; empty for Pillow's own."""
    if text.isascii():
        return _PILLOWS
    letters = {c for c in text if not c.isascii() and unicodedata.category(c) not in _NO_LETTER}
    best, most = _PILLOWS, sum(_has(_PILLOWS, c) for c in letters)
    for name in _INSTALLED:
        if most == len(letters):
            break
        file = _file(name)
        count = sum(_has(file, c) for c in letters) if file else 0
        if count > most:
            best, most = file, count
    return best


@cache
def _file(name: str) -> str:
    """Where a font is installed; empty where it is not."""
    from PIL import ImageFont

    try:
        return str(ImageFont.truetype(name, 16).path)
    except OSError:
        return ""


@cache
def _has(file: str, letter: str) -> bool:
    """Whether a font draws a letter otherwise than what it draws for one that it has not."""
    return _drawn(file, letter) != _drawn(file, _NOT_A_CHARACTER)


def _drawn(file: str, letter: str) -> tuple[tuple[int, int], bytes]:
    from PIL import ImageFont

    letters = ImageFont.truetype(file, 16) if file else ImageFont.load_default(16)
    mask = letters.getmask(letter)
    return mask.size, bytes(mask)
