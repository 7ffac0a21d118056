"""Who speaks and what is said, on a time line: each speaker once, in one colour, and each text once.

A recording often has the same several times: the turns of a diarization, those without overlap, and those that somebody
passes on; the words of a recogniser, and the same words with speakers. Tables are known by their columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.draw.look import Look
from videoannotator.draw.style import SPEECH, Color, track_color

__all__ = ["Voices"]


@attrs.frozen(eq=False)
class Voices:
    """The voices of a result. ``colors``: by speaker, in the order in which tables name them."""

    colors: Mapping[str, Color]
    _speakers: Mapping[int, tuple[str | None, ...]]
    _again: frozenset[int]

    @classmethod
    def of(cls, result: Result, look: Look) -> Voices:
        """Of those pipelines that ``look`` takes."""
        tables = [
            (name, table)
            for name, _, table in result.tables()
            if look.takes(name) and {"start", "end"} <= set(table.columns)
        ]
        colors: dict[str, Color] = {}
        speakers: dict[int, tuple[str | None, ...]] = {}
        drawn: set[str] = set()
        for _, table in tables:
            columns = set(table.columns)
            if "speaker" not in columns:
                continue
            named = dict.fromkeys(table.column("speaker"))
            if not columns & {"text", "track", "person"}:  # those have lanes of another kind
                speakers[id(table)] = tuple(who for who in named if who not in drawn)
                drawn |= {who for who in named if who is not None}
            for who in named:
                if who is not None:
                    colors.setdefault(who, track_color(len(colors)))
        return cls(colors, speakers, _told_again(tables))

    def new_speakers(self, table: Table[Any]) -> tuple[str | None, ...]:
        """Of a table of turns, the speakers whom no table before it has named; None where it has turns of nobody."""
        return self._speakers.get(id(table), ())

    def said_again(self, table: Table[Any]) -> bool:
        """Whether another table says the same text, with speakers, or in whole utterances."""
        return id(table) in self._again

    def color(self, row: Any) -> Color:
        """Of what is said: that of the speaker, where one is known."""
        return self.colors.get(getattr(row, "speaker", None) or "", SPEECH)


def _told_again(tables: list[tuple[str, Table[Any]]]) -> frozenset[int]:
    spoken = [(name, table) for name, table in tables if "text" in table.columns and len(table)]
    texts = {id(table): _text(table) for _, table in spoken}
    again = set()
    for name, table in spoken:
        for other_name, other in spoken:
            if other is table or texts[id(other)] != texts[id(table)]:
                continue
            part = name == other_name and "utterance" in table.columns and "utterance" not in other.columns
            if part or (not _named(table) and _named(other) and "utterance" not in other.columns):
                again.add(id(table))
    return frozenset(again)


def _text(table: Table[Any]) -> str:
    return "".join("".join(str(text or "").split()) for text in table.column("text"))


def _named(table: Table[Any]) -> bool:
    return "speaker" in table.columns and any(who is not None for who in table.column("speaker"))
