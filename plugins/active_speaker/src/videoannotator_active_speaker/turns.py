"""Turns of speech, and their pieces: cut where faces come and go, at cuts of the film, and where it has no picture."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs
import numpy as np

from videoannotator import Table, TimeSpan
from videoannotator_active_speaker.tracks import InPicture

__all__ = ["Piece", "Turn", "pieces_of", "turns_of"]

_LEAST = 1e-3
"""s; borders that lie nearer to each other are one: times of frames and of sound are told in different ticks."""


@attrs.frozen
class Turn:
    """A stretch in which one voice is heard. ``speaker``: None where nobody said whose."""

    start: float
    end: float
    speaker: str | None = None


@attrs.frozen
class Piece:
    """A part of turn number ``turn`` in which the same ``faces`` (tracks) are in the picture all the while.

    ``pictured``: whether the film has pictures there. ``alone``: no other turn overlaps it in most of its time.
    """

    turn: int
    start: float
    end: float
    speaker: str | None
    faces: tuple[int, ...]
    pictured: bool
    alone: bool = True

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


def turns_of(rows: Table[Any], span: TimeSpan) -> list[Turn]:
    """Rows with ``start``, ``end`` and, where voices are told apart, ``speaker``; cut to ``span``, in order of time."""
    named = "speaker" in rows.columns
    turns = [
        Turn(max(row.start, span.start), min(row.end, span.end), row.speaker if named else None)
        for row in rows
        if min(row.end, span.end) - max(row.start, span.start) >= _LEAST
    ]
    return sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker or ""))


def pieces_of(
    turns: Sequence[Turn], seen: InPicture, *, cuts: Sequence[float], pictures: TimeSpan, window: float
) -> list[Piece]:
    """The turns in pieces, turn by turn; each turn's pieces follow each other from its start to its end.

    ``pictures``: from the first picture of the film to the end of the last. ``window``: pieces of turns without a
    speaker are no longer than this.
    """
    borders = sorted({pictures.start, pictures.end, *cuts, *seen.edges})
    starts, ends = np.array([turn.start for turn in turns]), np.array([turn.end for turn in turns])
    names = np.array([turn.speaker or "" for turn in turns])
    found = []
    for number, turn in enumerate(turns):
        edges = _edges(turn, borders, window)
        others = names != names[number]
        for start, end in pairwise(edges):
            faces = seen.during(start + _LEAST, end - _LEAST)
            shared = np.clip(np.minimum(ends, end) - np.maximum(starts, start), 0, None)[others].sum()
            alone = bool(shared <= 0.5 * (end - start))
            found.append(Piece(number, start, end, turn.speaker, faces, (start + end) / 2 in pictures, alone))
    return found


def _edges(turn: Turn, borders: Sequence[float], window: float) -> list[float]:
    edges = [turn.start]
    first, last = bisect_right(borders, turn.start + _LEAST), bisect_left(borders, turn.end - _LEAST)
    edges += [
        border for n, border in enumerate(borders[first:last], first) if n == first or border - borders[n - 1] > _LEAST
    ]
    edges.append(turn.end)
    if turn.speaker is not None:
        return edges
    parts = [turn.start]
    for start, end in pairwise(edges):
        count = max(1, int(-(-(end - start) // window)))
        parts += [*(start + (end - start) * n / count for n in range(1, count)), end]
    return parts
