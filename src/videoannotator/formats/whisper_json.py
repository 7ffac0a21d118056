"""JSON of transcripts, as Whisper and WhisperX write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videoannotator.data.result import Result
from videoannotator.data.rows import Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import class_path
from videoannotator.formats.files import dumps, file_names, new_file, read_json
from videoannotator.formats.record import Record, foreign_result

__all__ = ["WhisperJson"]

_OF_A_WORD = ("score", "speaker", "speaker_score")
_OF_AN_UTTERANCE = (
    "language",
    "speaker",
    "score",
    "speaker_score",
    "avg_logprob",
    "no_speech_prob",
    "compression_ratio",
    "temperature",
    "suspected",
)


class WhisperJson:
    """The JSON of Whisper (``whisper --output_format json``) and of WhisperX, which adds speakers and scores.

    Source: ``whisper.transcribe`` of openai-whisper, ``whisperx/types.py`` (``AlignedTranscriptionResult``).

    One file ``{stem}_{pipeline}.whisper.json`` for each table of `Utterance` rows: ``language`` (null where it is not
    known, or not one) and ``segments``, one for each row in its order: ``id`` (from 0), ``start``, ``end``, ``text``,
    ``words`` (``word``, ``start``, ``end``, ``score``, ``speaker``), ``speaker``, ``avg_logprob`` and the other columns
    under their names. What is missing has no key. ``videoannotator`` has the media, coverage, failures and provenance.
    NaN is never written.

    What it cannot hold: rows of any other class, and columns that a class of yours adds to `Utterance`; the media
    file's folder, the picture stream's clock, and the tracebacks of failures.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write one file for each table of utterances, also when it has no rows; see `Format.write`."""
        written = []
        for name, pipeline, output, table in file_names(result, stem, ".whisper.json", _holds):
            languages = {row.language for row in table}
            plain = {
                "language": languages.pop() if len(languages) == 1 else None,
                "segments": [_segment(number, row) for number, row in enumerate(table)],
                "videoannotator": Record.of_table(result, pipeline, output, Utterance, clock=False),
            }
            with new_file(folder / name) as file:
                file.write(dumps(plain).encode())
            written.append(folder / name)
        return written

    def read(self, path: Path) -> Result:
        """The rows of a file of ours; `Utterance` rows (output ``utterances``) of anybody else's.

        In somebody else's file a word's ``probability`` is its score, the ``language`` is that of every segment that
        names none, and white space around texts is left out. Words without times or without duration are left out of
        ``words`` (their text stays in the utterance), segments without duration altogether; notices count them. Raises
        `FormatError` when the file is no such JSON.
        """
        plain = read_json(path)
        if not isinstance(plain, dict) or not isinstance(plain.get("segments"), list):
            raise FormatError(f"{path} is no JSON of Whisper: it must have a list of segments")
        try:
            if plain.get("videoannotator") is None:
                return _foreign(plain, path)
            record = Record.from_plain(plain["videoannotator"], path)
            pipeline, output, entry = record.only_table(path)
            if entry.row != class_path(Utterance):
                raise FormatError(f"{path} is damaged: JSON of Whisper does not hold {entry.row}")
            table = Table.from_rows(Utterance, [_own_row(segment) for segment in plain["segments"]])
            return record.result({(pipeline, output): table}, path)
        except KeyError as error:
            raise FormatError(f"{path} lacks {error}, which is not guessed") from error
        except (DataError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{path} is no JSON of Whisper that can be read: {error}") from error


def _holds(table: Table[Any]) -> bool:
    return issubclass(table.row_class, Utterance)


def _there(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(row, name)) is not None}


def _segment(number: int, row: Utterance) -> dict[str, Any]:
    segment: dict[str, Any] = {"id": number, "start": row.start, "end": row.end, "text": row.text}
    if row.words:  # WhisperX takes the text from the words where there are any
        segment["words"] = [
            {"word": word.text, "start": word.start, "end": word.end, **_there(word, _OF_A_WORD)} for word in row.words
        ]
    return segment | _there(row, _OF_AN_UTTERANCE)


def _own_row(segment: Mapping[str, Any]) -> Utterance:
    words = (
        Word(start=word["start"], end=word["end"], text=word["word"], **_named(word, _OF_A_WORD))
        for word in segment.get("words", ())
    )
    return Utterance(
        start=segment["start"],
        end=segment["end"],
        text=segment["text"],
        words=tuple(words),
        **_named(segment, _OF_AN_UTTERANCE),
    )


def _named(plain: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: plain[name] for name in names if name in plain}


def _foreign(plain: Mapping[str, Any], path: Path) -> Result:
    rows, wordless, left_out = [], 0, 0
    for segment in plain["segments"]:
        if not segment["end"] > segment["start"]:
            left_out += 1
            continue
        words = [word for word in segment.get("words") or () if _lasts(word)]
        wordless += len(segment.get("words") or ()) - len(words)
        said = {"language": plain.get("language"), **_named(segment, _OF_AN_UTTERANCE)}
        made = tuple(_foreign_word(word) for word in words)
        rows.append(Utterance(segment["start"], segment["end"], segment["text"].strip(), made, **said))
    notices = []
    if left_out:
        notices.append(f"{left_out} segments without duration were left out")
    if wordless:
        notices.append(f"{wordless} words without times or duration were left out; the utterances have their text")
    table = Table.from_rows(Utterance, rows)
    return foreign_result(path, "JSON of Whisper", "whisper", "utterances", table, media=None, notices=notices)


def _lasts(word: Mapping[str, Any]) -> bool:
    start, end = word.get("start"), word.get("end")
    return start is not None and end is not None and end > start


def _foreign_word(word: Mapping[str, Any]) -> Word:
    score = word.get("score", word.get("probability"))
    return Word(word["start"], word["end"], word["word"].strip(), score, word.get("speaker"))
