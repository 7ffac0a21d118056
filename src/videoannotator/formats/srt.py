"""SubRip (SRT): what is said, for players and editors of subtitles."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videoannotator.data.result import Result
from videoannotator.data.rows import Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.cues import milliseconds
from videoannotator.formats.files import file_names, joined, new_file, read_text
from videoannotator.formats.record import foreign_result

if TYPE_CHECKING:
    import srt

__all__ = ["Srt"]

_CLASSES: tuple[type[Any], ...] = (Utterance, Word)
_MARKUP = re.compile(r"</?(?:[bius]|font)(?:\s[^<>]*)?>|\{\\[^{}\n]*\}", re.IGNORECASE)
_SPEAKER = re.compile(r"\[([^\[\]\n]+)\]:(?:\s|\Z)")
# what the parser takes for a line of times, wherever it stands: hours, minutes and seconds before an arrow
_TIMES = re.compile(r"(?:[0-9]+[,.:，．。：]){2}")
_ARROW = re.compile(r"-[- ] *>")


class Srt:
    """SubRip subtitles, written and parsed with the package srt (https://srt.readthedocs.io).

    The format has no definition of its own; these are the files that SubRip, FFmpeg, VLC and Whisper write and read.
    One file ``{stem}_{pipeline}.srt`` for each table of `Utterance` or `Word` rows, one cue for each row, in the order
    of their starts, counted from 1. Speech with a speaker is ``[Anna]: text``, as WhisperX writes it.

    What it cannot hold: times finer than a millisecond (a cue is never shorter than one); scores, languages, words of
    an utterance, and whatever else a row says; empty lines, and white space at the ends of lines, which end or change a
    cue (other line breaks become ``\\n``); ``[`` and ``]`` in the name of a speaker, which become ``(`` and ``)``; text
    that looks like a speaker (``[x]: ``) or like markup (``<i>``, ``{\\an8}``), which is taken for that; an arrow
    (``-->``) after what looks like a time, which becomes ``->``; the character U+0000, which becomes U+FFFD; coverage,
    failures, provenance and facts of the media; the names of pipeline and output; rows of any other class.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write one file for each table of speech, also when it has no rows; see `Format.write`."""
        written = []
        for name, _, _, table in file_names(result, stem, ".srt", _holds):
            try:
                cues = sorted(_cue(number, row) for number, row in enumerate(table, 1))
                for number, cue in enumerate(cues, 1):
                    cue.index = number  # srt.compose() would leave out cues without text
                text = "".join(cue.to_srt() for cue in cues)
            except OverflowError as error:
                raise FormatError(f"{name} could not be written: a time is too large: {error}") from error
            with new_file(folder / name) as file:
                file.write(text.encode())
            written.append(folder / name)
        return written

    def read(self, path: Path) -> Result:
        """The cues of a file, ours or anybody's, as `Utterance` rows (pipeline ``srt``, output ``utterances``).

        ``[Anna]: `` at the beginning of a cue is its speaker; markup (``<i>``, ``<font ...>``, ``{\\an8}``) is taken
        out. Cues without duration are left out, and a notice counts them. Raises `FormatError` when the file is no
        SubRip.
        """
        import srt

        text = read_text(path)
        try:
            cues = list(srt.parse(text))
            kept = [cue for cue in cues if cue.end > cue.start]
            table = Table.from_rows(Utterance, [_row(cue) for cue in kept])
        except (srt.SRTParseError, srt.TimestampParseError, OverflowError, ValueError, DataError) as error:
            raise FormatError(f"{path} is not SubRip: {error}") from error
        notices = []
        if len(kept) < len(cues):
            which = joined(str(n) for n, cue in enumerate(cues, 1) if cue.end <= cue.start)
            notices.append(f"{len(cues) - len(kept)} cues without duration were left out (cues {which})")
        return foreign_result(path, "SubRip", "srt", "utterances", table, media=None, notices=notices)


def _holds(table: Table[Any]) -> bool:
    return issubclass(table.row_class, _CLASSES)


def _cue(number: int, row: Any) -> srt.Subtitle:
    import srt

    start, end = milliseconds(row)
    text = row.text
    if row.speaker:
        name = " ".join(row.speaker.split()).replace("[", "(").replace("]", ")")
        text = f"[{name}]: {text}" if name else text
    lines = (line.strip() for line in text.replace("\0", "\ufffd").splitlines())
    content = "\n".join(_no_times(line) for line in lines if line)
    return srt.Subtitle(number, timedelta(milliseconds=start), timedelta(milliseconds=end), content)


def _no_times(line: str) -> str:
    """``line`` so that nobody takes it for the times of a cue."""
    return _ARROW.sub("->", line) if _TIMES.search(line) else line


def _row(cue: srt.Subtitle) -> Utterance:
    text = _MARKUP.sub("", cue.content).strip()
    named = _SPEAKER.match(text)
    return Utterance(
        start=cue.start / timedelta(seconds=1),
        end=cue.end / timedelta(seconds=1),
        text=text[named.end() :].strip() if named else text,
        speaker=named[1].strip() or None if named else None,
    )
