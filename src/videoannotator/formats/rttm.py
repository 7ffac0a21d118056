"""RTTM: who speaks when, one line for each turn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from videoannotator.data.result import Result
from videoannotator.data.rows import SpeakerTurn, SpeechRegion
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.files import file_names, joined, new_file, read_text
from videoannotator.formats.record import foreign_result

__all__ = ["Rttm", "turn_lines"]

SPEECH = "SPEECH"
"""The speaker's name on the lines of speech regions, where nobody asked who speaks."""

_MISSING = "<NA>"
_EMPTY = "%"  # an empty name; no percent sign stands alone otherwise
# what pandas, and so pyannote.database, takes for a missing value
_TAKEN_FOR_MISSING = frozenset(
    (
        "#N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    )
)
# the other types of line of the format; they tell no turns
_OTHER_TYPES = frozenset(
    (
        "SEGMENT",
        "NOSCORE",
        "NO_RT_METADATA",
        "LEXEME",
        "NON-LEX",
        "NON-SPEECH",
        "FILLER",
        "EDIT",
        "SU",
        "IP",
        "CB",
        "A/P",
        "SPKR-INFO",
    )
)
_DIGITS = 800  # enough to add any two floats exactly


class Rttm:
    """Rich Transcription Time Marked, as the diarization tools write and read it.

    Source: NIST, The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A. Ten fields:
    ``SPEAKER file 1 start duration <NA> <NA> speaker score <NA>``.

    One file ``{stem}_{pipeline}.rttm`` for each table of `SpeakerTurn` or `SpeechRegion` rows (speaker
    ``SPEECH``); every row is a line of its own, so turns of one speaker that overlap stay two. Start and duration
    are written so that their sum is exactly the end. Names are percent-encoded where a space, a quotation mark or
    a word like ``NA`` would break the line for other readers (``Mary%20Ann``). Nothing is written for a table
    without rows: an empty file is no RTTM.

    What it cannot hold: rows of any other class (utterances go to WebVTT); coverage, failures, provenance and
    facts of the media; the name of the output; the name of the pipeline, which stands in the file name only.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write one file for each table of turns or regions that has rows; see `Format.write`."""
        written = []
        for name, _, _, table in file_names(result, stem, ".rttm", _holds):
            if len(table):
                with new_file(folder / name) as file:
                    file.writelines(line.encode() for line in turn_lines(table, stem))
                written.append(folder / name)
        return written

    def read(self, path: Path) -> Result:
        """The turns or regions of one recording, ours or anybody's.

        Lines whose speaker is ``SPEECH`` throughout give `SpeechRegion` rows (output ``speech``), others
        `SpeakerTurn` rows (``turns``). Turns without duration are left out, and a notice counts them. The pipeline
        is what the file name says after the recording's name, else ``rttm``. Raises `FormatError` for a line that
        is none, for several recordings in one file, and for a file without turns.
        """
        lines = [(number, re.findall(r"[^ \t\r]+", line)) for number, line in enumerate(read_text(path).split("\n"), 1)]
        lines = [(n, fields) for n, fields in lines if fields and not fields[0].startswith(";")]
        turns = [_turn(path, n, fields) for n, fields in lines if not _other(fields)]
        names = dict.fromkeys(turn["file"] for turn in turns)
        if len(names) != 1:
            what = "no turns" if not names else f"turns of {len(names)} recordings ({joined(names)}); split it first"
            raise FormatError(f"{path} holds {what}")
        (name,) = names
        notices = []
        kept = [t for t in turns if t["end"] > t["start"]]
        if len(kept) < len(turns):
            where = joined(str(t["line"]) for t in turns if t["end"] <= t["start"])
            notices.append(f"{len(turns) - len(kept)} turns without duration were left out (lines {where})")
        table, output = _table(path, kept)
        pipeline = unquote(path.stem[len(name) + 1 :]) if path.stem.startswith(f"{name}_") else ""
        return foreign_result(path, "RTTM", pipeline or "rttm", output, table, media=name, notices=notices)


def _holds(table: Table[Any]) -> bool:
    return issubclass(table.row_class, SpeakerTurn | SpeechRegion)


def turn_lines(table: Table[Any], stem: str) -> Iterator[str]:
    """The lines of a file of `SpeakerTurn` or `SpeechRegion` rows of the recording ``stem``, with their line ends."""
    named = issubclass(table.row_class, SpeakerTurn)
    recording = _word(stem)
    for row in table:
        speaker = _word(row.speaker, SPEECH) if named else SPEECH
        score = _MISSING if row.score is None else repr(row.score)
        start, end = Decimal(repr(row.start)), Decimal(repr(row.end))
        with localcontext(prec=_DIGITS):
            duration = end - start
        yield f"SPEAKER {recording} 1 {start:f} {duration:f} {_MISSING} {_MISSING} {speaker} {score} {_MISSING}\n"


def _word(name: str, *reserved: str) -> str:
    """``name`` as one field of a line, so that every reader sees one field and ours gives the name back."""
    if not name:
        return _EMPTY
    word = "".join(_encoded(c) if c in '%"' or c.isspace() or not c.isprintable() else c for c in name)
    return _encoded(word[0]) + word[1:] if word in _TAKEN_FOR_MISSING or word in reserved else word


def _encoded(character: str) -> str:
    return quote(character, safe="") if not character.isascii() else f"%{ord(character):02X}"


def _name(word: str) -> str:
    if word == _EMPTY:
        return ""
    try:
        return unquote(word, errors="strict")
    except UnicodeDecodeError:
        return word


def _other(fields: list[str]) -> bool:
    return fields[0] in _OTHER_TYPES


def _turn(path: Path, number: int, fields: list[str]) -> dict[str, Any]:
    if fields[0] != "SPEAKER" or len(fields) < 8:
        raise FormatError(f"{path}, line {number} is not RTTM: {' '.join(fields)[:80]!r}")
    try:
        start, duration = Decimal(fields[3]), Decimal(fields[4])
        if not (start.is_finite() and duration.is_finite()):
            raise ValueError("not a finite number")
        with localcontext(prec=_DIGITS):
            end = float(start + duration)
        score = None if len(fields) < 9 or fields[8] == _MISSING else float(fields[8])
    except (ArithmeticError, ValueError) as error:
        raise FormatError(
            f"{path}, line {number}: start, duration or score is no number: {' '.join(fields)}"
        ) from error
    speaker = fields[7]
    return {
        "line": number,
        "file": _name(fields[1]),
        "start": float(start),
        "end": end,
        "word": speaker,
        "score": score,
    }


def _table(path: Path, turns: list[dict[str, Any]]) -> tuple[Table[Any], str]:
    columns: dict[str, Any] = {key: [t[key] for t in turns] for key in ("start", "end", "score")}
    try:
        if turns and all(t["word"] == SPEECH for t in turns):
            return Table.of(SpeechRegion, **columns), "speech"
        return Table.of(SpeakerTurn, **columns, speaker=[_name(t["word"]) for t in turns]), "turns"
    except DataError as error:
        raise FormatError(f"{path}: {error}") from error
