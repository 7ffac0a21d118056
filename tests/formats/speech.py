"""What people say, in the scripts and with the signs that formats of text trip over."""

from __future__ import annotations

from pathlib import Path

import av

from videoannotator.data.rows import Utterance
from videoannotator.data.table import Table

SPOKEN = [
    "هل تسمعني؟ قال: «نعم» — 10:30 صباحًا",
    "שָׁלוֹם! מה שלומך, John?",
    "你好。你叫什么名字？",
    "もしもし、元気ですか。カメラを見て！",
    "안녕하세요, 반갑습니다",
    "नमस्ते, आप कैसे हैं?",
    "สวัสดีครับ คุณสบายดีไหม",
    "👩‍👧 peekaboo! 🙈🇨🇭👍🏽 e\u0301 ≠ é",
    "\u202bשלום\u202c and \u200fback\u200e",
    "two\nlines",
    "an empty line\n\nbetween",
    "a --> b, and 3 < 4 & 5 > 4",
    "NOTE this is said",
    "STYLE",
    "1",
    "in\n1984",
    "WEBVTT",
    '"quoted", and a\ttab, and a \\N backslash {brace}',
    "&amp; is said",
    "",
]
"""Texts without white space at the ends of their lines."""


def spoken(text: str) -> Table[Utterance]:
    """``text`` among other cues: two that begin with it, one shorter than a millisecond, one long after."""
    return Table.of(
        Utterance,
        start=[0.5, 1.25, 1.25, 2.0, 2.00001, 359_990.0],
        end=[1.25, 3.0, 2.5, 2.00001, 2.00002, 359_990.5],
        text=["before", text, "at the same time", "short", "shorter", "after"],
        speaker=[None, "Anna", "Ben", None, "Ben", None],
    )


def cues_of_ffmpeg(path: Path) -> list[tuple[int, int, str]]:
    """Start and end (ms) and text of every cue of a file of subtitles, as FFmpeg reads it."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams[0]) if packet.duration]
        return [(packet.pts, packet.pts + packet.duration, bytes(packet).decode("utf-8")) for packet in packets]
